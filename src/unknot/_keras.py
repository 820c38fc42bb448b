"""Import Keras and select its backend, when first needed and once per process."""

import importlib
import importlib.util
import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ._extras import missing_extra

BACKENDS: Final = ("tensorflow", "jax", "torch")


def import_keras(backend: str | None = None, *, feature: str = "This") -> Any:
    """Import Keras on a backend.

    Parameters
    ----------
    backend : {"tensorflow", "jax", "torch"}, optional
        By default the one that ``KERAS_BACKEND`` or Keras' configuration file names, otherwise
        the first of the three that is installed.
    feature : str
        What needs Keras, as the subject of a sentence in an error message.

    Raises
    ------
    ValueError
        If the backend is unknown, or Keras already runs on another one in this process.
    MissingExtraError
        If Keras or the backend is not installed.
    """
    if backend is not None and backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
    if "keras" in sys.modules:
        keras: Any = sys.modules["keras"]
        if backend is not None and keras.backend.backend() != backend:
            raise ValueError(
                f"backend must be {keras.backend.backend()!r}, on which Keras already runs in "
                f"this process; got {backend!r}. Start a new process with the environment "
                f"variable KERAS_BACKEND={backend}"
            )
        _filter_log(keras.backend.backend())
        return keras
    selected = backend or configured_backend() or _first_installed(feature)
    if importlib.util.find_spec("keras") is None:
        raise missing_extra("keras", feature=feature, extra=selected)
    if selected in BACKENDS and importlib.util.find_spec(selected) is None:
        raise missing_extra(
            selected, feature=f"{feature} on Keras' {selected} backend", extra=selected
        )
    os.environ["KERAS_BACKEND"] = selected
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings(), _native_stderr_suppressed():
        # Deprecation warnings about the frameworks' own code do not concern the user.
        warnings.simplefilter("ignore")
        keras = importlib.import_module("keras")
    _filter_log(selected)
    return keras


def _filter_log(backend: str) -> None:
    if backend == "tensorflow":  # adding the same filter twice has no effect
        logging.getLogger("tensorflow").addFilter(_is_not_about_retracing)


def _is_not_about_retracing(record: logging.LogRecord) -> bool:
    """Filter out TensorFlow's warning about retracing.

    It also appears when several models are compiled once each, which is not a problem.
    """
    return "triggered tf.function retracing" not in str(record.msg)


@contextmanager
def _native_stderr_suppressed() -> Iterator[None]:
    """Suppress what native code writes to standard error, unless an exception is raised.

    TensorFlow prints lines about its build before its log level takes effect.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(original, captured.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def configured_backend() -> str | None:
    """Return the backend that the environment or Keras' configuration file names, if any."""
    if "keras" in sys.modules:
        return str(sys.modules["keras"].backend.backend())
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        configured = json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        return None  # like Keras, which ignores a missing or broken file
    return configured if configured in BACKENDS and importlib.util.find_spec(configured) else None


def _first_installed(feature: str) -> str:
    for name in BACKENDS:
        if importlib.util.find_spec(name) is not None:
            return name
    raise missing_extra("Keras with TensorFlow, JAX or PyTorch", feature=feature, extra="lab")
