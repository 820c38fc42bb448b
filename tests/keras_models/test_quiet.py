"""What TensorFlow says of models that are compiled, each once, is not passed on."""

import logging

import pytest

from unknot._keras import import_keras

pytestmark = pytest.mark.one_backend


@pytest.fixture
def logger(keras, monkeypatch):
    """TensorFlow's logger, as it is where Keras was imported before this package."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "propagate", True)
    return logger


def test_retracing_is_kept_back_where_keras_was_imported_first(logger, caplog):
    for _ in range(3):
        import_keras()
    logger.warning("5 out of the last 5 calls to %s triggered tf.function retracing.", "f")
    logger.warning("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]
    assert len(logger.filters) == 1


def test_other_backends_have_no_such_logger(logger, keras, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    import_keras()
    assert logger.filters == []
