"""Points of every type, shape, layout and offset: the right number, or one clear error."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import unknot
from unknot import metrics
from unknot.figures import layer_strip

LABELS = np.arange(24) % 2
# Small whole numbers, of which every type holds each: two groups, none of them of one shape.
POINTS = np.random.default_rng(3).integers(0, 9, size=(24, 2)) + 20 * LABELS[:, None]
MAP = POINTS.astype(np.float32)

ENTRIES = {
    "neighborhood_hit": lambda x: metrics.neighborhood_hit(x, LABELS, k=3),
    "neighbor_confusion": lambda x: metrics.neighbor_confusion(x, LABELS, k=3),
    "distance_consistency": lambda x: metrics.distance_consistency(x, LABELS),
    "silhouette": lambda x: metrics.silhouette(x, LABELS),
    "davies_bouldin": lambda x: metrics.davies_bouldin(x, LABELS),
    "calinski_harabasz": lambda x: metrics.calinski_harabasz(x, LABELS),
    "nc1": lambda x: metrics.nc1(x, LABELS),
    "nc2": lambda x: metrics.nc2(x, LABELS),
    "class_distance_variance": lambda x: metrics.class_distance_variance(x, LABELS),
    "linear_probe": lambda x: metrics.linear_probe(x, LABELS, n_folds=2),
    "manifold_capacity": lambda x: metrics.manifold_capacity(x, LABELS, n_draws=4, random_state=0),
    "two_nn": metrics.two_nn,
    "participation_ratio": metrics.participation_ratio,
    "convex_hulls": lambda x: metrics.convex_hulls(x, LABELS),
    "peeled_hulls": lambda x: metrics.peeled_hulls(x, LABELS, 0.5),
    "best_ellipses": lambda x: metrics.best_ellipses(x, LABELS),
    "trustworthiness": lambda x: metrics.trustworthiness(x, MAP, 3),
    "continuity of the map": lambda x: metrics.continuity(MAP, x, 3),
    "class_trustworthiness": lambda x: metrics.class_trustworthiness(x, MAP, LABELS, 3),
    "class_continuity": lambda x: metrics.class_continuity(MAP, x, LABELS, 3),
    "label_trustworthiness": lambda x: metrics.label_trustworthiness(x, MAP, LABELS),
    "label_continuity": lambda x: metrics.label_continuity(MAP, x, LABELS),
    "linear_cka": lambda x: metrics.linear_cka(x, MAP),
    "measure": lambda x: (
        metrics.measure(
            x, LABELS, x, ["nc1", "map_silhouette"], k=3, n_resamples=2, n_permutations=2
        )["nc1"].value
    ),
    "nearest_neighbors": lambda x: unknot.nearest_neighbors(x, 3).distances.sum(),
    "PCA": lambda x: unknot.PCA(1).fit(x).explained_variance_ratio_[0],
    "TSNE": lambda x: _neighbors_of_map(x),
    "extract": lambda x: np.ptp(unknot.extract({"a": x}, None, progress=False)["a"], axis=0).sum(),
}


def _neighbors_of_map(points):
    return unknot.TSNE(perplexity=3, max_iter=1, random_state=0).fit(points).graph_.distances.sum()


@pytest.fixture(autouse=True)
def _notes_are_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.MeasureWarning)
        warnings.filterwarnings("ignore", ".* lie nearer to others than float32", UserWarning)
        yield


def expected(name):
    return float(ENTRIES[name](MAP))


def outcome(entry, given):
    """Return what an entry returns, or None, and what its error says."""
    try:
        return entry(given), ""
    except (ValueError, TypeError) as error:
        return None, str(error)


def torch_tensors():
    torch = pytest.importorskip("torch")
    x = torch.tensor(POINTS)
    return [
        x.double().requires_grad_(),
        x.half(),
        x.bfloat16(),
        x.to_sparse(),
        list(x.double().requires_grad_()),
    ]


def jax_arrays():
    numpy = pytest.importorskip("jax.numpy")
    return [numpy.asarray(POINTS, dtype) for dtype in (numpy.float32, numpy.bfloat16)]


FORMS = {
    "sparse": lambda: [
        make(POINTS)
        for form in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
        for make in (getattr(sp, f"{form}_array"), getattr(sp, f"{form}_matrix"))
    ],
    "frames": lambda: [
        pd.DataFrame(POINTS),
        *(pd.DataFrame(POINTS).astype(kind) for kind in ("Float32", "Int64", object)),
        pd.DataFrame(POINTS).astype({0: "Int64", 1: "float32"}),
    ],
    "objects": lambda: [
        POINTS.tolist(),
        tuple(map(tuple, POINTS.tolist())),
        list(MAP),
        memoryview(POINTS),
        [[Decimal(v) for v in row] for row in POINTS.tolist()],
        [[Fraction(v, 1) for v in row] for row in POINTS.tolist()],
        np.ma.array(POINTS),
    ],
    "layouts": lambda: [
        np.asfortranarray(MAP),
        MAP[::-1][::-1],
        MAP.astype(">f4"),
        np.frombuffer(b"x" + MAP.tobytes(), np.uint8)[1:].view(np.float32).reshape(MAP.shape),
        np.frombuffer(MAP.tobytes(), np.float32).reshape(MAP.shape),
        *(POINTS.astype(kind) for kind in ("i1", "u2", "f2", "g", ">i8", ">f8")),
    ],
    "torch": torch_tensors,
    "jax": jax_arrays,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name", ["silhouette", "convex_hulls", "nearest_neighbors", "PCA", "TSNE", "extract"]
)
def test_every_form_of_the_same_points_gives_the_same(name, form):
    # Others take their points by the same functions: see the test of refusals for all.
    for points in FORMS[form]():
        assert float(ENTRIES[name](points)) == pytest.approx(expected(name), rel=1e-5)


MASKED = np.ma.masked_greater(MAP, 25)
REFUSED = {
    "masked": (MASKED, "masked entries.*filled"),
    "masked rows in a list": (list(MASKED), "masked entries"),
    "a masked entry in a list": ([[np.ma.masked, 1.0], *MAP[1:].tolist()], "masked entries"),
    "missing in a frame": (pd.DataFrame(MAP).astype("Float32").mask(MAP > 25), "missing|NaN"),
    "complex": (MAP.astype(complex), "real numbers|Complex"),
    "strings": (POINTS.astype(str), "real numbers|strings"),
    "objects that are strings": (POINTS.astype(str).astype(object), "real numbers; got str"),
    "dates": (POINTS.astype("datetime64[s]"), "real numbers"),
    "rows of different lengths": ([[1, 2], [3]], "inhomogeneous"),
    "a set": ({1, 2}, "array-like; got set|2D array"),
    "NaN": (np.where(MAP > 25, np.nan, MAP), "finite|NaN|infinity"),
    "infinite": (np.where(MAP > 25, np.inf, MAP), "finite|infinity"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_points_is_refused_by_every_entry(kind):
    points, message = REFUSED[kind]
    for entry in ENTRIES.values():
        with pytest.raises((ValueError, TypeError), match=message):
            entry(points)


def test_figures_refuse_a_mask_and_draw_maps_far_from_0():
    with pytest.raises(ValueError, match="masked"):
        layer_strip({"a": MASKED}, LABELS)
    (near,), (far,) = (
        layer_strip({"a": POINTS + offset}, LABELS).axes[0].collections for offset in (0.0, 1e9)
    )
    np.testing.assert_allclose(far.get_offsets() - 1e9, near.get_offsets(), atol=1e-5)


@settings(max_examples=40)
@given(
    points=arrays.arrays(
        st.sampled_from(["f2", "f4", "f8", "i1", "i4", "i8", "u8", "?", "c8", "U2", "O"]),
        st.sampled_from([(24, 2), (24,), (0, 2), (24, 0), (2, 2, 2), ()]),
    ),
    name=st.sampled_from(sorted(ENTRIES.keys() - {"TSNE", "measure"})),
)
def test_any_array_gives_a_finite_number_or_one_error(points, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.MeasureWarning)
        warnings.filterwarnings("ignore", ".* lie nearer to others than float32", UserWarning)
        found, error = outcome(ENTRIES[name], points)
    assert 0 < len(error) < 900 if found is None else np.isfinite(float(found))
