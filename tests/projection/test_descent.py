import numpy as np
import pytest
from projection_checks import entries

import unknot
from unknot._parallel.thread_team import ThreadTeam
from unknot.projection import _descent, _kernels_exact, _kernels_rules
from unknot.projection._affinities import joint
from unknot.projection._descent import Engine, ExactEngine, MeshEngine, Phase, descend
from unknot.projection._kernels_optimizer import NOTCH, attract, move
from unknot.projection._kernels_rules import GRADIENT, LOG_SUM, StateRow


@pytest.fixture(scope="module")
def problem():
    """Affinities of 400 points, as engines use them and as a dense matrix."""
    points = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    points += 4 * (np.arange(400) % 3)[:, None]
    graph = unknot.nearest_neighbors(points, 30)
    with ThreadTeam(1) as team:
        affinities = joint(graph, 10.0, np.arange(400, dtype=np.int32), team)
    rows, columns, values = entries(affinities)
    p = np.zeros((400, 400))
    p[rows, columns] = values
    return affinities, p


def divergence(p, y):
    """KL(p || q) by its definition, in float64."""
    d = y[:, None].astype(np.float64) - y
    w = 1 / (1 + (d**2).sum(axis=-1))
    np.fill_diagonal(w, 0)
    q = w / w.sum()
    linked = p > 0
    return (p[linked] * np.log(p[linked] / q[linked])).sum()


def gradient(p, y, exaggeration=1.0):
    """The slow twin: dC/dy_i = 4 sum_j (e p_ij - q_ij) w_ij (y_i - y_j), in float64."""
    d = y[:, None].astype(np.float64) - y
    w = 1 / (1 + (d**2).sum(axis=-1))
    np.fill_diagonal(w, 0)
    return 4 * (((exaggeration * p - w / w.sum()) * w)[..., None] * d).sum(axis=1)


def moved(engine, start, learning_rate=1.0, exaggeration=1.0):
    """The gradient that one step from rest takes: gains shrink to 0.8 first."""
    engine.advance(Phase(1, exaggeration, 0.5, learning_rate), 1)
    return (start - engine.map_()) / (0.8 * learning_rate)


def test_slow_twin_of_the_gradient_is_the_derivative(problem):
    _, p = problem
    y = np.random.default_rng(1).normal(size=(400, 2))
    true = gradient(p, y)
    for i, d in [(0, 0), (7, 1), (399, 0)]:
        step = np.zeros_like(y)
        step[i, d] = 1e-5
        numeric = (divergence(p, y + step) - divergence(p, y - step)) / 2e-5
        assert true[i, d] == pytest.approx(numeric, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("exaggeration", [1.0, 12.0])
@pytest.mark.parametrize("spread", [1e-4, 1.0, 8.0])
@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_exact_engine_follows_the_gradient(problem, n_components, spread, exaggeration):
    affinities, p = problem
    y = (np.random.default_rng(2).normal(size=(400, n_components)) * spread).astype(np.float32)
    true = gradient(p, y, exaggeration)
    with ThreadTeam(2) as team:
        # A step large enough for float32 to resolve it, and short enough not to be limited.
        rate = min(spread, 2) / 20 / np.abs(true).max()
        found = moved(ExactEngine(affinities, y, team), y, rate, exaggeration)
    assert np.abs(found - true).max() < 2e-4 * np.abs(true).max()


@pytest.mark.parametrize("exaggeration", [1.0, 12.0])
@pytest.mark.parametrize("spread", [1e-4, 1.0, 8.0])
@pytest.mark.parametrize("n_components", [1, 2])
def test_mesh_engine_follows_the_gradient(problem, n_components, spread, exaggeration):
    affinities, p = problem
    y = (np.random.default_rng(3).normal(size=(400, n_components)) * spread).astype(np.float32)
    true = gradient(p, y, exaggeration)
    with ThreadTeam(2) as team:
        rate = min(spread, 2) / 20 / np.abs(true).max()
        found = moved(MeshEngine(affinities, y, 0.25, team), y, rate, exaggeration)
    assert np.sqrt(((found - true) ** 2).sum() / (true**2).sum()) < 3e-3


def test_gradient_norm_and_divergence_are_those_of_the_map_before_the_step(problem):
    affinities, p = problem
    y = np.random.default_rng(4).normal(size=(400, 2)).astype(np.float32) * 3
    with ThreadTeam(1) as team:
        for engine in (ExactEngine(affinities, y, team), MeshEngine(affinities, y, 0.25, team)):
            kl, norm = engine.step_and_measure(Phase(1, 1.0, 0.5, 100.0))
            assert kl == pytest.approx(divergence(p, y), abs=2e-4)
            assert norm == pytest.approx(np.linalg.norm(gradient(p, y)), rel=2e-3)
            np.testing.assert_array_equal(engine.map_(before=True), y)
            assert np.abs(engine.map_() - y).max() > 0


def slow_steps(p, y, phase, n_steps, notch):
    """The slow twin of gains, momentum, the limit of steps and the notch filter of the repulsion.

    The notch in its plain form, out_t = (1 + a) / 2 (in_t + in_t-1) - a out_t-1.
    """
    y = y.astype(np.float64)
    velocity, gain = np.zeros_like(y), np.ones_like(y)
    before = filtered = None
    for _ in range(n_steps):
        repulsion = gradient(p, y, 0)
        if filtered is None:
            before = filtered = repulsion
        filtered = (1 + notch) / 2 * (repulsion + before) - notch * filtered
        before = repulsion
        g = gradient(p, y, phase.exaggeration) - repulsion + filtered
        gain = np.where(g * velocity < 0, gain + 0.2, np.maximum(gain * 0.8, 0.01))
        velocity = phase.momentum * velocity - phase.learning_rate * gain * g
        length = np.linalg.norm(velocity, axis=1, keepdims=True)
        limit = min(5, 0.05 * max(4, np.ptp(y, axis=0).max()))
        velocity *= np.minimum(1, limit / np.maximum(length, 1e-300))
        y = y + velocity
    return y


@pytest.mark.parametrize("rate", [50.0, 1e6])
def test_steps_equal_slow_twin(problem, rate):
    affinities, p = problem
    y = np.random.default_rng(5).normal(size=(400, 2)).astype(np.float32)
    phase = Phase(4, 4.0, 0.8, rate)
    n_steps = 4 if rate < 100 else 1
    with ThreadTeam(3) as team:
        for engine, notch, allowed in (
            (ExactEngine(affinities, y, team), 1, 1e-3),
            (MeshEngine(affinities, y, 0.2, team), NOTCH, 0.02),
        ):
            true = slow_steps(p, y, phase, n_steps, notch)
            if rate > 100:  # the limit was met
                limit = 0.05 * np.ptp(y, axis=0).max()
                moves = np.linalg.norm(true - y, axis=1)
                np.testing.assert_allclose(moves.max(), limit, rtol=1e-5)
            engine.advance(phase, n_steps)
            away = np.linalg.norm(engine.map_() - true, axis=1)
            assert np.median(away) < allowed


def test_the_order_in_memory_changes_nothing_but_rounding(problem, monkeypatch):
    affinities, _ = problem
    y = np.random.default_rng(9).normal(size=(400, 2)).astype(np.float32)
    phase = Phase(4, 2.0, 0.5, 50.0)
    with ThreadTeam(2) as team:
        plain = MeshEngine(affinities, y, 0.5, team)
        monkeypatch.setattr(_descent, "SORTED_FROM", 400)
        ordered = MeshEngine(affinities, y, 0.5, team)
        np.testing.assert_array_equal(ordered.map_(), y)
        for _ in range(2):
            # As between two phases, from the current positions.
            plain.advance(phase, 3)
            ordered.advance(phase, 3)
            (kl, norm), (kl_too, norm_too) = (
                plain.step_and_measure(phase),
                ordered.step_and_measure(phase),
            )
            assert kl_too == pytest.approx(kl, rel=1e-4)
            assert norm_too == pytest.approx(norm, rel=1e-3)
            np.testing.assert_allclose(ordered.map_(), plain.map_(), atol=1e-3)
            before = [engine.map_(before=True) for engine in (ordered, plain)]
            np.testing.assert_allclose(*before, atol=1e-3)
            plain.restart()
            ordered.restart()
    assert not np.array_equal(plain.map_(), y)


def test_logarithm_equals_the_library():
    x = np.concatenate([np.linspace(1, 4, 10_001), np.logspace(0, 12, 10_001)]).astype(np.float32)
    natural_log = _kernels_exact.natural_log
    with np.errstate(all="raise"):
        found = np.array([natural_log(value) for value in x])
    np.testing.assert_allclose(found, np.log(x.astype(np.float64)), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("is_wide", [False, True])
def test_attraction_of_the_mesh_engine_equals_slow_twin(problem, is_wide):
    affinities, p = problem
    y = np.random.default_rng(7).normal(size=(400, 2)).astype(np.float32)
    narrow, wide = affinities.narrow_and_wide
    assert (len(narrow), len(wide)) == (len(affinities.index), 0)
    if is_wide:
        narrow, wide = narrow[:0], narrow.astype(np.int32)
    rows = (affinities.ptr, narrow, wide, affinities.weight, affinities.scale)
    x_pull, y_pull, sums = np.empty(400, np.float32), np.empty(400, np.float32), np.zeros((3, 7))
    for chunk in range(3):
        attract(chunk, 3, y.ravel(), rows, x_pull, y_pull, True, sums)
    d = y[:, None].astype(np.float64) - y
    r = 1 + (d**2).sum(axis=-1)
    true = ((p / r)[..., None] * d).sum(axis=1)
    np.testing.assert_allclose(np.stack([x_pull, y_pull], axis=1), true, atol=1e-7)
    np.testing.assert_allclose(sums[:, LOG_SUM].sum(), (p * np.log(r)).sum(), rtol=1e-5)


def test_attraction_kernel_equals_slow_twin(problem):
    affinities, p = problem
    y = np.random.default_rng(6).normal(size=(400, 3)).astype(np.float32)
    force, logs = np.empty((3, 400), np.float32), np.empty(400)
    rows = (affinities.ptr, affinities.index, affinities.weight, affinities.scale)
    transposed = np.ascontiguousarray(y.T)
    _kernels_exact.attract(transposed, 0, 400, *rows, True, force, logs)
    d = y[:, None].astype(np.float64) - y
    r = 1 + (d**2).sum(axis=-1)
    np.testing.assert_allclose(force.T, ((p / r)[..., None] * d).sum(axis=1), atol=1e-7)
    np.testing.assert_allclose(logs, (p * np.log(r)).sum(axis=1), rtol=1e-5)


def test_a_phase_may_coarsen_the_mesh(problem):
    affinities, p = problem
    start = 40 * np.random.default_rng(2).normal(size=(400, 2)).astype(np.float32)
    true = gradient(p, start)
    errors = []
    with ThreadTeam(2) as team:
        for coarsening in (1.0, 2.0, 1.0):
            engine = MeshEngine(affinities, start, 0.5, team)
            before = engine.map_()
            engine.advance(Phase(1, 1.0, 0.5, 0.01, coarsening=coarsening), 1)
            found = (before - engine.map_()) / (0.8 * 0.01)
            errors.append(np.sqrt(((found - true) ** 2).sum() / (true**2).sum()))
            assert engine._mesh.layout[2:] == (0.5 * coarsening, 0.5 * coarsening)
    assert errors[0] == errors[2] < errors[1]


@pytest.mark.parametrize("sorted_from", [100, 1000])
def test_thin_phases_attract_by_fewer_neighbors_but_measure_by_all(
    problem, monkeypatch, sorted_from
):
    monkeypatch.setattr(_descent, "SORTED_FROM", sorted_from)
    affinities, p = problem
    points = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    graph = unknot.nearest_neighbors(points, 5)
    start = np.random.default_rng(2).normal(size=(400, 2)).astype(np.float32)
    with ThreadTeam(1) as team:
        thin = joint(graph, 4.0, np.arange(400, dtype=np.int32), team)
        rows, columns, values = entries(thin)
        thin_p = np.zeros((400, 400))
        thin_p[rows, columns] = values

        def engine():
            # Restarting sorts the points by their places on the map.
            engine = MeshEngine(affinities, start, 0.1, team, thin)
            engine.restart()
            return engine

        for is_thin, true in ((True, thin_p), (False, p)):
            begun = engine()
            begun.advance(Phase(1, 1.0, 0.5, 1.0, is_thin=is_thin), 1)
            found = (start - begun.map_()) / 0.8
            np.testing.assert_allclose(found, gradient(true, start), atol=2e-5)
            kl, norm = engine().step_and_measure(Phase(1, 1.0, 0.5, 1.0, is_thin=is_thin))
            assert kl == pytest.approx(divergence(p, start), rel=1e-3)
            assert norm == pytest.approx(np.linalg.norm(gradient(p, start)), rel=1e-2)


def test_a_mesh_changes_its_spacing_and_changes_it_back(problem):
    affinities, _ = problem
    start = 40 * np.random.default_rng(2).normal(size=(400, 2)).astype(np.float32)
    fine, coarse = Phase(1, 1.0, 0.5, 1e-6), Phase(1, 1.0, 0.5, 1e-6, coarsening=2.0)
    with ThreadTeam(1) as team:
        engine = MeshEngine(affinities, start, 0.5, team)
        layouts = []
        for phase in (fine, coarse, coarse, fine):
            engine.advance(phase, 1)
            layouts.append(engine._mesh.layout)
    assert layouts[0] == layouts[3]
    assert layouts[1] == layouts[2]
    assert layouts[1][0] < layouts[0][0]


class Scripted(Engine):
    """An engine with a prescribed divergence."""

    def __init__(self, divergences, norm=1.0):
        self.divergences = divergences
        self.norm = norm
        self.steps = 0
        self.restarts = []

    def advance(self, phase, n_steps):
        self.steps += n_steps

    def step_and_measure(self, phase):
        self.advance(phase, 1)
        return self.divergences(self.steps - 1), self.norm

    def set_embedding(self, map_):
        raise AssertionError("nothing has collapsed")

    def restart(self):
        self.restarts.append(self.steps)

    def map_(self, *, before=False):
        return np.full((2, 2), self.steps - before, np.float32)


USUAL = (Phase(100, 12.0, 0.5, 1.0, is_early=True), Phase(1000, 1.0, 0.8, 1.0))


def run(
    engine,
    watch=lambda report: False,
    patience=300,
    min_gradient_norm=1e-7,
    report_every=50,
    phases=USUAL,
):
    return descend(
        engine,
        phases,
        report_every=report_every,
        watch=watch,
        patience=patience,
        min_gradient_norm=min_gradient_norm,
    )


def test_runs_all_phases_and_reports_the_map_it_measured():
    engine = Scripted(lambda step: 10 - step / 1000)
    seen = []
    report = run(engine, lambda r: bool(seen.append((r.iteration, float(r.map_[0, 0])))))
    assert seen == [(i, float(i)) for i in range(50, 1001, 50)]
    assert report.iteration == 1000
    assert report.kl_divergence == pytest.approx(9.0)
    assert engine.restarts == [0, 100]


def test_stops_without_progress_in_the_last_phase_only():
    # The minimum of the last phase is at its first check, 100; 300 iterations later it stops.
    report = run(Scripted(lambda step: float(step)))
    assert report.iteration == 450


def test_a_vanished_gradient_ends_a_phase():
    # The first phase at its first check, 50; the last at its second, as the divergence has fallen.
    engine = Scripted(lambda step: -float(step), norm=1e-8)
    assert run(engine).iteration == 150
    assert engine.restarts == [0, 51]


def test_progress_checks_do_not_depend_on_the_reports():
    seen = []
    report = run(Scripted(float), lambda r: bool(seen.append(r.iteration)), report_every=80)
    # The minimum of the last phase is at its first check, 100; more than 300 later is 450.
    assert report.iteration == 450
    assert seen == [80, 160, 240, 320, 400, 450]


class Collapsing(Scripted):
    """An engine whose map shrinks tenfold at every step of the first phase."""

    def __init__(self):
        super().__init__(lambda step: 1.0)
        self.placed = []

    def map_(self, *, before=False):
        spread = 1e-4 if self.placed else 1e-4 * 0.1 ** (self.steps - before)
        return np.array([[spread, 0], [-spread, 0]], np.float32)

    def set_embedding(self, map_):
        self.placed.append((self.steps, map_))


def test_a_collapsed_map_restarts():
    engine = Collapsing()
    start = engine.map_()
    run(engine)
    ((at, placed),) = engine.placed
    assert at == 100
    np.testing.assert_array_equal(placed, start)


class Placed(Scripted):
    """An engine that keeps the maps it is given."""

    def __init__(self, divergences):
        super().__init__(divergences)
        self.placed = []

    def set_embedding(self, map_):
        self.placed.append((self.steps, float(map_[0, 0])))


MILDER = (Phase(300, 1.5, 0.5, 1.0, is_early=True), Phase(600, 1.0, 0.8, 1.0))


@pytest.mark.parametrize(("width", "ends"), [(0.09, 600), (0.2, 350)])
def test_a_map_still_folded_at_100_continues_from_the_start_in_other_phases(width, ends):
    class Narrow(Placed):
        def map_(self, *, before=False):
            # Its standard deviation, 1e-4 at the start; it grows, if not by enough.
            return np.array([[width], [-width]], np.float32) * (1 if self.steps > 60 else 1e-3)

    engine = Narrow(lambda step: 10 - step / 1000)
    phases = (Phase(150, 12.0, 0.8, 1.0, is_early=True, instead=MILDER), Phase(350, 1.0, 0.95, 1.0))
    assert run(engine, phases=phases).iteration == ends
    # The check of iteration 100 is made in the course of the step after it.
    assert engine.restarts == ([0, 101, 300] if width < 0.1 else [0, 150])
    assert [at for at, _ in engine.placed] == ([101] if width < 0.1 else [])


@pytest.mark.parametrize(("rise", "ends"), [(0.004, 350), (0.006, 800)])
def test_a_rising_divergence_continues_from_the_map_before_in_other_phases(rise, ends):
    # Falls until 200, and is higher by a share at 250.
    engine = Placed(lambda step: 5 - step / 1000 if step < 250 else 4.8 * (1 + rise))
    slow = (Phase(800, 1.0, 0.8, 1.0),)
    phases = (
        Phase(150, 12.0, 0.8, 1.0, is_early=True),
        Phase(300, 1.0, 0.95, 1.0, instead=slow),
        Phase(350, 1.0, 0.8, 1.0),
    )
    assert run(engine, phases=phases, patience=1000).iteration == ends
    assert engine.restarts == ([0, 150, 300] if rise < 0.005 else [0, 150, 251])
    # The map of 200 steps; a scripted map holds their number.
    assert engine.placed == ([] if rise < 0.005 else [(251, 200.0)])


def test_progress_is_counted_over_all_phases_after_the_early_ones():
    phases = (*USUAL[:1], Phase(300, 1.0, 0.95, 1.0), Phase(1000, 1.0, 0.8, 1.0))
    engine = Scripted(float)
    # The minimum is at 100, in the second phase.
    assert run(engine, phases=phases).iteration == 450
    assert engine.restarts == [0, 100, 300]


def test_a_vanished_gradient_without_progress_is_no_end():
    # All points may lie together when the last phase begins: 300 iterations are left to part them.
    assert run(Scripted(lambda step: 1.0, norm=0.0)).iteration == 450


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("free_y", [0, 1])
@pytest.mark.parametrize("n", [1, 15, 16, 400, 403])
def test_steps_by_sixteen_equal_slow_twin(n, free_y, is_first):
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(14, -(-n // 16) * 16)).astype(np.float32)
    gains, velocities = rows[StateRow.X_GAIN :][:2], rows[StateRow.X_VELOCITY :][:2]
    gains[:] = rng.uniform(0.005, 3, size=gains.shape)
    rows[:2, n:], rows[2:, n:] = rows[:2, n - 1 : n], 0
    y, velocity, gain, pull, field, _, memory = (
        rows[i : i + 2, :n].astype(np.float64) for i in range(0, 14, 2)
    )
    sums = np.zeros((4, 7))
    push, settings = np.float32(0.01), tuple(map(np.float32, (12.0, 2.0, 0.8, 1.5, free_y)))
    for chunk in range(4):
        move(chunk, 4, n, is_first, rows.reshape(-1), push, settings, sums)
    filtered = field if is_first else 0.85 * field + memory
    g = 4 * (12 * pull + 0.01 * filtered)
    g[1] *= free_y
    gain = np.where(g * velocity < 0, gain + 0.2, np.maximum(gain * 0.8, 0.01))
    velocity = 0.8 * velocity - 2 * gain * g
    velocity *= np.minimum(1, 1.5 / np.linalg.norm(velocity, axis=0))
    y += velocity
    np.testing.assert_allclose(gains[:, :n], gain, rtol=1e-5)
    np.testing.assert_allclose(velocities[:, :n], velocity, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rows[:2, :n], y, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(rows[StateRow.PAIRS :][:2].reshape(-1, 2), rows[:2].T)
    memories = rows[StateRow.X_MEMORY :][:2]
    np.testing.assert_allclose(memories[:, :n], 0.85 * field - 0.7 * filtered, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(rows[:2, n:], np.repeat(rows[:2, n - 1 : n], len(rows[0]) - n, 1))
    np.testing.assert_allclose(sums[:, GRADIENT].sum(), (g**2).sum(), rtol=1e-5)
    bounds = (rows[0].min(), rows[0].max(), rows[1].min(), rows[1].max())
    assert _kernels_rules.bounds_of(sums) == bounds


def test_notch_filter_removes_alternating_fields():
    is_right, step = np.array([[1.0], [-2.0]]), np.arange(60)
    seen = []
    rows = np.zeros((14, 16), np.float32)
    for number in step:
        rows[: StateRow.X_FIELD] = 0
        rows[StateRow.X_FIELD :][:2] = is_right + 5 * (-1) ** number
        settings = tuple(map(np.float32, (1.0, 1.0, 0.0, 1e9, 1.0)))
        move(0, 1, 16, number == 0, rows.reshape(-1), np.float32(0.25), settings, np.zeros((1, 7)))
        # From gains of 0 at rest: 0 * 0.8, but no less than 0.01.
        seen.append(rows[StateRow.X_VELOCITY :][:2, 0] / -0.01)
    assert np.abs(seen[0] - is_right[:, 0]).max() == pytest.approx(5, rel=1e-4)
    np.testing.assert_allclose(seen[-1], is_right[:, 0], rtol=1e-4)


def test_stops_when_watch_returns_true():
    assert run(Scripted(lambda step: 1.0), lambda r: r.iteration == 50).iteration == 50
