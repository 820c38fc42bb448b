"""What a network makes of its inputs, layer by layer."""

from ._extract import extract
from ._representations import Representations

__all__ = ["Representations", "extract"]
