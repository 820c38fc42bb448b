"""Load models of any framework and compute the representations at their layers."""

from ._adapters.base import Adapter as Adapter
from ._adapters.base import Fresh as Fresh
from ._adapters.base import find_adapter as find_adapter
from ._extract import Prepared as Prepared
from ._extract import batch_bytes as batch_bytes
from ._extract import check_forward as check_forward
from ._extract import extract
from ._extract import extract_to as extract_to
from ._extract import prepare as prepare
from ._extract import prepare_like as prepare_like
from ._labeled import LabeledInputs as LabeledInputs
from ._labeled import Options as Options
from ._labeled import Stream as Stream
from ._labeled import accepted_kinds as accepted_kinds
from ._labeled import open_labeled as open_labeled
from ._layers import Layer
from ._listing import list_layers
from ._load import load_for_inference as load_for_inference
from ._load import load_model
from ._masks import masks_in as masks_in
from ._places import Places as Places
from ._pooling import describe_choice as describe_choice
from ._reduction import describe_reduction as describe_reduction
from ._representations import Representations
from ._sources.stream import KEPT_BYTES as KEPT_BYTES
from ._store import Store as Store
from ._untrained import untrained

__all__ = ["Layer", "Representations", "extract", "list_layers", "load_model", "untrained"]
