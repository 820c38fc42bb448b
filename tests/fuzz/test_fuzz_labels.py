"""Labels of every kind: the classes they mean, or one clear error and no warning."""

import datetime
import enum
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import unknot
from unknot import metrics
from unknot._validation.points import check_labels
from unknot.figures import layer_strip
from unknot.studies._pipeline.data import take_data
from unknot.studies._pipeline.sources import Reading

CODES = np.arange(12) % 2
POINTS = (np.random.default_rng(0).normal(size=(12, 2)) + 9 * CODES[:, None]).astype(np.float32)


class Animal(enum.Enum):
    CAT = 1
    DOG = 2


def two(first, second):
    """Labels of which every other is the second."""
    return [second if code else first for code in CODES]


GOOD = {
    "integers": (CODES, [0, 1]),
    "booleans": (CODES > 0, [False, True]),
    "whole floats": (two(-1.0, 3.0), [-1, 3]),
    "half precision": (np.array(two(1, 2), np.float16), [1, 2]),
    "large unsigned": (np.array(two(2**63, 2**64 - 1), np.uint64), [2**63, 2**64 - 1]),
    "large in a list": (two(2**63, 2**63 + 1), [2**63, 2**63 + 1]),
    "least and greatest": (two(-(2**63), 2**63 - 1), [-(2**63), 2**63 - 1]),
    "other byte order": (CODES.astype(">i4"), [0, 1]),
    "strings": (two("cat", "dog"), ["cat", "dog"]),
    "bytes": (two(b"cat", "dög".encode()), ["cat", "dög"]),
    "array of bytes": (np.array(two(b"cat", b"dog")), ["cat", "dog"]),
    "objects": (np.array(two("cat", "dog"), object), ["cat", "dog"]),
    "integer objects": (CODES.astype(object), [0, 1]),
    "nullable": (pd.Series(CODES).astype("Int64"), [0, 1]),
    "nullable booleans": (pd.Series(CODES > 0).astype("boolean"), [False, True]),
    "categories": (pd.Categorical(two("cat", "dog")), ["cat", "dog"]),
    "series of strings": (pd.Series(two("cat", "dog")).astype("string"), ["cat", "dog"]),
    "nothing masked": (np.ma.array(CODES), [0, 1]),
}
if hasattr(np.dtypes, "StringDType"):  # NumPy 2
    GOOD["variable strings"] = (np.array(two("a", "b"), np.dtypes.StringDType()), ["a", "b"])

BAD = {
    "infinite": (two(np.inf, 1.0), ValueError, "6 infinite values"),
    "NaN": (two(np.nan, 1.0), ValueError, "6 missing values"),
    "2**53": (two(2.0**53, 1.0), ValueError, "below 9007199254740992"),
    "far beyond": (two(1e16, 2e300), ValueError, "below 9007199254740992"),
    "2**24 in float32": (np.array(two(2.0**24, 1), np.float32), ValueError, "below 16777216"),
    "more than 64 bits": (two(2**64, 1), ValueError, "integers of 64 bits"),
    "signed and unsigned": (two(-1, 2**63), ValueError, "integers of 64 bits"),
    "fractions": (two(0.5, 1.0), TypeError, "fractions such as 0.5"),
    "None": (two("a", None), ValueError, "6 missing values"),
    "None among integers": (two(1, None), ValueError, "6 missing values"),
    "NaN among strings": (two("a", np.nan), ValueError, "6 missing values"),
    "NA": (pd.Series(two(1, None)).astype("Int64"), ValueError, "6 missing values"),
    "missing strings": (pd.Series(two("a", None)).astype("string"), ValueError, "6 missing"),
    "missing categories": (pd.Categorical(two("a", None)), ValueError, "6 missing values"),
    "masked": (np.ma.array(CODES, mask=CODES > 0), ValueError, "6 masked entries"),
    "masked in a list": ([np.ma.masked, *CODES[1:]], ValueError, "1 masked entries"),
    "several kinds": (two("a", 1), TypeError, "all strings or all integers; got int, str"),
    "bytes and strings": (two(b"a", "b"), TypeError, "got bytes, str"),
    "no UTF-8": (two(b"\xff", b"b"), ValueError, "not UTF-8"),
    "dates": (np.array(CODES, "datetime64[D]"), TypeError, "astype"),
    "dates in a list": (two(datetime.date(2020, 1, 1), datetime.date.max), TypeError, "got date"),
    "decimals": (two(Decimal(1), Decimal(2)), TypeError, "got Decimal"),
    "members of an enumeration": (two(Animal.CAT, Animal.DOG), TypeError, "got Animal"),
    "complex": (CODES + 0j, TypeError, "got dtype complex128"),
    "one-hot": (np.eye(2)[CODES], ValueError, "argmax"),
    "sparse": (sp.csr_array(CODES[None]), TypeError, "sparse"),
    "too few": (CODES[:-1], ValueError, "one label"),
    "one string": ("abc", ValueError, "one label a sample; got str"),
    "a number": (3, ValueError, "one label a sample; got int"),
    "rows of different lengths": ([[1], [1, 2]] * 6, ValueError, "same length"),
}

ENTRIES = {
    "neighborhood_hit": lambda y: metrics.neighborhood_hit(POINTS, y, k=3),
    "silhouette": lambda y: metrics.silhouette(POINTS, y),
    "convex_hulls": lambda y: metrics.convex_hulls(POINTS, y),
    "class_continuity": lambda y: metrics.class_continuity(POINTS, POINTS, y, k=3),
    "label_continuity": lambda y: metrics.label_continuity(POINTS, POINTS, y),
    "measure": lambda y: metrics.measure(POINTS, y, measures="nc2", n_permutations=0).to_json(),
    "load_dataset": lambda y: unknot.load_dataset((POINTS, y)),
    "study": lambda y: take_data((POINTS, y), reading=Reading(ignore_labels=())),
    "layer_strip": lambda y: layer_strip({"a": POINTS}, y),
}


@pytest.mark.parametrize("kind", GOOD)
def test_labels_are_the_classes_they_mean(kind):
    labels, classes = GOOD[kind]
    codes, found = check_labels(labels, 12)
    assert codes.tolist() == CODES.tolist()
    assert found.tolist() == classes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.MeasureWarning)
        for entry in ENTRIES.values():
            entry(labels)


def test_a_set_has_no_order():
    with pytest.raises(TypeError, match="labels must be array-like; got set"):
        check_labels({0, 1})


def test_labels_may_be_tensors():
    torch = pytest.importorskip("torch")
    for labels in (torch.tensor(CODES), torch.tensor(CODES * 1.0, requires_grad=True)):
        assert check_labels(labels, 12)[0].tolist() == CODES.tolist()
    assert check_labels(list(torch.tensor(CODES)), 12)[1].tolist() == [0, 1]


MISSING = (
    "NaN", "None", "None among integers", "NaN among strings", "NA", "missing strings",
    "missing categories", "masked", "masked in a list",
)  # fmt: skip
# A study leaves missing labels out, takes one-hot rows as classes, and tells sparse ones in its own
# way; it takes numbers, as measures do.
TAKEN = {
    **dict.fromkeys(MISSING, ("study", "layer_strip")),
    "fractions": ("study", "measure"),
    "one-hot": ("study",),
    "sparse": ("study",),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_labels_is_refused_by_every_entry(kind):
    labels, error, message = BAD[kind]
    for name, entry in ENTRIES.items():
        if name in TAKEN.get(kind, ()):
            continue
        # A data set's errors are of one class; they say the same.
        wanted = unknot.datasets.DatasetError if name == "load_dataset" else error
        if kind == "too few":
            message = "labels"
        with pytest.raises(wanted, match=message):
            entry(labels)


def outcome(labels):
    """Return the codes and classes, or None, and what the error says."""
    try:
        return check_labels(labels, len(labels)), ""
    except (ValueError, TypeError) as error:
        return None, str(error)


ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.decimals(),
)


@settings(max_examples=100)
@given(st.lists(ANY, min_size=1, max_size=4))
def test_any_list_of_labels_is_told_apart_or_refused(labels):
    found, error = outcome(labels)
    if found is None:
        assert 0 < len(error) < 900
        return
    codes, classes = found
    assert len(classes) == codes.max() + 1
    for first, own in zip(labels, codes, strict=True):
        for second, other in zip(labels, codes, strict=True):
            same = own == other
            if isinstance(first, str | bytes):
                # NumPy's strings do not keep NUL at their ends.
                nul = "\0" if isinstance(first, str) else b"\0"
                assert same == (first.rstrip(nul) == second.rstrip(nul))
            else:
                assert same == (first == second)
