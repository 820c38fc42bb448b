"""Studies: every layer of a network on labeled data, with maps, scores and controls."""

from .._cluster import ClusterError

# What is imported as itself is for later rooms, not for users.
from ._compact import CompactTable as CompactTable
from ._compare import Comparison, Difference
from ._density import MapDensity
from ._layer import LayerStudy
from ._many import Studies
from ._metadata import MetadataColumn
from ._own_maps import OwnMap
from ._pipeline.epochs import EpochRecorder
from ._pipeline.many import study_many
from ._pipeline.plan import Plan
from ._pipeline.run import study
from ._pipeline.settings import DEFAULT_MEASURES as DEFAULT_MEASURES
from ._pipeline.sharing import share_inputs as share_inputs
from ._recording.failures import RecordingWarning
from ._recording.live import LivePage
from ._recording.messages import LIVE_PAYLOAD as LIVE_PAYLOAD
from ._recording.messages import LiveState as LiveState
from ._require import Requirement, RequirementError, Requirements
from ._store.format import MANIFEST as MANIFEST
from ._store.format import StudyError
from ._study import Study
from ._summary import Summary
from ._suspects import suspected_labels as suspected_labels
from ._table import ScoreTable

__all__ = [
    "ClusterError",
    "Comparison",
    "Difference",
    "EpochRecorder",
    "LayerStudy",
    "LivePage",
    "MapDensity",
    "MetadataColumn",
    "OwnMap",
    "Plan",
    "RecordingWarning",
    "Requirement",
    "RequirementError",
    "Requirements",
    "ScoreTable",
    "Studies",
    "Study",
    "StudyError",
    "Summary",
    "study",
    "study_many",
]
