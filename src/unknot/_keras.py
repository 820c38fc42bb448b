"""Keras and its backend: imported when first needed, chosen once a process."""

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
        By default what ``KERAS_BACKEND`` or Keras' own configuration file says, otherwise the
        first of the three that is installed.
    feature : str
        What needs it, as the subject of a sentence.

    Raises
    ------
    ValueError
        If the backend is unknown, or Keras runs on another one already in this process.
    MissingExtraError
        If Keras or the backend is not installed.
    """
    if backend is not None and backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
    if "keras" in sys.modules:
        keras: Any = sys.modules["keras"]
        if backend is not None and keras.backend.backend() != backend:
            raise ValueError(
                f"backend {backend!r} was asked for, but Keras already runs on "
                f"{keras.backend.backend()!r} in this process; start a new one, with the "
                f"environment variable KERAS_BACKEND={backend}"
            )
        _quieten(keras.backend.backend())
        return keras
    chosen = backend or configured_backend() or _first_installed(feature)
    if importlib.util.find_spec("keras") is None:
        raise missing_extra("keras", feature=feature, extra=chosen)
    if chosen in BACKENDS and importlib.util.find_spec(chosen) is None:
        raise missing_extra(chosen, feature=f"{feature} on Keras' {chosen} backend", extra=chosen)
    os.environ["KERAS_BACKEND"] = chosen
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings(), _native_messages_withheld():
        # Deprecations inside the frameworks are not this package's user's to mend.
        warnings.simplefilter("ignore")
        keras = importlib.import_module("keras")
    _quieten(chosen)
    return keras


def _quieten(backend: str) -> None:
    if backend == "tensorflow":  # a filter that is there already is not added again
        logging.getLogger("tensorflow").addFilter(_is_not_about_retracing)


def _is_not_about_retracing(record: logging.LogRecord) -> bool:
    """Drop TensorFlow's warning that models are compiled: with several models, each once, it comes.

    It is meant for a function that is compiled again in every step of a loop.
    """
    return "triggered tf.function retracing" not in str(record.msg)


@contextmanager
def _native_messages_withheld() -> Iterator[None]:
    """Keep back what native code writes to standard error, unless an exception follows.

    TensorFlow greets every process with lines about its own build before its log level counts.
    """
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as withheld:
        os.dup2(withheld.fileno(), 2)
        try:
            yield
        except BaseException:
            withheld.seek(0)
            os.write(screen, withheld.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


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
        return None  # Keras itself passes over a missing or broken file in the same way
    return configured if configured in BACKENDS and importlib.util.find_spec(configured) else None


def _first_installed(feature: str) -> str:
    for name in BACKENDS:
        if importlib.util.find_spec(name) is not None:
            return name
    raise missing_extra("Keras with TensorFlow, JAX or PyTorch", feature=feature, extra="lab")
