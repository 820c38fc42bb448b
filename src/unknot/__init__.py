"""See and measure how a neural network untangles the classes of its data, layer by layer.

Everything here is loaded when it is first used, so that ``import unknot`` is quick and needs no
deep-learning framework.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the room that holds it. A name that stands for itself is a room.
_PUBLIC = {
    "Dataset": "datasets",
    "datasets": "datasets",
    "extract": "representations",
    "figures": "figures",
    "History": "training",
    "lab": "lab",
    "list_layers": "representations",
    "load_dataset": "datasets",
    "load_model": "representations",
    "measure": "metrics",
    "metrics": "metrics",
    "nearest_neighbors": "neighbors",
    "NeighborGraph": "neighbors",
    "neighbors": "neighbors",
    "networks": "networks",
    "PCA": "projection",
    "projection": "projection",
    "report": "report",
    "representations": "representations",
    "Representations": "representations",
    "save_model": "training",
    "Scores": "metrics",
    "similarity_matrix": "metrics",
    "studies": "studies",
    "Study": "studies",
    "study": "studies",
    "study_many": "studies",
    "train": "training",
    "training": "training",
    "TSNE": "projection",
}

# Former name -> present name; the error about the former one says the present one.
_RENAMED = {"load": "load_model", "save": "save_model"}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from . import datasets as datasets
    from . import figures as figures
    from . import lab as lab
    from . import metrics as metrics
    from . import neighbors as neighbors
    from . import networks as networks
    from . import projection as projection
    from . import report as report
    from . import representations as representations
    from . import studies as studies
    from . import training as training
    from .datasets import Dataset as Dataset
    from .datasets import load_dataset as load_dataset
    from .metrics import Scores as Scores
    from .metrics import measure as measure
    from .metrics import similarity_matrix as similarity_matrix
    from .neighbors import NeighborGraph as NeighborGraph
    from .neighbors import nearest_neighbors as nearest_neighbors
    from .projection import PCA as PCA
    from .projection import TSNE as TSNE
    from .representations import Representations as Representations
    from .representations import extract as extract
    from .representations import list_layers as list_layers
    from .representations import load_model as load_model
    from .studies import Study as Study
    from .studies import study as study
    from .studies import study_many as study_many
    from .training import History as History
    from .training import save_model as save_model
    from .training import train as train


def __getattr__(name: str) -> Any:
    room = _PUBLIC.get(name)
    if room is None:
        from ._io.text import did_you_mean

        if name in _RENAMED:
            hint = f"; did you mean {_RENAMED[name]!r}?"
        else:
            hint = "" if name.startswith("_") else did_you_mean(name, _PUBLIC)
        raise AttributeError(f"module 'unknot' has no attribute {name!r}{hint}")
    module = importlib.import_module(f"{__name__}.{room}")
    value = module if name == room else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
