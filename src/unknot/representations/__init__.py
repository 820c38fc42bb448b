"""Load models of any framework and compute the representations at their layers."""

from ._adapters.base import Adapter as Adapter
from ._adapters.base import find_adapter as find_adapter
from ._extract import batch_bytes as batch_bytes
from ._extract import extract
from ._extract import extract_to as extract_to
from ._layers import Layer, list_layers
from ._load import load_for_inference as load_for_inference
from ._load import load_model
from ._reduction import describe_reduction as describe_reduction
from ._representations import Representations
from ._store import Store as Store
from ._untrained import untrained

__all__ = ["Layer", "Representations", "extract", "list_layers", "load_model", "untrained"]
