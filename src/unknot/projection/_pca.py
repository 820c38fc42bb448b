"""Principal component analysis that does not depend on the number of threads.

SciPy and scikit-learn compute the decomposition. The centering and the sums are home-made, so that
a large offset costs no precision and rounding does not depend on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Float64
from .._validation.arrays import for_estimator, is_sparse
from .._validation.points import as_points, origin_of, relative
from ..neighbors import centered, frame, row_blocks
from ._estimators import Transformer, checked_fitted, validated
from ._parameters import Whole

# Up to this many features, the directions come from the covariance matrix.
COVARIANCE_FEATURES = 2048
# Partial sums of the covariance, and the minimum rows of each; independent of the number of
# threads, so that the rounding is, too.
PARTS = 16
MIN_ROWS_PER_PART = 1250


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of points that are centered and scaled by a power of two.

    Attributes
    ----------
    mean : ndarray of shape (n_features,), float64
    scale : float
    directions : ndarray of shape (n_components, n_features), float32
        Orthonormal, the largest coefficient of each positive.
    variances : ndarray of shape (n_components,), float64
        Variances of the scaled points, with n_samples - 1 degrees of freedom.
    total : float
        The sum of all variances.
    """

    mean: Float64[Array, " features"]
    scale: float
    directions: Float32[Array, "components features"]
    variances: Float64[Array, " components"]
    total: float

    @classmethod
    def of(
        cls, points: Float32[Array, "samples features"], n_components: int, team: ThreadTeam
    ) -> Components:
        """Compute the leading components."""
        n, n_features = points.shape
        mean, scale = frame(points, team)
        if n_features <= COVARIANCE_FEATURES:
            covariance = _covariance(points, mean, scale, team)
            leading = [n_features - n_components, n_features - 1]
            from scipy import linalg

            values, vectors = linalg.eigh(covariance, subset_by_index=leading)
            directions, variances = vectors.T[::-1], values[::-1].clip(0)
            total = float(np.trace(covariance))
        else:
            from sklearn import decomposition

            scaled = centered(points, slice(0, n), mean, scale)
            # scikit-learn divides by the total variance, which may be 0.
            with np.errstate(invalid="ignore", divide="ignore"):
                model = decomposition.PCA(n_components, random_state=0).fit(scaled)
            directions = model.components_
            variances = model.explained_variance_.astype(np.float64)
            total = float(np.einsum("ij,ij->", scaled, scaled, dtype=np.float64)) / (n - 1)
        largest = np.argmax(np.abs(directions), axis=1)
        flipped = directions[np.arange(len(directions)), largest] < 0
        directions = np.where(flipped[:, None], -directions, directions).astype(np.float32)
        return cls(mean, scale, np.ascontiguousarray(directions), variances, total)

    def project(
        self, points: Float32[Array, "samples features"], team: ThreadTeam
    ) -> Float32[Array, "samples components"]:
        """Project points onto the directions, still scaled."""
        n, n_features = points.shape
        scores = np.empty((n, len(self.directions)), np.float32)
        blocks = row_blocks(n, n_features)

        def project_block(number: int) -> None:
            rows = blocks[number]
            scores[rows] = centered(points, rows, self.mean, self.scale) @ self.directions.T

        team.run(project_block, len(blocks))
        return scores


def _covariance(points: Array, mean: Array, scale: float, team: ThreadTeam) -> Array:
    n, n_features = points.shape
    n_parts = min(PARTS, max(1, n // MIN_ROWS_PER_PART))
    parts = np.zeros((n_parts, n_features, n_features))

    def add(part: int) -> None:
        first, last = n * part // n_parts, n * (part + 1) // n_parts
        for rows in row_blocks(last - first, n_features):
            block = centered(points, slice(first + rows.start, first + rows.stop), mean, scale)
            parts[part] += block.T @ block

    team.run(add, n_parts)
    covariance: Array = parts.sum(axis=0) / max(n - 1, 1)
    return covariance


class PCA(Transformer):
    """Principal component analysis: projection onto the directions of greatest variance.

    Like scikit-learn's PCA, with results that do not depend on the number of threads, and with the
    sign of each component chosen so that its largest coefficient is positive. Points are centered
    in float64, so that a large offset costs no precision; everything else is computed in float32.
    Uses every core.

    Parameters
    ----------
    n_components : int, default=2
        Number of components to keep, at most min(n_samples, n_features).

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features), float32
        Orthonormal directions, in order of decreasing variance.
    mean_ : ndarray of shape (n_features,), float64
        Mean of the points.
    explained_variance_ : ndarray of shape (n_components,), float64
        The variance along each direction, with n_samples - 1 degrees of freedom.
    explained_variance_ratio_ : ndarray of shape (n_components,), float64
        Its fraction of the total variance, in [0, 1]; 0 if there is no variance.
    n_features_in_ : int
        Number of features seen in ``fit``.

    See Also
    --------
    TSNE : Nonlinear projection that preserves neighborhoods.
    align_map : Rotate a map onto another one for comparison.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> points = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    >>> unknot.PCA(n_components=1).fit_transform(points).round(3).ravel().tolist()
    [-5.0, 0.0, 5.0]
    """

    def __init__(self, n_components: Whole = 2) -> None:
        self.n_components = n_components

    def fit(self, X: Any, y: Any = None) -> PCA:
        """Compute the components.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Real and finite. Converted to float32; if that loses precision, relative to one of the
            points.
        y : Ignored
            For compatibility with scikit-learn.

        Returns
        -------
        PCA
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If there are fewer than 2 samples, a value is NaN or infinite, or ``n_components``
            exceeds the number of samples or features.
        """
        given = self._checked(X, reset=True)
        self._middle = origin_of(given)
        points = relative(given, self._middle, name="X")
        if not 1 <= self.n_components <= min(points.shape):
            raise ValueError(
                f"n_components must be from 1 to min(n_samples, n_features) = {min(points.shape)}; "
                f"got n_components={self.n_components!r}"
            )
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(None)) as team:
            self._components = Components.of(points, int(self.n_components), team)
        found = self._components
        self.components_ = found.directions
        self.mean_ = found.mean if self._middle is None else found.mean + self._middle
        self.explained_variance_ = found.variances / found.scale**2
        self.explained_variance_ratio_ = found.variances / (found.total or 1.0)
        return self

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def transform(self, X: Any) -> Array:
        """Project points.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components), float32
        """
        checked_fitted(self)
        points = relative(self._checked(X, reset=False), self._middle, name="X")
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(None)) as team:
            scores = self._components.project(points, team)
        result: Array = (scores / self._components.scale).astype(np.float32)
        return result

    def inverse_transform(self, X: Any) -> Array:
        """Transform projected points back to the original space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float32, or float64 if the fitted points need more precision.
        """
        checked_fitted(self)
        scores = as_points(X, name="X").astype(np.float32)
        with single_threaded_blas():
            offsets = scores @ self.components_
        result: Array = offsets + self.mean_
        return result if self._middle is not None else result.astype(np.float32)

    def _checked(self, X: Any, *, reset: bool) -> Array:
        """Validate points as scikit-learn does, in their own precision."""
        X = as_points(X, name="X") if is_sparse(X) else for_estimator(X, "X")
        options = {"ensure_min_samples": 2} if reset else {}
        array = validated(self, X, order="C", reset=reset, **options)
        return as_points(array, name="X")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
