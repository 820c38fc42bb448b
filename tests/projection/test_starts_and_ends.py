"""Given starts, maps without clusters, results of callbacks, and the end of the progress bar."""

import io
import re
from contextlib import redirect_stdout

import numpy as np
import pytest

import unknot
from unknot.projection._schedule import schedule

POINTS = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
START = np.random.default_rng(1).normal(size=(120, 2))


def quick(**options):
    return unknot.TSNE(**{"perplexity": 10, "random_state": 0, "max_iter": 200, **options})


# The table in docs/tsne.md has more of them; scikit-learn's maps end at 1.907, 1.516 and 2.445.
@pytest.mark.parametrize(("n", "below"), [(500, 1.88), (300, 1.49), (1000, 2.40)])
def test_points_without_clusters(n, below):
    points = np.random.default_rng(0).normal(size=(n, 20)).astype(np.float32)
    assert unknot.TSNE(random_state=0).fit(points).kl_divergence_ < below


def all_phases(phases):
    """The phases and all that may replace them."""
    for phase in phases:
        yield phase
        yield from all_phases(phase.instead)


def test_a_rate_that_is_given_is_that_of_every_phase():
    phases = list(all_phases(schedule(quick(learning_rate=70.0), 120)))
    assert [phase.learning_rate for phase in phases] == [70.0] * 6
    # 1200 / 12 and 1200 / 1.5, a quarter of both, and 1200.
    early, *late = schedule(quick(), 1200)
    assert early.learning_rate == 25.0
    assert [phase.learning_rate for phase in early.instead] == [200.0, 1200.0]
    assert [phase.learning_rate for phase in all_phases(late)] == [1200.0] * 3
    assert schedule(quick(early_exaggeration=1.5), 120)[0].instead == ()


@pytest.mark.parametrize(
    ("settings", "ends", "milder"),
    [
        # Early, with high momentum, settling; the milder early phase and the slow one.
        ({"max_iter": 1000}, [150, 300, 350], [250, 1000]),
        ({"max_iter": 2000}, [150, 500, 550], [250, 2000]),
        ({"max_iter": 300}, [150, 250, 300], [150, 300]),
        ({"max_iter": 60}, [30, 30, 60], [30, 60]),
        ({"max_iter": 1}, [0, 0, 1], [0, 1]),
        ({"max_iter": 1000, "early_exaggeration_iter": 0}, [0, 175, 225], [0, 1000]),
        ({"max_iter": 1000, "early_exaggeration_iter": 500}, [150, 300, 350], [500, 1000]),
    ],
)
def test_when_the_phases_end(settings, ends, milder):
    phases = schedule(quick(**settings), 1000)
    assert [phase.end for phase in phases] == ends
    assert [phase.end for phase in phases[0].instead] == milder
    assert [phase.end for phase in phases[1].instead] == [settings["max_iter"]]
    assert [phase.momentum for phase in phases] == [0.8, 0.95, 0.8]
    assert [phase.is_early for phase in phases] == [True, False, False]


def test_points_in_clusters_need_fewer_iterations():
    rng = np.random.default_rng(4)
    points = rng.normal(scale=3, size=(12, 20))[np.arange(400) % 12] + rng.normal(size=(400, 20))
    tsne = unknot.TSNE(random_state=0).fit(points)
    more = unknot.TSNE(random_state=0, max_iter=2000).fit(points)
    assert (tsne.n_iter_, more.n_iter_) == (350, 550)
    assert more.kl_divergence_ < tsne.kl_divergence_ + 1e-3
    # scikit-learn 1.9.1 ends at 0.0529 after 1000 iterations.
    assert tsne.kl_divergence_ < 0.0529
    assert unknot.TSNE(random_state=0).fit(rng.normal(size=(400, 20))).n_iter_ > 350


@pytest.mark.parametrize("method", ["exact", "mesh"])
@pytest.mark.parametrize("size", [1e3, 1e30, 1e300, 1e-12, 1e-30, 1e-300])
def test_a_start_of_any_size(size, method):
    usual = quick(init=START * 1e-4, method=method).fit(POINTS).kl_divergence_
    tsne = quick(init=START * size, method=method).fit(POINTS)
    assert np.isfinite(tsne.embedding_).all()
    # From far apart, not all neighbors meet.
    assert tsne.kl_divergence_ < usual + (0.1 if size < 1 else 1)


@pytest.mark.parametrize("offset", [1e6, -1e12])
def test_an_offset_of_the_start_does_not_matter(offset):
    tsne = quick(init=START + offset).fit(POINTS)
    assert tsne.kl_divergence_ == pytest.approx(quick(init=START).fit(POINTS).kl_divergence_, 0.1)


def test_equal_positions_separate():
    for start in (np.full((120, 2), 7.0), START * [1, 0]):
        assert quick(init=start).fit(POINTS).embedding_.std(axis=0).min() > 1


def test_layout_and_type_of_the_start_do_not_matter():
    start = START.astype(np.float16)
    map_ = quick(init=start).fit_transform(POINTS)
    for same in (np.asfortranarray(start), start[::-1][::-1], start.tolist()):
        np.testing.assert_array_equal(quick(init=same).fit_transform(POINTS), map_)


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        (np.full((120, 2), np.inf), ValueError, "init must be finite"),
        (START + 1j, TypeError, "init must hold real numbers"),
        (START.astype(str), TypeError, "init must hold real numbers"),
        (None, TypeError, "init must be .pca., .random. or an array"),
        (START[:, :1], ValueError, "init must have the shape"),
        (np.ma.masked_greater(START, 1), ValueError, "init has [0-9]+ masked entries"),
    ],
)
def test_invalid_starts_raise(start, error, message):
    with pytest.raises(error, match=message):
        quick(init=start).fit(POINTS)


@pytest.mark.filterwarnings("ignore:perplexity .* is more than:UserWarning")
@pytest.mark.parametrize("n_components", [1, 2])
@pytest.mark.parametrize("n", [2, 3, 4, 10, 50])
def test_few_points_are_summed_exactly(n, n_components):
    fits = [
        quick(method=method, n_components=n_components, perplexity=1e6).fit(POINTS[:n])
        for method in ("mesh", "exact")
    ]
    assert fits[0].method_ == "exact"
    assert fits[0].kl_divergence_ == fits[1].kl_divergence_ >= 0
    assert quick(method="mesh", max_iter=1).fit(POINTS).method_ == "mesh"


class Frame:
    """An object whose truth value is ambiguous, as in pandas."""

    def __bool__(self):
        raise ValueError("The truth value of a Frame is ambiguous")


@pytest.mark.parametrize("answer", [np.zeros(3), np.zeros((2, 2)), np.ones(0), np.ones(1), Frame()])
def test_an_answer_without_a_truth_value(answer):
    with pytest.raises(TypeError, match="truth value is ambiguous"):
        quick(callback=lambda *told: answer).fit(POINTS)


@pytest.mark.parametrize(
    ("answer", "n_iter"), [(None, 200), (np.False_, 200), (0, 200), (np.True_, 50), (1, 50)]
)
def test_an_answer_with_a_truth_value(answer, n_iter):
    assert quick(callback=lambda *told: answer).fit(POINTS).n_iter_ == n_iter


def test_the_bar_is_full_when_a_fit_ends_early():
    out = io.StringIO()
    with redirect_stdout(out):
        quick(progress=True, callback=lambda i, kl, map_: i == 100).fit(POINTS)
    assert re.findall(r"\d+/\d+", out.getvalue())[-1] == "100/100"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_no_bar_is_left_by_an_error(error):
    def fail(*told):
        raise error

    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(error):
        quick(progress=True, callback=fail).fit(POINTS)
    assert "/200" not in out.getvalue()


@pytest.mark.parametrize("n_features", [4, 20, 100])
@pytest.mark.parametrize("size", [1e16, 1e25, 1e36])
def test_new_points_far_away(n_features, size):
    points = np.random.default_rng(2).normal(size=(120, n_features)).astype(np.float32)
    new = np.concatenate([points[:3] * np.float32(size), points[:3] + np.float32(0.1)])
    tsne = quick().fit(points)
    places = tsne.transform(new)
    assert np.isfinite(places).all()
    np.testing.assert_array_equal(places[3:], tsne.transform(new[3:]))
    found, _ = unknot.neighbors._search.neighbors_among(new, points, 5, "euclidean", 1)
    away = ((new[:, None].astype(np.float64) - points) ** 2).sum(axis=-1)
    true = np.argsort(away, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(found[3:], true[3:])
    # Far away, float64 cannot distinguish the points: all are equally near.
    for row, nearest in zip(away[:3], found[:3], strict=True):
        assert row[nearest].max() <= np.sort(row)[4] * (1 + 1e-12)
