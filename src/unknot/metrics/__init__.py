"""Measures of how untangled labeled points are: one function per measure, one module per family."""

from ._shared.paired import difference_p as difference_p  # these are for studies
from ._shared.paired import holm as holm
from ._shared.paired import independent_interval as independent_interval
from ._shared.paired import paired_interval as paired_interval
from ._shared.results import ClassResult, MeasureWarning, PairResult, Result, UndefinedMeasureError
from ._shared.transitions import KeptNeighbors, Transition
from ._suite.compared import CONFLICT as CONFLICT  # these too
from ._suite.entry import Measure as Measure
from ._suite.registry import MEASURES as MEASURES
from ._suite.table import GIVEN_MAP as GIVEN_MAP
from .canonical import CanonicalCorrelation, pwcca, svcca
from .capacity import ManifoldCapacity, manifold_capacity
from .clusters import DistanceConsistency, Silhouette, distance_consistency, silhouette
from .collapse import class_distance_variance, nc1, nc2
from .control import ControlTask, control_task
from .dimension import IntrinsicDimension, ParticipationRatio, participation_ratio, two_nn
from .directions import Alignment, Uniformity, alignment, uniformity
from .discrimination import (
    DiscriminationValue,
    FisherRatio,
    fisher_ratio,
    generalized_discrimination_value,
)
from .effort import DescriptionLength, VInformation, description_length, v_information
from .entanglement import SoftNearestNeighborLoss, soft_nearest_neighbor_loss
from .faithfulness import (
    Faithfulness,
    class_continuity,
    class_trustworthiness,
    continuity,
    trustworthiness,
)
from .glue import Glue, glue
from .heads import Head, HeadAgreement, nc3, nc4
from .knn import KNNAccuracy, knn_accuracy
from .label_faithfulness import label_continuity, label_trustworthiness
from .layer_similarity import SimilarityMatrix, similarity_matrix
from .linear import LinearProbe, linear_probe
from .mutual_neighbors import MutualNeighbors, mutual_knn
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
from .procrustes import Procrustes, procrustes
from .regression import Regression, linear_r2, neighborhood_r2
from .robustness import ProbeNoise, ProbeTransfer, probe_noise, probe_transfer
from .rsa import RepresentationalSimilarity, rsa
from .scale import ClassDimension, DimensionByScale, class_dimension, gride
from .scores import Score, Scores
from .separation import DaviesBouldin, calinski_harabasz, davies_bouldin
from .shapes import ConvexHulls, Ellipses, best_ellipses, convex_hulls, peeled_hulls
from .similarity import Similarity, linear_cka
from .simulated_capacity import SimulatedCapacity, simulated_capacity
from .spanning_tree import SpanningTreeEdges, spanning_tree_edges
from .spectrum import EffectiveRank, effective_rank
from .suite import measure, measure_names
from .topology import ClassTopology, class_topology
from .transition import (
    Previous,
    displacement,
    kept_neighbors,
    movement_correlation,
    needless_movement,
)

__all__ = [
    "Alignment",
    "CanonicalCorrelation",
    "ClassDimension",
    "ClassResult",
    "ClassTopology",
    "ControlTask",
    "ConvexHulls",
    "DaviesBouldin",
    "DescriptionLength",
    "DimensionByScale",
    "DiscriminationValue",
    "DistanceConsistency",
    "EffectiveRank",
    "Ellipses",
    "Faithfulness",
    "FisherRatio",
    "Glue",
    "Head",
    "HeadAgreement",
    "IntrinsicDimension",
    "KNNAccuracy",
    "KeptNeighbors",
    "LinearProbe",
    "ManifoldCapacity",
    "MeasureWarning",
    "MutualNeighbors",
    "NeighborConfusion",
    "NeighborhoodHit",
    "PairResult",
    "ParticipationRatio",
    "Previous",
    "ProbeNoise",
    "ProbeTransfer",
    "Procrustes",
    "Regression",
    "RepresentationalSimilarity",
    "Result",
    "Score",
    "ScoreResult",
    "Scores",
    "Silhouette",
    "Similarity",
    "SimilarityMatrix",
    "SimulatedCapacity",
    "SoftNearestNeighborLoss",
    "SpanningTreeEdges",
    "Transition",
    "UndefinedMeasureError",
    "Uniformity",
    "VInformation",
    "alignment",
    "best_ellipses",
    "calinski_harabasz",
    "class_continuity",
    "class_dimension",
    "class_distance_variance",
    "class_topology",
    "class_trustworthiness",
    "continuity",
    "control_task",
    "convex_hulls",
    "davies_bouldin",
    "description_length",
    "displacement",
    "distance_consistency",
    "effective_rank",
    "fisher_ratio",
    "generalized_discrimination_value",
    "glue",
    "gride",
    "kept_neighbors",
    "knn_accuracy",
    "label_continuity",
    "label_trustworthiness",
    "linear_cka",
    "linear_probe",
    "linear_r2",
    "manifold_capacity",
    "measure",
    "measure_names",
    "movement_correlation",
    "mutual_knn",
    "nc1",
    "nc2",
    "nc3",
    "nc4",
    "needless_movement",
    "neighbor_confusion",
    "neighborhood_hit",
    "neighborhood_r2",
    "participation_ratio",
    "peeled_hulls",
    "probe_noise",
    "probe_transfer",
    "procrustes",
    "pwcca",
    "register",
    "rsa",
    "silhouette",
    "similarity_matrix",
    "simulated_capacity",
    "soft_nearest_neighbor_loss",
    "spanning_tree_edges",
    "svcca",
    "trustworthiness",
    "two_nn",
    "uniformity",
    "unregister",
    "v_information",
]
