"""Measures of how untangled labeled points are: one function per measure, one module per family."""

from ._shared.results import ClassResult, MeasureWarning, PairResult, Result, UndefinedMeasureError
from ._suite.compared import CONFLICT as CONFLICT  # these are for studies
from ._suite.registry import MEASURES as MEASURES
from ._suite.registry import Measure as Measure
from .capacity import ManifoldCapacity, manifold_capacity
from .clusters import DistanceConsistency, Silhouette, distance_consistency, silhouette
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
from .own import ScoreResult, register, unregister
from .own import all_measures as all_measures
from .own import check_names as check_names
from .own import split_measures as split_measures
from .regression import Regression, linear_r2, neighborhood_r2
from .scores import Score, Scores
from .separation import DaviesBouldin, calinski_harabasz, davies_bouldin
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
    "Regression",
    "Result",
    "Score",
    "ScoreResult",
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
    "linear_r2",
    "manifold_capacity",
    "measure",
    "measure_names",
    "nc1",
    "nc2",
    "neighbor_confusion",
    "neighborhood_hit",
    "neighborhood_r2",
    "participation_ratio",
    "peeled_hulls",
    "register",
    "silhouette",
    "trustworthiness",
    "two_nn",
    "unregister",
]
