"""Train Keras models with progress, a history and checkpoints, and save them."""

from typing import Any

from ._history import History
from ._history import check_history_path as check_history_path
from ._history import history_path as history_path
from ._saving import check_model_path as check_model_path
from ._saving import load_keras_model as load_keras_model
from ._saving import save_model
from ._train import train

__all__ = ["History", "save_model", "train"]

_RENAMED = {"load": "unknot.load_model", "save": "save_model"}


def __getattr__(name: str) -> Any:
    hint = f"; did you mean {_RENAMED[name]!r}?" if name in _RENAMED else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
