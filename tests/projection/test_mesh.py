import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unknot._parallel.thread_team import ThreadTeam
from unknot.projection import _kernels_mesh, _kernels_rules, _mesh
from unknot.projection._kernels_exact import repel
from unknot.projection._mesh import Mesh


def exact_field(points):
    """The slow twin of all repulsion: every pair, in float64."""
    y = points.astype(np.float64)
    field = np.empty_like(y)
    z = 0.0
    for i in range(len(y)):
        d = y[i] - y
        w = 1 / (1 + (d**2).sum(axis=1))
        z += w.sum() - 1
        field[i] = -2 * ((w**2)[:, None] * d).sum(axis=0)
    return field, z


def mesh_field(points, spacing=0.5, n_threads=1):
    x, y = np.ascontiguousarray(points.T, dtype=np.float32)
    x_field, y_field = np.empty_like(x), np.empty_like(y)
    bounds = (float(x.min()), float(x.max()), float(y.min()), float(y.max()))
    with ThreadTeam(n_threads) as team:
        z = Mesh(len(x), spacing, team).field(x, y, bounds, x_field, y_field)
    return np.stack([x_field, y_field], axis=1), z


def relative_error(field, true):
    return np.sqrt(((field - true) ** 2).sum() / (true**2).sum())


def clustered(rng, n):
    return rng.normal(size=(n, 2)) * 0.04 + rng.uniform(-0.5, 0.5, size=(12, 2))[np.arange(n) % 12]


MAPS = {
    "uniform": lambda rng, n: rng.uniform(-0.5, 0.5, size=(n, 2)),
    "clustered": clustered,
    "collinear": lambda rng, n: rng.uniform(-0.5, 0.5, size=(n, 1)) * [1.0, 0.0],
    "oblique": lambda rng, n: rng.uniform(-0.5, 0.5, size=(n, 1)) * [1.0, 0.7],
    "off center": lambda rng, n: rng.uniform(-0.5, 0.5, size=(n, 2)) + np.array([30.0, -7.0]),
    "one far away": lambda rng, n: np.concatenate(
        [rng.normal(size=(n - 1, 2)) * 0.01, [[1.0, 1.0]]]
    ),
}


def kernel_field(points):
    """The sum over all pairs by the kernel that `test_exact_kernel_equals_slow_twin` checks."""
    y = np.zeros((3, len(points)), np.float32)
    y[:2] = points.T
    field, phi = np.empty((3, len(points)), np.float32), np.empty(len(points))
    repel(y, 0, len(points), field, phi)
    return field[:2].T, phi.sum()


@pytest.mark.parametrize("span", [1e-4, 1e-2, 1.0, 8.0, 25.0, 60.0, 200.0])
@pytest.mark.parametrize("kind", MAPS)
def test_mesh_equals_exact_sum(kind, span):
    # About one point per unit area in the widest, as in real maps. A mesh is least accurate for
    # points on a line or in one cell: these get half the spacing.
    points = (MAPS[kind](np.random.default_rng(0), 20_000) * span).astype(np.float32)
    true, z_true = kernel_field(points)
    thin = kind in ("collinear", "oblique", "one far away")
    field, z = mesh_field(points, 0.25 if thin and span > 8 else 0.5)
    assert relative_error(field, true) < (3e-3 if span <= 8 else 0.04)
    assert abs(z / z_true - 1) < (3e-3 if thin else 1e-4)


@pytest.mark.parametrize("span", [200.0, 1000.0])
def test_a_sparse_map_is_as_accurate(span):
    # Few pairs are near each other: without the correction, a point's force on itself would be
    # 11 % of the force at span 200, and the error of Z 0.7 %.
    points = (MAPS["uniform"](np.random.default_rng(0), 3000) * span).astype(np.float32)
    true, z_true = kernel_field(points)
    field, z = mesh_field(points)
    assert relative_error(field, true) < 0.04
    assert abs(z / z_true - 1) < 1e-3


def test_a_lone_point_does_not_push_itself():
    for at in np.random.default_rng(7).uniform(0, 1, size=(20, 2)):
        field, _ = mesh_field(np.stack([at, at + np.array([40.0, 13.0])]))
        # Two points 42 apart: 2 w^2 r = 2 * 42 / 1769^2 = 2.7e-5 is the only force.
        assert np.abs(field).max() < 1e-4


def test_finer_mesh_is_more_accurate():
    points = (MAPS["uniform"](np.random.default_rng(1), 3000) * 60).astype(np.float32)
    true, _ = exact_field(points)
    errors = [relative_error(mesh_field(points, h)[0], true) for h in (1.0, 0.5, 0.35, 0.25)]
    assert errors[0] > 2 * errors[1]  # the check can fail
    assert errors[1] < 0.04
    assert errors[2] < 0.012
    assert errors[3] < 0.004


def test_exact_kernel_equals_slow_twin():
    rng = np.random.default_rng(2)
    points = (rng.normal(size=(500, 2)) * 10).astype(np.float32)
    y = np.zeros((3, 500), np.float32)
    y[:2] = points.T
    field, phi = np.empty((3, 500), np.float32), np.empty(500)
    repel(y, 0, 500, field, phi)
    true, z = exact_field(points)
    np.testing.assert_allclose(field[:2].T, true, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(phi.sum(), z, rtol=1e-6)
    assert not field[2].any()


def test_two_points_push_each_other_apart():
    # At distance 2, w = 1/5: grad phi = -2 w^2 (y_i - y_j) = -2/25 * (-2) = 0.16; Z = 2/5.
    y = np.array([[0, 2], [0, 0], [0, 0]], np.float32)
    field, phi = np.empty((3, 2), np.float32), np.empty(2)
    repel(y, 0, 2, field, phi)
    np.testing.assert_allclose(field[0], [0.16, -0.16], rtol=1e-6)
    np.testing.assert_allclose(phi, [0.2, 0.2], rtol=1e-6)
    field, z = mesh_field(np.array([[0.0, 0.0], [2.0, 0.0]]))
    np.testing.assert_allclose(field, [[0.16, 0], [-0.16, 0]], atol=1e-4)
    np.testing.assert_allclose(z, 0.4, rtol=1e-4)


def cubic(u):
    """The centered cubic B-spline."""
    u = abs(u)
    return (2 / 3 - u**2 + u**3 / 2) if u < 1 else (2 - u) ** 3 / 6 if u < 2 else 0.0


@given(st.floats(0, 0.9990234375, width=32))
def test_spline_weights(t):
    weights = _kernels_mesh.spline.py_func(np.float32(t))
    np.testing.assert_allclose(weights, [cubic(t - k) for k in (-1, 0, 1, 2)], atol=1e-6)
    np.testing.assert_allclose(sum(weights), 1, rtol=1e-6)
    slopes = _kernels_mesh.spline_slope.py_func(np.float32(t))
    step = 1e-4
    numeric = [(cubic(t + step - k) - cubic(t - step - k)) / (2 * step) for k in (-1, 0, 1, 2)]
    np.testing.assert_allclose(slopes, numeric, atol=2e-4)
    np.testing.assert_allclose(sum(slopes), 0, atol=1e-6)


def test_spread_equals_slow_twin():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 5, size=(2, 40)).astype(np.float32)
    charge = np.full((20, 24), 7, np.float32)
    place = (np.float32(-2), np.float32(-3), np.float32(2))
    _kernels_mesh.spread(x, y, 5, 40, *place, charge)
    true = np.array(
        [
            [
                sum(cubic((x[m] + 2) * 2 - i) * cubic((y[m] + 3) * 2 - j) for m in range(5, 40))
                for j in range(24)
            ]
            for i in range(20)
        ]
    )
    np.testing.assert_allclose(charge, true, atol=1e-5)
    np.testing.assert_allclose(charge.sum(), 35, rtol=1e-6)


def gathered(x, y, n, potential, near):
    """Field and sums of n points on a mesh that begins at (-2, -3), with 2 nodes a unit."""
    x_field, y_field, sums = np.empty(64, np.float32), np.empty(64, np.float32), np.zeros(4)
    place = ((np.float32(-2), np.float32(-3)), np.float32(2), potential)
    scratch = np.empty(528, np.float32)
    for chunk in range(4):
        _kernels_mesh.gather(chunk, 4, x, y, n, *place, near, scratch, x_field, y_field, sums)
    return x_field, y_field, sums


@pytest.mark.parametrize("n", [64, 51])
def test_gather_reads_a_cubic_polynomial_and_its_gradient(n):
    # Splines of degree 3 on the coefficients of a linear function reproduce it, and its slope.
    i, j = np.meshgrid(np.arange(20.0), np.arange(24.0), indexing="ij")
    potential = (3 * i - 2 * j + 5).astype(np.float32)
    x, y = np.random.default_rng(4).uniform(0, 5, size=(2, 64)).astype(np.float32)
    x_field, y_field, sums = gathered(x, y, n, potential, np.zeros((4, 4), np.float32))
    np.testing.assert_allclose(x_field, np.where(np.arange(64) < n, 6, 0), rtol=1e-4)
    np.testing.assert_allclose(y_field, np.where(np.arange(64) < n, -4, 0), rtol=1e-4)
    values = np.where(np.arange(64) < n, 3 * (x + 2) * 2 - 2 * (y + 3) * 2 + 5, 0)
    np.testing.assert_allclose(sums, values.reshape(4, 16).sum(axis=1), rtol=1e-4)


def test_gather_leaves_out_what_a_point_does_to_itself():
    rng = np.random.default_rng(5)
    near = rng.random((4, 4)).astype(np.float32)
    x, y = rng.uniform(0, 5, size=(2, 64)).astype(np.float32)
    x_field, y_field, sums = gathered(x, y, 64, np.zeros((20, 24), np.float32), near)

    def own(u, v, at_u, at_v):
        """The potential at (u, v) of a unit charge spread from (at_u, at_v), at near's nodes."""
        nodes = np.arange(16)
        wu, wv = (np.array([cubic(c - k) for k in nodes]) for c in (u, v))
        au, av = (np.array([cubic(c - k) for k in nodes]) for c in (at_u, at_v))
        away = np.abs(nodes[:, None] - nodes)
        table = np.where(
            (away[:, :, None, None] < 4) & (away < 4),
            near[np.minimum(away, 3)[:, :, None, None], np.minimum(away, 3)],
            0,
        )
        return np.einsum("i,j,ijkl,k,l->", wu, au, table, wv, av)

    phi = 0.0
    for point in range(16):
        u, v = (x[point] + 2) * 2.0, (y[point] + 3) * 2.0 - 4
        phi -= own(u - 2, v, u - 2, v)
        h = 1e-3
        gradient = [
            own(u - 2 + h * a, v + h * b, u - 2, v) - own(u - 2 - h * a, v - h * b, u - 2, v)
            for a, b in ((1, 0), (0, 1))
        ]
        np.testing.assert_allclose(
            [x_field[point], y_field[point]], -2 * np.array(gradient) / (2 * h), atol=2e-3
        )
    np.testing.assert_allclose(sums[0], phi, rtol=1e-4)


def test_any_number_of_threads_gives_the_same_bytes():
    points = (MAPS["clustered"](np.random.default_rng(5), 20_000) * 40).astype(np.float32)
    one, z = mesh_field(points)
    for n_threads in (2, 4, 16):
        field, z_again = mesh_field(points, n_threads=n_threads)
        assert field.tobytes() == one.tobytes()
        assert z_again == z


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-6, 3))
def test_property_points_at_the_bounds_stay_on_the_mesh(seed, exponent):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, size=(50, 2)) * 10**exponent * rng.uniform(0.001, 1, size=2)
    points = (points + rng.uniform(-1, 1, size=2)).astype(np.float32)
    field, z = mesh_field(points)
    assert np.isfinite(field).all()
    assert 0 < z <= 50 * 49 * (1 + 1e-3)


@given(seed=st.integers(0, 2**32 - 1), turn=st.integers(0, 1))
def test_property_meshes_that_take_turns_are_half_a_step_apart_and_hold_the_map(seed, turn):
    rng = np.random.default_rng(seed)
    step = float(2.0 ** rng.integers(-20, 0))
    low = rng.normal(scale=100 * step, size=2)
    span = rng.uniform(0, 200, size=2) * step
    shape = tuple(int(_kernels_rules.nodes_across(width, step)) for width in span)
    bounds = tuple(np.stack([low, low + span], axis=1).reshape(-1).tolist())
    origin = np.array(_kernels_rules.find_origin(bounds, shape, step, turn))
    np.testing.assert_array_equal(origin / step % 1, 0.5 * turn)
    first, last = (low - origin) / step, (low + span - origin) / step
    assert (first >= 1.2).all()
    assert (last <= np.array(shape) - 2.2).all()


def test_coincident_points():
    field, z = mesh_field(np.ones((10, 2)))
    np.testing.assert_allclose(field, 0, atol=1e-6)
    assert z == pytest.approx(90)


def test_a_map_too_wide_for_memory_gets_a_coarser_mesh(monkeypatch):
    monkeypatch.setattr(_mesh, "MAX_NODES", 10_000)
    points = (np.random.default_rng(6).normal(size=(2000, 2)) * 1000).astype(np.float32)
    field, z = mesh_field(points)
    assert np.isfinite(field).all()
    assert np.isfinite(z)
