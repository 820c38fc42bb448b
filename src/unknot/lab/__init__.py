"""The five exercises of the lab in one folder: three networks, five maps, and what they say."""

from ._run import run_lab
from ._settings import LabSettings

__all__ = ["LabSettings", "run_lab"]
