"""See and measure how a neural network untangles the classes of its data, layer by layer.

Everything here is loaded when it is first used, so that ``import unknot`` is quick and needs no
deep-learning framework.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the room that holds it. A name that stands for itself is a room.
_PUBLIC: dict[str, str] = {
    "Scores": "metrics",
    "measure": "metrics",
    "metrics": "metrics",
    "NeighborGraph": "neighbors",
    "PCA": "projection",
    "TSNE": "projection",
    "nearest_neighbors": "neighbors",
    "neighbors": "neighbors",
    "projection": "projection",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    room = _PUBLIC.get(name)
    if room is None:
        raise AttributeError(f"module 'unknot' has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{room}")
    value = module if name == room else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
