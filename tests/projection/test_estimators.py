"""Estimators of scikit-learn, which is imported when something needs it."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

import unknot
from unknot.projection._estimators import random_of, validated

PREAMBLE = """
import sys
import numpy as np
import unknot
points = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
tsne = unknot.TSNE(perplexity=5, max_iter=30, early_exaggeration_iter=10, random_state=0)
assert "sklearn" not in sys.modules
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_fit_imports_neither_scikit_learn_nor_what_only_others_need():
    """Each of these takes longer to import than a small fit takes."""
    loaded = run(
        "tsne.fit(points)\n"
        "unneeded = {'sklearn', 'pandas', 'scipy.stats', 'jaxtyping', 'matplotlib', 'rich'}\n"
        "print(sorted(unneeded & set(sys.modules)))"
    )
    assert loaded == "[]\n"


def test_the_result_is_the_same_as_with_scikit_learn():
    program = "tsne.fit(points); print(tsne.embedding_.tobytes().hex(), tsne.n_features_in_)"
    assert run(program) == run("import sklearn.base\n" + program)


@pytest.mark.parametrize(
    "program",
    [
        "import sklearn.base; assert issubclass(unknot.TSNE, sklearn.base.BaseEstimator)",
        "from sklearn.base import TransformerMixin; assert isinstance(tsne, TransformerMixin)",
        "import sklearn; assert sklearn.clone(tsne).get_params() == tsne.get_params()",
        "from sklearn.base import BaseEstimator; assert isinstance(unknot.PCA(), BaseEstimator)",
        "import sklearn.base; assert sklearn.base.__spec__.loader is sklearn.base.__loader__\n"
        "assert type(sklearn.base.__loader__).__name__ == 'SourceFileLoader'",
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "assert make_pipeline(StandardScaler(), tsne).fit_transform(points).shape == (60, 2)",
        "assert tsne.get_params()['perplexity'] == 5",
        "assert tsne.set_params(perplexity=6) is tsne and tsne.perplexity == 6",
        "assert repr(unknot.PCA(3)) == 'PCA(n_components=3)'",
        "tsne.fit(points); assert list(tsne.get_feature_names_out()) == ['tsne0', 'tsne1']",
        "assert tsne.__sklearn_tags__().input_tags.sparse",
        "assert unknot.PCA().fit_transform(points).shape == (60, 2)",
        "import pickle; tsne.fit(points)\n"
        "assert (pickle.loads(pickle.dumps(tsne)).embedding_ == tsne.embedding_).all()",
        "import copy; assert copy.deepcopy(tsne).perplexity == 5",
        "tsne.fit(points); assert tsne.transform(points[:3]).shape == (3, 2)",
    ],
)
def test_it_is_an_estimator_whenever_scikit_learn_is_imported(program):
    run(program)


def test_a_subclass_of_a_user_is_what_scikit_learn_makes_of_it():
    run(
        "class Mine(unknot.TSNE, auto_wrap_output_keys=('transform',)):\n"
        "    def transform(self, X):\n"
        "        return super().transform(X)\n"
        "from sklearn.base import BaseEstimator\n"
        "assert issubclass(Mine, BaseEstimator)\n"
        "mine = Mine(perplexity=5, max_iter=30, random_state=0).set_output(transform='pandas')\n"
        "assert list(mine.fit(points).transform(points[:3]).columns) == ['mine0', 'mine1']"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("points[3, 2] = np.nan", "Input X contains NaN"),
        ("points[3, 2] = np.inf", "Input X contains infinity"),
        ("points = points[:1]", "minimum of 2 is required"),
        ("points = points[:, :0]", "0 feature"),
        ("points = points[0]", "Expected 2D array"),
    ],
)
def test_errors_of_the_input_are_scikit_learns(change, message):
    said = run(
        f"{change}\ntry:\n    tsne.fit(points)\nexcept ValueError as error:\n    print(error)"
    )
    assert message in said


def test_new_points_of_another_width_are_refused():
    said = run(
        "tsne.fit(points)\ntry:\n    tsne.transform(points[:, :5])\n"
        "except ValueError as error:\n    print(error)"
    )
    assert "X has 5 features, but TSNE is expecting 8 features" in said


def test_an_estimator_that_is_not_fitted_raises_scikit_learns_error():
    said = run(
        "try:\n    tsne.transform(points)\nexcept Exception as error:\n    print(type(error))"
    )
    assert "sklearn.exceptions.NotFittedError" in said


def test_in_this_process_they_are_subclasses():
    for cls in (unknot.TSNE, unknot.PCA):
        assert issubclass(cls, BaseEstimator)
        assert issubclass(cls, TransformerMixin)


def test_a_large_sum_of_finite_numbers_is_finite(monkeypatch):
    monkeypatch.setattr("unknot.projection._estimators._BASE", "not.imported")
    points = np.full((4, 3), 3e38, np.float32)
    estimator = unknot.PCA()
    assert validated(estimator, points) is points
    assert estimator.n_features_in_ == 3


def test_seeds():
    generator = np.random.RandomState(3)
    assert random_of(generator) is generator
    assert random_of(7).random() == np.random.RandomState(7).random()
    assert random_of(np.int64(7)).random() == random_of(7).random()
    assert random_of(None) is np.random.mtrand._rand
    with pytest.raises(ValueError, match="cannot be used to seed"):
        random_of("seed")
