"""What each measure says, in one sentence; for lists of measures."""

from typing import Final

SENTENCES: Final = {
    "neighborhood_hit": "Share of the nearest neighbors that are of the point's own class.",
    "neighbor_confusion": "Share of the nearest neighbors of other classes, with a table of which.",
    "knn_accuracy": "Share of the points that a vote of their nearest neighbors classifies right.",
    "trustworthiness": "Whether neighbors on the map are neighbors in the representation.",
    "continuity": "Whether neighbors in the representation are neighbors on the map.",
    "class_trustworthiness": (
        "Trustworthiness that counts only false neighbors on the map of other classes."
    ),
    "class_continuity": "Continuity that counts only lost neighbors of the same class.",
    "label_trustworthiness": "Whether classes that are apart as points are apart on the map.",
    "label_continuity": "Whether classes that overlap as points overlap on the map.",
    "distance_consistency": "Share of the points whose nearest class center is their own.",
    "silhouette": "How compact classes are beside their distances from each other.",
    "davies_bouldin": "Spread of the classes beside the distance to the worst other class.",
    "calinski_harabasz": "Variance between classes over that within them; grows with the points.",
    "convex_hulls": "Area that the hulls of two classes on the map share, of the smaller one.",
    "peeled_hulls": "The same without the outermost points, at most 5 % of each class.",
    "best_ellipses": "Overlap of the Gaussians that are fitted to two classes on the map.",
    "linear_probe": "Accuracy of a linear classifier on points that it was not trained on.",
    "nc1": "Spread within classes beside that between them; 0 if classes are points.",
    "nc2": "How far the class centers are from equal lengths and equal angles.",
    "class_distance_variance": "Variance of two classes beside the distance of their centers.",
    "nc3": "How far the classifier's weights are from the class centers.",
    "nc4": "Share of the points where classifier and nearest center disagree.",
    "two_nn": "Number of dimensions that the points fill, by two neighbors of each.",
    "participation_ratio": "Number of directions that share the variance.",
    "class_dimension": "Intrinsic dimension of each class by itself.",
    "gride": "Intrinsic dimension at several ranges, from near neighbors to far ones.",
    "effective_rank": "Number of directions in use, by the entropy of the singular values.",
    "linear_cka": "How alike representation and map are: 1 for maps that only rotate and scale.",
    "manifold_capacity": "How many such classes a hyperplane could separate for each feature.",
    "manifold_radius": "Size of the classes beside the distance of their centers.",
    "manifold_dimension": "Number of dimensions of a class, as a separating hyperplane sees them.",
    "center_correlation": "How much the class centers point in the same directions.",
    "kept_neighbors": "Share of its nearest neighbors that a point has kept from the layer before.",
    "displacement": "How far a point moves from the map before, in radii of the map.",
    "needless_movement": (
        "Displacement of the quarter of the points whose neighborhoods changed least."
    ),
    "movement_correlation": (
        "Whether those points move on the map whose neighborhoods change; a rank correlation."
    ),
    "neighborhood_r2": "How well the mean of the nearest neighbors predicts numeric labels.",
    "linear_r2": "How well a linear model predicts numeric labels of other points.",
    "soft_nearest_neighbor_loss": "How surprising the class of a random near point is, in nats.",
    "spanning_tree_edges": "Share of the shortest tree's edges that join two classes.",
    "fisher_ratio": "Variance between the class centers over that within classes.",
    "generalized_discrimination_value": (
        "Distances within classes less those between them; negative where classes are apart."
    ),
    "description_length": "Length of a message that tells the labels to one who has the points.",
    "v_information": "How many bits on the class a linear classifier can read from a point.",
    "control_task": "Accuracy of a linear probe less that on random labels, learned by heart.",
    "probe_noise": "Accuracy of the probe where noise is added to the points.",
    "alignment": "Mean squared distance of two points of a class, all of length 1.",
    "uniformity": "How evenly points of length 1 are spread over all directions.",
    "class_topology": "Lifetimes of the loops in the classes; 0 where no class has a hole.",
    "glue_capacity": "How many such classes could be separated, for few classes as well.",
    "glue_dimension": "Number of dimensions of the classes, as their separation sees them.",
    "glue_radius": "Size of the classes, as their separation sees it.",
    "glue_utility": "The factor of the capacity that dimension and radius leave open.",
    "simulated_capacity": "The capacity, by trying random divisions of the classes.",
}
