"""Studies: every layer of a network on labeled data, with maps, scores and controls."""

from ._compare import Comparison, Difference
from ._layer import LayerStudy
from ._pipeline.epochs import EpochRecorder
from ._pipeline.run import study
from ._store.format import StudyError
from ._study import Study
from ._table import ScoreTable

__all__ = [
    "Comparison",
    "Difference",
    "EpochRecorder",
    "LayerStudy",
    "ScoreTable",
    "Study",
    "StudyError",
    "study",
]
