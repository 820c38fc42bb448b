"""Models of scikit-learn: what a pipeline's steps and a network's layers give."""

import numpy as np
import pytest

import unknot
from unknot.representations import extract, untrained

pytest.importorskip("sklearn")
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    return (rng.normal(size=(90, 5)) + 2 * labels[:, None]).astype(np.float32), labels


def network(**options):
    return MLPClassifier((8, 6), solver="lbfgs", max_iter=2000, random_state=0, **options)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_layers_of_a_network(data, activation):
    inputs, labels = data
    model = network(activation=activation).fit(inputs, labels)
    found = extract(model, inputs, "all", batch_size=40, progress=False)
    assert list(found) == ["hidden_1", "hidden_2", "output"]
    first = inputs @ model.coefs_[0] + model.intercepts_[0]
    by_hand = {
        "relu": np.maximum(first, 0),
        "tanh": np.tanh(first),
        "logistic": 1 / (1 + np.exp(-first)),
        "identity": first,
    }[activation]
    np.testing.assert_allclose(found["hidden_1"], by_hand, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["output"], model.predict_proba(inputs), atol=1e-6)
    np.testing.assert_allclose(found.output, model.predict_proba(inputs), atol=1e-6)


def test_a_network_of_two_classes_and_a_regression(data):
    inputs, labels = data
    model = network().fit(inputs, labels > 0)
    found = extract(model, inputs, "all", progress=False)
    assert found["output"].shape == (90, 1)
    np.testing.assert_allclose(found.output, model.predict_proba(inputs), atol=1e-6)
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", random_state=0)
    model.fit(inputs, inputs[:, 0])
    found = extract(model, inputs, "all", progress=False)
    np.testing.assert_allclose(found["output"][:, 0], model.predict(inputs), atol=1e-5)


def test_steps_of_a_pipeline(data):
    inputs, labels = data
    inner = make_pipeline(StandardScaler(), PCA(3))
    model = make_pipeline(inner, "passthrough", network()).fit(inputs, labels)
    found = extract(model, inputs, "all", progress=False)
    names = ["pipeline.standardscaler", "pipeline.pca"]
    network_names = [f"mlpclassifier.{name}" for name in ("hidden_1", "hidden_2", "output")]
    assert list(found) == names + network_names
    np.testing.assert_allclose(found["pipeline.pca"], model[0].transform(inputs), atol=1e-5)
    np.testing.assert_allclose(found.output, model.predict_proba(inputs), atol=1e-5)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, labels)
    found = extract(model, inputs, "all", progress=False)
    assert list(found) == ["standardscaler", "logisticregression"]
    np.testing.assert_allclose(found.output, model.predict_proba(inputs), atol=1e-6)


def test_a_study_with_its_control(data):
    inputs, labels = data
    model = network().fit(inputs, labels)
    options = {"measures": "neighborhood_hit", "max_iter": 250, "progress": False}
    study = unknot.study(model, (inputs, labels), **options)
    assert study.accuracy == pytest.approx(model.score(inputs, labels))
    assert study.settings["control"] == "scikit-learn's initialization of neural networks"
    assert set(study.controls["untrained"]) >= {"hidden_1", "hidden_2", "output"}


def test_the_control_is_drawn_as_fit_draws():
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(60, 40)), np.arange(60) % 2
    model = MLPClassifier((50,), max_iter=1, random_state=0)
    with pytest.warns(Warning, match="converge"):
        model.fit(inputs, labels)
    model.coefs_[0] += 5
    fresh = untrained(model, 1)
    bound = np.sqrt(6 / 90)
    assert np.abs(fresh.coefs_[0]).max() <= bound
    assert fresh.coefs_[0].std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
    assert model.coefs_[0].mean() == pytest.approx(5, abs=0.1)  # left alone


def test_controls_that_cannot_be_drawn(data):
    inputs, labels = data
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, labels)
    with pytest.raises(ValueError, match="holds no neural network"):
        untrained(model)
    model = make_pipeline(LinearDiscriminantAnalysis(), network()).fit(inputs, labels)
    with pytest.raises(ValueError, match="learns from the labels"):
        untrained(model)


def test_what_is_not_fitted_or_no_model(data):
    with pytest.raises(ValueError, match="is not fitted"):
        extract(network(), data[0], progress=False)
    with pytest.raises(TypeError, match="transformer of scikit-learn"):
        extract(LogisticRegression().fit(*data), data[0], progress=False)
    model = network().fit(*data)
    with pytest.raises(ValueError, match="does not take samples of shape"):
        extract(model, data[0][:, :3], progress=False)
