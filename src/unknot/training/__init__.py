"""Train Keras models fast, with progress and a history, and save and load them whole."""

from ._history import History
from ._saving import load, save
from ._train import train

__all__ = ["History", "load", "save", "train"]
