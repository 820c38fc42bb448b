import numpy as np
import pytest

from unknot._io.stored_points import StoredPoints
from unknot.metrics import MeasureWarning, UndefinedMeasureError, soft_nearest_neighbor_loss
from unknot.metrics.entanglement import soft_nearest_neighbor_loss_from_points


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_loss(points, labels, temperature=None):
    """The definition, from the matrix of all distances."""
    squares = ((points[:, None] - points) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    if temperature is None:
        temperature = np.median(squares.min(axis=1))
    weights = np.exp(-squares / temperature)
    same = labels[:, None] == labels
    return -np.log((weights * same).sum(axis=1) / weights.sum(axis=1))


@pytest.mark.parametrize("temperature", [None, 0.3, 50.0])
def test_it_is_the_definition(rng, temperature):
    labels = rng.integers(0, 3, size=150)
    points = rng.normal(size=(150, 4)) + np.eye(3, 4)[labels]
    found = soft_nearest_neighbor_loss(points, labels, temperature)
    expected = slow_loss(points.astype(np.float32).astype(float), labels, temperature)
    np.testing.assert_allclose(found.per_point, expected, rtol=1e-6, atol=1e-9)
    assert found.value == pytest.approx(expected.mean(), rel=1e-6)
    assert found.per_class[2] == pytest.approx(expected[labels == 2].mean(), rel=1e-6)


def test_far_points_do_not_underflow():
    # Squared distances of 0: 1e8 to its class, 1 to the other: log(e^-1e8 / e^-1) in essence.
    points = [[0.0], [1.0], [1e4], [1e4 + 1.0]]
    found = soft_nearest_neighbor_loss(points, [0, 1, 0, 1], temperature=1.0)
    assert found.per_point[0] == pytest.approx(1e8 - 1.0, rel=1e-6)
    assert found.per_point[3] == pytest.approx((1e4) ** 2 - 1.0, rel=1e-6)


def test_a_high_temperature_gives_the_shares_of_the_classes(rng):
    # All weights are 1: log((N - 1) / (n_c - 1)) with 30 and 10 points.
    labels = np.repeat([0, 1], [30, 10])
    found = soft_nearest_neighbor_loss(rng.normal(size=(40, 3)), labels, temperature=1e12)
    np.testing.assert_allclose(found.per_class, [np.log(39 / 29), np.log(39 / 9)], rtol=1e-6)


def test_shuffled_labels_lose_the_entropy_or_more(rng):
    labels = rng.permutation(np.arange(900) % 9)
    assert soft_nearest_neighbor_loss(rng.normal(size=(900, 3)), labels).value > np.log(9)


def test_it_ignores_position_unit_order_and_names(rng):
    labels = rng.integers(0, 3, size=100)
    points = rng.normal(size=(100, 4)) + 2 * np.eye(3, 4)[labels]
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    order = rng.permutation(100)
    found = soft_nearest_neighbor_loss(points, labels)
    moved = soft_nearest_neighbor_loss(
        ((points @ turn) * 30 + 100)[order], np.array(["q", "r", "s"])[labels[order]]
    )
    np.testing.assert_allclose(moved.per_point, found.per_point[order], rtol=1e-3, atol=1e-5)
    assert moved.temperature == pytest.approx(900 * found.temperature, rel=1e-4)


def test_a_sample_estimates_the_whole_and_says_so(rng):
    labels = rng.integers(0, 3, size=2000)
    points = rng.normal(size=(2000, 4)) + np.eye(3, 4)[labels]
    whole = soft_nearest_neighbor_loss(points, labels, 1.0, max_samples=None)
    with pytest.warns(MeasureWarning, match="estimated from 500 of 2000 points, a stratified"):
        part = soft_nearest_neighbor_loss(points, labels, 1.0, max_samples=500)
    # A standard deviation of about .8 a point: .04 for 500.
    assert part.value == pytest.approx(whole.value, abs=0.12)
    np.testing.assert_allclose(part.per_point, whole.per_point[part.samples], rtol=1e-9)


def test_the_same_seed_gives_the_same_for_any_number_of_threads(rng):
    points, labels = rng.normal(size=(1500, 6)), np.arange(1500) % 3
    one, three = (
        soft_nearest_neighbor_loss(points, labels, max_samples=None, n_jobs=jobs) for jobs in (1, 3)
    )
    np.testing.assert_array_equal(one.per_point, three.per_point)


def test_points_on_disk_give_the_same(rng, tmp_path):
    points, labels = rng.normal(size=(300, 8)).astype(np.float32), np.arange(300) % 3
    np.save(tmp_path / "points.npy", points)
    stored = StoredPoints(np.load(tmp_path / "points.npy", mmap_mode="r"), max_memory=2000)
    found = soft_nearest_neighbor_loss_from_points(stored, labels, np.arange(3), 2.0)
    expected = soft_nearest_neighbor_loss(points, labels, 2.0)
    np.testing.assert_allclose(found.per_point, expected.per_point, rtol=1e-6, atol=1e-12)


def test_classes_of_one_point_are_left_out_and_named(rng):
    points = rng.normal(size=(21, 3))
    with pytest.warns(MeasureWarning, match="1 of 3 classes have one point.*: 7"):
        found = soft_nearest_neighbor_loss(points, [0, 1] * 10 + [7])
    assert 20 not in found.samples
    assert np.isnan(found.per_class[2])


def test_more_classes_than_can_be_sampled_are_drawn(rng):
    labels = np.repeat(np.arange(600), 4)
    with pytest.warns(MeasureWarning) as warned:
        found = soft_nearest_neighbor_loss(rng.normal(size=(2400, 2)), labels, max_samples=50)
    assert "that of 500 of 600 classes, drawn at random" in str(warned[0].message)
    assert "from 1000 of 2000 points" in str(warned[1].message)
    assert np.isnan(found.per_class).sum() == 100


def test_duplicates_leave_no_default_temperature():
    points = np.repeat(np.eye(3), 4, axis=0)
    labels = np.arange(12) % 2
    with pytest.raises(UndefinedMeasureError, match=r"more than half of the points.*Pass"):
        soft_nearest_neighbor_loss(points, labels)
    # At each place two points of each class: one of three others is of the class.
    found = soft_nearest_neighbor_loss(points, labels, temperature=1e-3)
    np.testing.assert_allclose(found.per_point, np.log(3), rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "match"),
    [([0, 0, 0], "needs at least 2 of them"), ([0, 1, 2], "none of the 3 classes has two points")],
)
def test_without_a_pair_it_is_undefined(labels, match):
    with pytest.raises(UndefinedMeasureError, match=match):
        soft_nearest_neighbor_loss(np.eye(3), labels)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan])
def test_a_bad_temperature_is_named(temperature):
    with pytest.raises(ValueError, match="temperature must be a number above 0; got"):
        soft_nearest_neighbor_loss(np.eye(4), [0, 0, 1, 1], temperature)


def test_a_bad_limit_is_named():
    with pytest.raises(ValueError, match="max_samples must be an integer of at least 2, or None"):
        soft_nearest_neighbor_loss(np.eye(4), [0, 0, 1, 1], max_samples=1)
