"""Folders of TensorFlow's SavedModel, which are programs."""

from pathlib import Path
from typing import Any

from ..._extras import import_extra
from .unreadable import RefusedError, reading


def load_saved_model(folder: Path, trusted: bool) -> Any:
    """Load a SavedModel, if it is trusted: its graph may read and write files."""
    if not trusted:
        raise RefusedError(
            f"{folder} is a SavedModel of TensorFlow, a program that can read and write files when "
            "it is loaded or run. Save the model as .keras, or pass trust_pickle=True "
            "(--trust-pickle) if you trust its author"
        )
    tensorflow = import_extra("tensorflow", feature="Loading a SavedModel", extra="tensorflow")
    with reading(folder, "a SavedModel"):
        return tensorflow.saved_model.load(str(folder))
