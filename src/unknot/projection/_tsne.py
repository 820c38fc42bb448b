"""The estimator: checks, stages, and what was learned."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam
from .._typing import Array
from .._validation.arrays import as_numbers, for_estimator
from ..neighbors import NeighborGraph, SearchSpace, graph_of_points, neighbors_among
from ._affinities import Affinities, attainable_perplexity, joint, neighbors_for
from ._copies import Representatives
from ._descent import Engine, ExactEngine, MeshEngine, Phase, Report, descend
from ._parameters import (
    Flag,
    Name,
    Number,
    NumberOrName,
    Whole,
    WholeOrNone,
    check_parameters,
)
from ._placement import place_points
from ._precomputed import graph_of_distances, nearest_in_rows
from ._progress import Watcher, progress_bar, say
from ._start import curve_order, starting_map

# Up to so many samples the sum over all pairs is about as fast as the mesh.
EXACT_UP_TO = 3000
# A mesh's errors exceed what so few samples do to each other.
TOO_FEW_FOR_A_MESH = 100
# Of the rate in the first phase: n / exaggeration is more than a descent with its attraction bears.
EARLY = 0.25
# The exaggeration after one that has drawn all points together.
MILD = 1.5


class TSNE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """t-distributed stochastic neighbor embedding [vanDerMaaten2008], on every core.

    Finds a map on which q_ij ~ 1 / (1 + |y_i - y_j|^2) is as near as it can be to the affinities
    p_ij of the points, in Kullback-Leibler divergence. Neighbors are exact; repulsion is read
    from one potential on a particle mesh, at a cost of N plus the mesh's.

    Parameters
    ----------
    n_components : {1, 2, 3}, default=2
        Dimensions of the map. With 3, repulsion is summed over all pairs, at a cost of N^2.
    perplexity : float, default=30.0
        The effective number of neighbors; three times as many are looked at. Below 1 it is 1. If
        there are too few samples, the largest perplexity they allow, (n_samples - 1) / 3, is used
        instead, with a warning.
    early_exaggeration : float, default=12.0
        Attraction is multiplied by this in the first phase, so that clusters form. Where there are
        none, or each sample has most others for neighbors, it can draw all points together; then
        the rest of the phase begins from the start with at most 1.5.
    learning_rate : float or "auto", default="auto"
        "auto" is n_samples, at least 50, and n_samples / 4 exaggeration, at least 12.5, in the
        first phase, for the gradient with its factor of 4 [Belkina2019]. In no iteration does a
        point move farther than 5 units or a twentieth of the map's width.
    max_iter : int, default=1000
        Iterations in all.
    n_iter_without_progress : int, default=300
        After the first phase, stop when the KL divergence has found no new least value for so many
        iterations. Looked at every 50 iterations.
    min_grad_norm : float, default=1e-7
        End the first phase, or stop after it, when the gradient is no longer than this.
    metric : {"euclidean", "cosine", "precomputed"}, default="euclidean"
        With "precomputed", ``fit`` takes a `NeighborGraph`, an (n_samples, n_samples) matrix of
        distances, or a sparse one of the nearest.
    init : {"pca", "random"} or array of shape (n_samples, n_components), default="pca"
        Where the map starts. "pca" is scaled to standard deviation 1e-4. There are no components
        of what is precomputed: the start is then random. An array that reaches farther from its
        mean than 100 + 4 sqrt(n_samples) is scaled down to that, as points far apart hardly feel
        each other; one less than 1e-8 across is scaled up to standard deviation 1e-4; where all
        samples are equal in a direction, they get random values of that size there.
    verbose : int, default=0
        Above 0, a line for each stage and every ``callback_every`` iterations.
    random_state : int, RandomState or None, default=None
        Seeds a random start; nothing else is random. The same seed gives the same bytes, whatever
        the number of threads.
    method : {"auto", "mesh", "exact"}, default="auto"
        How repulsion is summed: over all pairs, or on a mesh. "auto" is exact up to 3000 samples
        and for 3 components, "mesh" up to 100 samples, where it would be too coarse.
    n_jobs : int, optional
        Threads in every stage; by default all processors.
    early_exaggeration_iter : int, default=250
        Iterations of the first phase, at most half of ``max_iter``.
    mesh_spacing : float, default=0.5
        Distance of the mesh's nodes, in units of the map. The repulsive force is off by about 4 %
        (root mean square) at 0.5, 1 % at 0.35 and 0.3 % at 0.25; the mesh's cost goes with the
        inverse square. Errors are much smaller while the map is small, and largely cancel
        from one iteration to the next.
    callback : callable, optional
        Called as ``callback(iteration, kl_divergence, map)`` every ``callback_every`` iterations
        and at the end, with a copy of the map. The fit stops there if it returns true; None and
        False go on. An array has no one truth value: TypeError.
    callback_every : int, default=50
    progress : bool, default=False
        Show a progress bar.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components), float32
        The map.
    kl_divergence_ : float
        sum_ij p_ij log(p_ij / q_ij) of the map, in nats. Z is a mesh's of half the
        spacing, or the exact sum, by ``method_``.
    n_iter_ : int
        Iterations run.
    learning_rate_ : float
        That of the last phase.
    perplexity_ : float
        The perplexity used.
    graph_ : NeighborGraph
        The neighbors used; its ``recall`` is 1.0 if they are exact.
    n_copies_left_out_ : int
        Samples that lie in the place of one of their copies, because their point has more copies
        than the neighbors looked at; a warning says so. The map, its divergence and ``method_`` are
        those of the other samples.
    method_ : str
        "mesh" or "exact".
    timings_ : dict
        Seconds of each stage: "neighbors", "affinities", "start", "optimization".
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np, unknot
    >>> points = np.repeat(np.eye(3), 20, axis=0) + np.arange(60)[:, None] / 1000
    >>> tsne = unknot.TSNE(perplexity=5, max_iter=300, random_state=0).fit(points)
    >>> tsne.embedding_.shape, tsne.embedding_.dtype, tsne.graph_.recall, tsne.n_iter_
    ((60, 2), dtype('float32'), 1.0, 300)
    >>> bool(np.all(tsne.transform(points[:2]) == tsne.embedding_[:2]))
    True
    """

    def __init__(
        self,
        n_components: Whole = 2,
        *,
        perplexity: Number = 30.0,
        early_exaggeration: Number = 12.0,
        learning_rate: NumberOrName = "auto",
        max_iter: Whole = 1000,
        n_iter_without_progress: Whole = 300,
        min_grad_norm: Number = 1e-7,
        metric: Name = "euclidean",
        init: Any = "pca",
        verbose: Whole = 0,
        random_state: Any = None,
        method: Name = "auto",
        n_jobs: WholeOrNone = None,
        early_exaggeration_iter: Whole = 250,
        mesh_spacing: Number = 0.5,
        callback: Any = None,
        callback_every: Whole = 50,
        progress: Flag = False,
    ) -> None:
        self.n_components = n_components
        self.perplexity = perplexity
        self.early_exaggeration = early_exaggeration
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.n_iter_without_progress = n_iter_without_progress
        self.min_grad_norm = min_grad_norm
        self.metric = metric
        self.init = init
        self.verbose = verbose
        self.random_state = random_state
        self.method = method
        self.n_jobs = n_jobs
        self.early_exaggeration_iter = early_exaggeration_iter
        self.mesh_spacing = mesh_spacing
        self.callback = callback
        self.callback_every = callback_every
        self.progress = progress

    def fit(self, X: Any, y: Any = None, *, graph: NeighborGraph | None = None) -> TSNE:
        """Find the map of points.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points, real and finite. With ``metric="precomputed"`` a `NeighborGraph` or distances.
        y : ignored
        graph : NeighborGraph, optional
            The points' neighbors, if they are known already: at least three times the perplexity
            for each.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the input is not as described; the message says what to do.
        """
        self._fit(X, graph)
        self._warn_of_copies()
        return self

    def _fit(self, X: Any, graph: NeighborGraph | None = None) -> None:
        """Fit without a warning of copies."""
        check_parameters(self)
        n_threads = resolve_n_jobs(self.n_jobs)
        began = time.perf_counter()
        points, graph = self._neighbors(X, graph, n_threads)
        self.timings_ = {"neighbors": time.perf_counter() - began}
        n = graph.n_samples
        self._say(
            f"{graph.n_neighbors} nearest neighbors of {n} samples in {self.timings_['neighbors']:.3f} s "
            + ("(exact)" if graph.recall == 1 else f"(recall {graph.recall:.4f})")
        )
        began = time.perf_counter()
        random = check_random_state(self.random_state)
        start = starting_map(self.init, points, n, self.n_components, random, n_threads)
        made_of = Representatives.of(graph)
        self.n_copies_left_out_ = made_of.n_left_out
        start = start[made_of.kept]
        order = curve_order(start)
        self.timings_["start"] = time.perf_counter() - began
        with ThreadTeam(n_threads) as team:
            began = time.perf_counter()
            affinities = joint(made_of.graph, self.perplexity_, order, team)
            self.timings_["affinities"] = time.perf_counter() - began
            self._say(
                f"{affinities.ptr[-1]} affinities of perplexity {self.perplexity_:g} in "
                f"{self.timings_['affinities']:.3f} s, mean sigma {affinities.mean_sigma:.4g}"
            )
            began = time.perf_counter()
            report = self._optimize(affinities, start[order], order, made_of.place, team)
            self.timings_["optimization"] = time.perf_counter() - began
        self.embedding_ = _in_order(report.map_, order)[made_of.place]
        self.kl_divergence_ = report.kl_divergence
        self.n_iter_ = report.iteration
        self.graph_ = graph

    def fit_transform(self, X: Any, y: Any = None, *, graph: NeighborGraph | None = None) -> Array:
        """Find the map of points and return it; parameters as `fit`'s.

        Returns
        -------
        ndarray of shape (n_samples, n_components), float32
        """
        self._fit(X, graph)
        self._warn_of_copies()
        embedding: Array = self.embedding_
        return embedding

    def transform(self, X: Any) -> Array:
        """Place points on the fitted map, which does not move.

        Each point goes where the divergence of its own affinities from its own q_{j|new} has a
        local minimum, found from the place of one of its neighbors; new points do not see each
        other. One that equals a fitted point is put in its place.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_new, n_features)
            With ``metric="precomputed"``, the distances from each new point to every fitted one,
            (n_new, n_samples).

        Returns
        -------
        ndarray of shape (n_new, n_components), float32
        """
        check_is_fitted(self)
        n_threads = resolve_n_jobs(self.n_jobs)
        k = self.graph_.n_neighbors
        if self._space is None:
            if sparse.issparse(X):
                raise TypeError(
                    "distances to the fitted samples must be dense: what a sparse matrix does not "
                    "hold would count as 0"
                )
            matrix = np.atleast_2d(as_numbers(X, "X"))
            if matrix.shape[1] != len(self.embedding_):
                raise ValueError(
                    "distances to the fitted samples must have the shape (n_new, "
                    f"{len(self.embedding_)}); got {matrix.shape}"
                )
            indices, distances = nearest_in_rows(matrix, k, own=False)
        else:
            X = for_estimator(X, "X")
            checked = validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=False)
            queries = self._space.take(checked, name="X")
            indices, distances = neighbors_among(
                queries, self._space.points, k, self._space.metric, n_threads
            )
        return place_points(
            self.embedding_,
            indices,
            distances,
            self.perplexity_,
            self.mesh_spacing,
            n_threads,
        )

    def _neighbors(
        self, X: Any, graph: NeighborGraph | None, n_threads: int
    ) -> tuple[Array | None, NeighborGraph]:
        """Check the input and find its neighbors; the points, if they are dense, for the start."""
        self._space: SearchSpace | None = None
        points = None
        if self.metric == "precomputed":
            if graph is not None:
                raise ValueError("give the graph itself to fit when metric='precomputed'")
            graph = self._given_graph(X)
        else:
            if isinstance(X, NeighborGraph):
                raise ValueError(
                    "X is a NeighborGraph: use metric='precomputed', or fit(points, graph=graph)"
                )
            X = for_estimator(X, "X")
            checked = validate_data(
                self, X, accept_sparse="csr", dtype="numeric", ensure_min_samples=2
            )
            self._space = SearchSpace.of(checked, self.metric, name="X")
            points = None if sparse.issparse(self._space.points) else self._space.points
            self._set_perplexity(checked.shape[0])
            k = neighbors_for(self.perplexity_, checked.shape[0])
            if graph is None:
                return points, graph_of_points(self._space, k, n_threads)
            if graph.n_samples != checked.shape[0] or graph.metric != self.metric:
                raise ValueError(
                    f"graph must be of the {checked.shape[0]} samples of X with metric "
                    f"{self.metric!r}; got {graph.n_samples} samples, metric {graph.metric!r}"
                )
        self._set_perplexity(graph.n_samples, graph.n_neighbors)
        k = neighbors_for(self.perplexity_, graph.n_samples)
        return points, graph.nearest(min(k, graph.n_neighbors))

    def _given_graph(self, X: Any) -> NeighborGraph:
        if isinstance(X, NeighborGraph):
            graph = X
        else:
            X = X if sparse.issparse(X) else as_numbers(X, "precomputed distances")
            n = X.shape[0] if X.ndim else 0
            wanted = neighbors_for(attainable_perplexity(float(self.perplexity), n), n)
            if n < 2:
                raise ValueError(f"TSNE needs at least 2 samples; got n_samples = {n}")
            graph = graph_of_distances(X, wanted)
        if graph.n_samples < 2:
            raise ValueError(f"TSNE needs at least 2 samples; got n_samples = {graph.n_samples}")
        self.n_features_in_ = graph.n_samples
        return graph

    def _set_perplexity(self, n: int, k: int | None = None) -> None:
        """Use the perplexity asked for, or with a warning what samples and neighbors allow."""
        asked = float(self.perplexity)
        self.perplexity_ = attainable_perplexity(asked, n)
        reason = f"{n} samples allow"
        if k is not None and k < neighbors_for(self.perplexity_, n):
            self.perplexity_ = max(1.0, k / 3)
            reason = f"the graph's {k} neighbors of each sample allow"
        if self.perplexity_ < asked:
            warnings.warn(
                f"perplexity {asked:g} is more than {reason}; using {self.perplexity_:g}, a third "
                "of the number of neighbors",
                UserWarning,
                stacklevel=5,
            )

    def _warn_of_copies(self) -> None:
        if not self.n_copies_left_out_:
            return
        n, k = self.graph_.indices.shape
        warnings.warn(
            f"{self.n_copies_left_out_} of {n} samples are copies of points that have more copies "
            f"than the {k} neighbors looked at: {k + 1} copies of each such point make the map "
            "with the other samples, and the rest are put in their place",
            UserWarning,
            stacklevel=3,
        )

    def _optimize(
        self, affinities: Affinities, start: Array, order: Array, place: Array, team: ThreadTeam
    ) -> Report:
        n, n_components = start.shape
        exact_up_to = EXACT_UP_TO if self.method == "auto" else TOO_FEW_FOR_A_MESH
        exact = self.method == "exact" or n_components == 3 or n <= exact_up_to
        self.method_ = "exact" if exact else "mesh"
        engine: Engine
        if self.method_ == "exact":
            engine = ExactEngine(affinities, start, team)
        else:
            engine = MeshEngine(affinities, start, float(self.mesh_spacing), team)
        phases = self._phases(n)
        self.learning_rate_ = phases[-1].learning_rate
        with progress_bar(self.progress) as bar:
            watcher = Watcher(
                self.verbose,
                self.callback,
                lambda map_: _in_order(map_, order)[place],
                bar,
                int(self.max_iter),
            )
            report = descend(
                engine,
                phases,
                report_every=int(self.callback_every),
                watch=watcher,
                patience=int(self.n_iter_without_progress),
                min_gradient_norm=float(self.min_grad_norm),
            )
            watcher.finish(report)
        return report

    def _phases(self, n: int) -> list[Phase]:
        exaggeration = float(self.early_exaggeration)
        first = min(int(self.early_exaggeration_iter), int(self.max_iter) // 2)
        milder = None
        if exaggeration > MILD:
            milder = Phase(first, MILD, 0.5, self._rate(n, MILD, EARLY))
        return [
            Phase(first, exaggeration, 0.5, self._rate(n, exaggeration, EARLY), milder),
            Phase(int(self.max_iter) - first, 1.0, 0.8, self._rate(n, 1.0)),
        ]

    def _rate(self, n: int, exaggeration: float, share: float = 1.0) -> float:
        if self.learning_rate == "auto":
            return share * max(n / exaggeration, 50.0)
        return float(self.learning_rate)

    def _say(self, line: str) -> None:
        if self.verbose:
            say(line)

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.metric == "precomputed"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _in_order(map_: Array, order: Array) -> Array:
    """Return a map whose row r is sample ``order[r]`` in the order of the samples."""
    result = np.empty_like(map_)
    result[order] = map_
    return result
