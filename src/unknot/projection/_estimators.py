"""The base of this package's estimators: scikit-learn's own, as soon as scikit-learn is imported.

Importing scikit-learn takes longer than all else before a first map, and a fit of an array needs
none of it. Whoever can tell an estimator of scikit-learn from another class has imported
``sklearn.base``. At that moment the estimators here become subclasses of its classes. Until then
they have a base that imports scikit-learn when one of its methods is used.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

_BASE = "sklearn.base"
# The dtypes of arrays whose check is simple.
_PLAIN = frozenset(map(np.dtype, ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")))


class Transformer:
    """A transformer of scikit-learn, which is not imported yet."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if Transformer not in cls.__bases__:
            # Someone else's class, which may rely on all that scikit-learn does for subclasses.
            _import_base()
            super(cls, cls).__init_subclass__(**kwargs)
        elif _BASE in sys.modules:
            _import_base()
            _adopt(cls)
        else:
            _waiting.append(cls)

    def _later(self, name: str) -> Any:
        """Import scikit-learn, and return its method, or the attribute of that name."""
        _import_base()
        return getattr(self, name)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; see `sklearn.base.BaseEstimator`."""
        parameters: dict[str, Any] = self._later("get_params")(deep)
        return parameters

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name; see `sklearn.base.BaseEstimator`."""
        return self._later("set_params")(**params)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit to points, and transform them; see `sklearn.base.TransformerMixin`."""
        return self._later("fit_transform")(X, y, **fit_params)

    def get_metadata_routing(self) -> Any:
        """Return which metadata are routed; see `sklearn.base.BaseEstimator`."""
        return self._later("get_metadata_routing")()

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns of the result."""
        return self._later("get_feature_names_out")(input_features)

    def set_output(self, *, transform: Any = None) -> Any:
        """Choose the container of the result; see `sklearn.base.TransformerMixin`."""
        return self._later("set_output")(transform=transform)

    def __sklearn_tags__(self) -> Any:
        return self._sklearn_base("TransformerMixin").__sklearn_tags__(self)

    def __sklearn_clone__(self) -> Any:
        return self._later("__sklearn_clone__")()

    def __repr__(self) -> str:
        _import_base()
        return repr(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self._later("_repr_mimebundle_")(**kwargs)

    @staticmethod
    def _sklearn_base(name: str) -> Any:
        return getattr(_import_base(), name)


# Classes whose bases are to be replaced.
_waiting: list[type] = []


def _import_base() -> ModuleType:
    """Import scikit-learn's base classes, by which the classes that wait become subclasses."""
    return importlib.import_module(_BASE)


def _adopt(cls: Any) -> None:
    """Make a class a subclass of scikit-learn's, as if it had been written so."""
    base = sys.modules[_BASE]
    cls.__bases__ = (
        base.ClassNamePrefixFeaturesOutMixin,
        base.TransformerMixin,
        base.BaseEstimator,
    )
    super(cls, cls).__init_subclass__()


class _BaseFinder(MetaPathFinder):
    """Finds ``sklearn.base`` as others do, and makes the import adopt the classes that wait."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != _BASE:
            return None
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        for finder in sys.meta_path:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _BaseLoader(spec.loader)
                return spec
        return None


class _BaseLoader(Loader):
    """Loads ``sklearn.base`` by its own loader, then adopts the classes that wait."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        while _waiting:
            _adopt(_waiting.pop())


if not TYPE_CHECKING and _BASE not in sys.modules:
    sys.meta_path.insert(0, _BaseFinder())


def validated(estimator: Any, X: Any, **options: Any) -> Any:
    """Check points as scikit-learn's ``validate_data`` does.

    Scikit-learn need not be imported for a plain array of finite numbers: it would only note or
    compare the number of features.
    """
    known = None if options.get("reset", True) else estimator.n_features_in_
    if (
        _BASE not in sys.modules
        and not hasattr(estimator, "feature_names_in_")
        and _is_plain(X, options.get("ensure_min_samples", 1))
        and known in (None, X.shape[1])
    ):
        estimator.n_features_in_ = X.shape[1]
        return np.ascontiguousarray(X) if options.get("order") == "C" else X
    from sklearn.utils.validation import validate_data

    return validate_data(estimator, X, dtype="numeric", **options)


def _is_plain(X: Any, least: int) -> bool:
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in _PLAIN:
        return False
    if len(X) < least or not X.shape[1]:
        return False
    if X.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        total = X.sum()
    return bool(np.isfinite(total) or np.isfinite(X).all())


def checked_fitted(estimator: Any) -> None:
    """Raise scikit-learn's error if an estimator is not fitted."""
    if not any(name.endswith("_") and not name.startswith("__") for name in vars(estimator)):
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(estimator)


def random_of(seed: Any) -> np.random.RandomState:
    """Return the generator for a seed, as scikit-learn's ``check_random_state`` does."""
    if isinstance(seed, np.random.RandomState):
        return seed
    if type(seed) is int and 0 <= seed < 2**32:
        return np.random.RandomState(seed)
    from sklearn.utils import check_random_state

    random: np.random.RandomState = check_random_state(seed)
    return random
