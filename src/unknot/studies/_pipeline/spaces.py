"""The points of a layer as they are compared, and what becomes of a layer that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..._io.folders import LinkError
from ..._io.stored_points import StoredPoints, opened
from ..._io.transformed import preprocessed
from ..._validation.points import as_points
from .._store.format import StudyError

if TYPE_CHECKING:
    from ...metrics import Scores
    from .settings import StudySettings

# What one layer's points may raise. The others go on; full disks and damaged files end the study.
FAILURES: Final = (ValueError, ArithmeticError)
FATAL: Final = (StudyError, LinkError)


def preprocess(
    points: Any, settings: StudySettings, max_memory: int
) -> tuple[Any, tuple[str, ...]]:
    """Return a layer's points as the settings preprocess them, and notes."""
    if not settings.preprocess:
        return points, ()
    points = opened(points, max_memory)
    if not isinstance(points, StoredPoints):
        points = as_points(points)
    return preprocessed(points, settings.preprocess)


def conflicts(scores: Scores) -> list[str]:
    """Return the notes of scores that a layer shows: where the metric decides the conclusion."""
    from ...metrics import CONFLICT

    return [note for note in scores.notes if note.startswith(CONFLICT)]


def why_left_out(error: Exception) -> str:
    """Return the note on a layer that could not be studied."""
    return f"left out: {error}"
