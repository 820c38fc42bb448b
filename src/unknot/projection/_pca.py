"""Principal component analysis, behind this package's contract."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import decomposition
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._team import single_threaded_blas
from .._typing import Array
from ._parameters import Whole


class PCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Projection onto the directions of greatest variance.

    scikit-learn's PCA, with results that do not depend on the number of threads: its solver is
    seeded, the products run on one thread, and every component points where its largest
    coefficient is positive.

    Parameters
    ----------
    n_components : int, default=2
        Directions to keep, at most min(n_samples, n_features).

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features), float32
        Orthonormal directions, by falling variance.
    mean_ : ndarray of shape (n_features,), float32
    explained_variance_ : ndarray of shape (n_components,), float32
        The variance along each direction, with n_samples - 1 degrees of freedom.
    explained_variance_ratio_ : ndarray of shape (n_components,), float32
        Its fraction of the total variance, in [0, 1].
    n_features_in_ : int

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
        """Find the directions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real and finite; computed in float32.
        y : ignored

        Raises
        ------
        ValueError
            If there are fewer than 2 samples, a value is NaN or infinite, or more components are
            asked for than there are samples or features.
        """
        points = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        many = points.shape[0] >= points.shape[1] and points.shape[1] <= 2048
        solver = "covariance_eigh" if many else "auto"
        model = decomposition.PCA(self.n_components, svd_solver=solver, random_state=0)
        with single_threaded_blas(), np.errstate(invalid="ignore", divide="ignore"):
            model.fit(points)
        components = model.components_
        largest = np.argmax(np.abs(components), axis=1)
        signs = np.sign(components[np.arange(len(components)), largest])
        self.components_ = np.where(signs[:, None] < 0, -components, components).astype(np.float32)
        self.mean_ = model.mean_.astype(np.float32)
        self.explained_variance_ = model.explained_variance_.astype(np.float32)
        self.explained_variance_ratio_ = np.nan_to_num(
            model.explained_variance_ratio_.astype(np.float32)
        )
        return self

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def transform(self, X: Any) -> Array:
        """Project points, as a float32 array (n_samples, n_components)."""
        check_is_fitted(self)
        points = validate_data(self, X, dtype=np.float32, reset=False)
        with single_threaded_blas():
            result: Array = (points - self.mean_) @ self.components_.T
        return result

    def inverse_transform(self, X: Any) -> Array:
        """Put projected points back into the space they came from, float32."""
        check_is_fitted(self)
        with single_threaded_blas():
            result: Array = np.asarray(X, dtype=np.float32) @ self.components_ + self.mean_
        return result

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
