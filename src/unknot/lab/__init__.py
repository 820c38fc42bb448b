"""The five exercises of the lab: train three networks, draw five maps, and compare them."""

from ._run import run_lab
from ._settings import LabSettings

__all__ = ["LabSettings", "run_lab"]
