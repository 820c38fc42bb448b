"""Measures of how untangled labeled points are: one function per measure, one module per family."""

from ._shared.results import ClassResult, MeasureWarning, PairResult, Result, UndefinedMeasureError
from ._suite.registry import MEASURES as MEASURES  # for studies
from .capacity import ManifoldCapacity, manifold_capacity
from .clusters import (
    DaviesBouldin,
    DistanceConsistency,
    Silhouette,
    calinski_harabasz,
    davies_bouldin,
    distance_consistency,
    silhouette,
)
from .collapse import class_distance_variance, nc1, nc2
from .dimension import IntrinsicDimension, ParticipationRatio, participation_ratio, two_nn
from .faithfulness import (
    Faithfulness,
    class_continuity,
    class_trustworthiness,
    continuity,
    trustworthiness,
)
from .label_faithfulness import label_continuity, label_trustworthiness
from .linear import LinearProbe, linear_probe
from .neighborhood import (
    NeighborConfusion,
    NeighborhoodHit,
    neighbor_confusion,
    neighborhood_hit,
)
from .scores import Score, Scores
from .shapes import ConvexHulls, Ellipses, best_ellipses, convex_hulls, peeled_hulls
from .similarity import Similarity, linear_cka
from .suite import measure, measure_names

__all__ = [
    "ClassResult",
    "ConvexHulls",
    "DaviesBouldin",
    "DistanceConsistency",
    "Ellipses",
    "Faithfulness",
    "IntrinsicDimension",
    "LinearProbe",
    "ManifoldCapacity",
    "MeasureWarning",
    "NeighborConfusion",
    "NeighborhoodHit",
    "PairResult",
    "ParticipationRatio",
    "Result",
    "Score",
    "Scores",
    "Silhouette",
    "Similarity",
    "UndefinedMeasureError",
    "best_ellipses",
    "calinski_harabasz",
    "class_continuity",
    "class_distance_variance",
    "class_trustworthiness",
    "continuity",
    "convex_hulls",
    "davies_bouldin",
    "distance_consistency",
    "label_continuity",
    "label_trustworthiness",
    "linear_cka",
    "linear_probe",
    "manifold_capacity",
    "measure",
    "measure_names",
    "nc1",
    "nc2",
    "neighbor_confusion",
    "neighborhood_hit",
    "participation_ratio",
    "peeled_hulls",
    "silhouette",
    "trustworthiness",
    "two_nn",
]
