"""What a network makes of its inputs, layer by layer."""

from ._extract import extract
from ._layers import Layer, list_layers
from ._load import load_for_inference as load_for_inference
from ._load import load_model
from ._representations import Representations
from ._untrained import untrained

__all__ = ["Layer", "Representations", "extract", "list_layers", "load_model", "untrained"]
