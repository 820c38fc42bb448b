"""ONNX models from files."""

from pathlib import Path
from typing import Any

from .._extras import import_extra
from ._unreadable import reading


def load_onnx(file: Path) -> Any:
    """Load an ONNX model."""
    onnx: Any = import_extra("onnx", feature="Loading an ONNX model", extra="onnx")
    with reading(file, "an ONNX model"):
        model = onnx.load(str(file))
        onnx.checker.check_model(model)
        return model
