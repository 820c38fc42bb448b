"""The t-SNE estimator: checks its input, runs the stages, and stores their results.

1000 iterations for MNIST's 60,000 images took 7.0 s on two threads; scikit-learn-intelex, the
fastest rival, 46.3 s, at a higher exact KL divergence: 2.903 instead of 2.657. Now there are 350,
which end at 2.520 (docs/benchmarks.md).
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam
from .._typing import Array
from .._validation.arrays import as_numbers, for_estimator, is_scipy_sparse
from ..neighbors import NeighborGraph, SearchSpace, graph_of_points, neighbors_among
from ._affinities import attainable_perplexity, neighbors_for
from ._copies import Representatives
from ._descent import Report, descend
from ._estimators import Transformer, checked_fitted, random_of, validated
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
from ._precomputed import as_graph, nearest_in_rows
from ._problem import Problem
from ._progress import Watcher, progress_bar, say
from ._schedule import schedule
from ._start import curve_order, starting_map

# Up to this many samples, the sum over all pairs is about as fast as the mesh.
EXACT_UP_TO = 3000
# Up to this many samples, the mesh's errors exceed their interactions.
TOO_FEW_FOR_A_MESH = 100


class TSNE(Transformer):
    """t-distributed stochastic neighbor embedding (t-SNE), on every core.

    Finds a map whose similarities ``q_ij ~ 1 / (1 + |y_i - y_j|^2)`` match the affinities p_ij of
    the points as closely as possible in Kullback-Leibler divergence [vanDerMaaten2008]. Accepts all
    parameters of scikit-learn's TSNE (other metrics as precomputed distances), and has
    ``transform``. Neighbors are exact up to 300,000 points; the repulsion comes from a potential on
    a particle mesh, at a cost of O(N) plus the mesh's.

    Parameters
    ----------
    n_components : {1, 2, 3}, default=2
        Dimensions of the map. With 3, repulsion is summed over all pairs, at a cost of O(N^2), and
        maps differ from those of scikit-learn, whose kernel then has two degrees of freedom. Here
        it has one, as above, in any dimension.
    perplexity : float, default=30.0
        The effective number of neighbors; three times as many are computed. Increase it to
        emphasize larger structures; typical values are 5 to 50. Values below 1 act as 1. If it
        exceeds (n_samples - 1) / 3, that is used instead, with a warning.
    early_exaggeration : float, default=12.0
        Factor of the attraction in the first phase, in which clusters form. Where it does not
        unfold the map, as for data without clusters, the phase restarts with a factor of at most
        1.5.
    learning_rate : float or "auto", default="auto"
        Keep "auto", which is n_samples, at least 50; in the first phase n_samples / (4
        early_exaggeration), at least 12.5 [Belkina2019]. It is for the gradient including its
        factor of 4, as in scikit-learn. In no iteration does a point move farther than 5 units or a
        twentieth of the map's width.
    max_iter : int, default=1000
        The most iterations. Maps of clusters take higher momenta and fewer iterations: by default
        150 in the first phase and 200 after it, with ``max_iter`` above 1000 a fifth of that. Maps
        without clusters take all. Increase it if the divergence still falls at the end.
    n_iter_without_progress : int, default=300
        After the first phase, stop when the KL divergence has had no new minimum for this many
        iterations. Checked every 50 iterations.
    min_grad_norm : float, default=1e-7
        End the first phase, or stop after it, when the gradient norm is at most this.
    metric : {"euclidean", "cosine", "precomputed"}, default="euclidean"
        With "precomputed", ``fit`` takes a `NeighborGraph`, an (n_samples, n_samples) matrix of
        distances, or a sparse matrix of the nearest ones. Use it for any other metric.
    metric_params : None, default=None
        For compatibility with scikit-learn: no metric here has parameters, so it must be None.
    init : {"pca", "random"} or array of shape (n_samples, n_components), default="pca"
        The start of the map. Keep "pca", which preserves the global arrangement [Kobak2019]; it is
        scaled to a standard deviation of 1e-4. Precomputed data have no components: their start is
        random. An array that reaches farther from its mean than 100 + 4 sqrt(n_samples) is scaled
        down to that, since points far apart hardly interact; one less than 1e-8 across is scaled up
        to a standard deviation of 1e-4; a constant coordinate gets random values of that size.
    verbose : int, default=0
        Above 0, print a line per stage and every ``callback_every`` iterations.
    random_state : int, RandomState or None, default=None
        Seeds the random start; nothing else is random. The same seed gives the same bytes for any
        number of threads.
    method : {"auto", "barnes_hut", "mesh", "exact"}, default="auto"
        How repulsion is computed: over all pairs ("exact"), or on a mesh. "auto" is exact up to
        3000 samples and for 3 components. "mesh" is exact up to 100 samples, for which it would be
        too coarse. "barnes_hut", scikit-learn's default, means "auto".
    angle : float, default=0.5
        For compatibility with scikit-learn; has no effect, since there is no Barnes-Hut tree.
    n_jobs : int or None, default=None
        The number of threads of all stages. None means every core (in scikit-learn, one). The
        result does not depend on it.
    early_exaggeration_iter : int, default=250
        The most iterations of the first phase, at most half of ``max_iter``. A map that forms
        clusters ends it after 150.
    mesh_spacing : float, default=0.5
        Distance between the mesh's nodes, in units of the map. The error of the repulsive force is
        about 4 % (root mean square) at 0.5, 1 % at 0.35 and 0.3 % at 0.25; it is much smaller while
        the map is small, and largely cancels between iterations. It is doubled until the last 50
        iterations, where the momentum is high. Decrease it for a more exact force; the cost of the
        mesh grows with the inverse square.
    callback : callable or None, default=None
        Called as ``callback(iteration, kl_divergence, map)`` every ``callback_every`` iterations
        and at the end, with a copy of the map. Return True to stop the fit; None or False to
        continue.
    callback_every : int, default=50
        Iterations between calls of ``callback`` and between lines of ``verbose``.
    progress : bool, default=False
        Show a progress bar.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components), float32
        The map.
    kl_divergence_ : float
        sum_ij p_ij log(p_ij / q_ij) of the map, in nats, at least 0; computed by the exact sum or
        on a mesh of half the spacing, depending on ``method_``.
    n_iter_ : int
        Number of iterations run.
    learning_rate_ : float
        The learning rate of the last phase.
    perplexity_ : float
        The perplexity used.
    graph_ : NeighborGraph
        The neighbors used; its ``recall`` is 1.0 if they are exact.
    n_copies_left_out_ : int
        Number of samples that were not embedded but put where a copy of them is, because their
        point has more copies than there are neighbors; a warning states it. The divergence and
        ``method_`` are those of the other samples.
    method_ : {"mesh", "exact"}
        The method used.
    timings_ : dict
        Seconds of each stage: "neighbors", "affinities", "start", "optimization".
    n_features_in_ : int
        Number of features seen in ``fit``.

    See Also
    --------
    PCA : Linear projection.
    nearest_neighbors : Compute the graph once for several maps.
    map_layers : Maps of successive layers, each started from the previous one.
    align_map : Rotate a map onto another one for comparison.
    unknot.metrics.trustworthiness : How far the map's neighbors are true neighbors.

    Notes
    -----
    The algorithm and its errors: ``docs/tsne.md``; its speed: ``docs/benchmarks.md``.

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
        metric_params: Any = None,
        init: Any = "pca",
        verbose: Whole = 0,
        random_state: Any = None,
        method: Name = "auto",
        angle: Number = 0.5,
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
        self.metric_params = metric_params
        self.init = init
        self.verbose = verbose
        self.random_state = random_state
        self.method = method
        self.angle = angle
        self.n_jobs = n_jobs
        self.early_exaggeration_iter = early_exaggeration_iter
        self.mesh_spacing = mesh_spacing
        self.callback = callback
        self.callback_every = callback_every
        self.progress = progress

    def fit(self, X: Any, y: Any = None, *, graph: NeighborGraph | None = None) -> TSNE:
        """Compute the map of points.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Points, real and finite. With ``metric="precomputed"`` a `NeighborGraph` or distances.
        y : Ignored
            For compatibility with scikit-learn.
        graph : NeighborGraph, optional
            The neighbors of the points, if already computed: at least three times the perplexity
            for each point.

        Returns
        -------
        TSNE
            The fitted estimator itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the input is not as described.

        Warns
        -----
        UserWarning
            If the perplexity is reduced, or copies of points are left out.
        """
        self._fit(X, graph)
        self._warn_of_copies()
        return self

    def _fit(self, X: Any, graph: NeighborGraph | None = None) -> Problem:
        """Fit without the warning about copies; return what the descent started from."""
        check_parameters(self)
        n_threads = resolve_n_jobs(self.n_jobs)
        began = time.perf_counter()
        points, graph = self._neighbors(X, graph, n_threads)
        self.timings_ = {"neighbors": time.perf_counter() - began}
        n = graph.n_samples
        self._say(
            f"{graph.n_neighbors} nearest neighbors of {n} samples in "
            f"{self.timings_['neighbors']:.3f} s "
            + ("(exact)" if graph.recall == 1 else f"(recall {graph.recall:.4f})")
        )
        began = time.perf_counter()
        random = random_of(self.random_state)
        start = starting_map(self.init, points, n, self.n_components, random, n_threads)
        representatives = Representatives.of(graph)
        self.n_copies_left_out_ = representatives.n_left_out
        start = start[representatives.kept]
        order = curve_order(start)
        self.timings_["start"] = time.perf_counter() - began
        with ThreadTeam(n_threads) as team:
            began = time.perf_counter()
            self.method_ = self._method(*start.shape)
            problem = Problem.of(
                representatives, self.perplexity_, order, team, is_exact=self.method_ == "exact"
            )
            self.timings_["affinities"] = time.perf_counter() - began
            affinities = problem.affinities
            self._say(
                f"{affinities.ptr[-1]} affinities of perplexity {self.perplexity_:g} in "
                f"{self.timings_['affinities']:.3f} s, mean sigma {affinities.mean_sigma:.4g}"
            )
            began = time.perf_counter()
            report = self._optimize(problem, start[order], team)
            self.timings_["optimization"] = time.perf_counter() - began
        self.embedding_ = problem.map_of(report.map_)
        self.kl_divergence_ = report.kl_divergence
        self.n_iter_ = report.iteration
        self.graph_ = graph
        return problem

    def fit_transform(  # type: ignore[override] # no further parameters are passed on
        self, X: Any, y: Any = None, *, graph: NeighborGraph | None = None
    ) -> Array:
        """Compute the map of points and return it. Parameters are those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components), float32
        """
        self._fit(X, graph)
        self._warn_of_copies()
        embedding: Array = self.embedding_
        return embedding

    def transform(self, X: Any) -> Array:
        """Embed new points into the fitted map, which does not change.

        Each new point is placed at a local minimum of the divergence of ``q_{j|new}`` from its own
        affinities, starting from the position of one of its neighbors; new points do not interact.
        A point equal to a fitted point gets that point's position.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_new, n_features)
            With ``metric="precomputed"``, the distances from each new point to every fitted point,
            of shape (n_new, n_samples).

        Returns
        -------
        ndarray of shape (n_new, n_components), float32
            The positions of the new points.

        Raises
        ------
        TypeError, ValueError
            If the input is not as described.
        """
        checked_fitted(self)
        n_threads = resolve_n_jobs(self.n_jobs)
        k = self.graph_.n_neighbors
        if self._space is None:
            if is_scipy_sparse(X):
                raise TypeError(
                    "distances to the fitted samples must be dense: the missing entries of a "
                    "sparse matrix would count as 0"
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
            checked = validated(self, X, accept_sparse="csr", reset=False)
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
        """Check the input and find its neighbors; return also the points if they are dense."""
        self._space: SearchSpace | None = None
        points = None
        if self.metric == "precomputed":
            if graph is not None:
                raise ValueError("pass the graph as X when metric='precomputed'")
            graph = as_graph(X, float(self.perplexity))
            self.n_features_in_ = graph.n_samples
        else:
            if isinstance(X, NeighborGraph):
                raise ValueError(
                    "X is a NeighborGraph: use metric='precomputed', or fit(points, graph=graph)"
                )
            X = for_estimator(X, "X")
            checked = validated(self, X, accept_sparse="csr", ensure_min_samples=2)
            self._space = SearchSpace.of(checked, self.metric, name="X")
            points = None if is_scipy_sparse(self._space.points) else self._space.points
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

    def _set_perplexity(self, n: int, k: int | None = None) -> None:
        """Set ``perplexity_``, reduced with a warning to what samples and neighbors allow."""
        perplexity = float(self.perplexity)
        self.perplexity_ = attainable_perplexity(perplexity, n)
        reason = f"{n} samples allow"
        if k is not None and k < neighbors_for(self.perplexity_, n):
            self.perplexity_ = max(1.0, k / 3)
            reason = f"the graph's {k} neighbors of each sample allow"
        if self.perplexity_ < perplexity:
            warnings.warn(
                f"perplexity {perplexity:g} is more than {reason}; using {self.perplexity_:g}, a "
                "third of the number of neighbors",
                UserWarning,
                stacklevel=5,
            )

    def _warn_of_copies(self) -> None:
        if not self.n_copies_left_out_:
            return
        n, k = self.graph_.indices.shape
        warnings.warn(
            f"{self.n_copies_left_out_} of {n} samples are copies of points that have more copies "
            f"than the {k} neighbors used: {k + 1} copies of each such point are embedded with the "
            "other samples, and the rest are put in the same place",
            UserWarning,
            stacklevel=3,
        )

    def _method(self, n_samples: int, n_components: int) -> str:
        """Return how repulsion is computed."""
        exact_up_to = TOO_FEW_FOR_A_MESH if self.method == "mesh" else EXACT_UP_TO
        exact = self.method == "exact" or n_components == 3 or n_samples <= exact_up_to
        return "exact" if exact else "mesh"

    def _optimize(self, problem: Problem, start: Array, team: ThreadTeam) -> Report:
        engine = problem.engine(start, float(self.mesh_spacing), team)
        phases = schedule(self, len(start))
        self.learning_rate_ = phases[-1].learning_rate
        with progress_bar(self.progress) as bar:
            watcher = Watcher(
                self.verbose,
                self.callback,
                problem.map_of,
                bar,
                phases[-1].end,
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
