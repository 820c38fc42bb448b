"""Validation of the parameters of `TSNE`."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from .._validation.numbers import is_integer
from ..neighbors import METRICS

# scikit-learn's estimators accept anything in the constructor and validate in fit: so these types
# are for type checkers only, and not enforced at run time.
if TYPE_CHECKING:
    Number: TypeAlias = float
    NumberOrName: TypeAlias = float | str
    Whole: TypeAlias = int
    WholeOrNone: TypeAlias = int | None
    Name: TypeAlias = str
    Flag: TypeAlias = bool
else:
    Number = NumberOrName = Whole = WholeOrNone = Name = Flag = Any

METHODS = ("auto", "barnes_hut", "mesh", "exact")


def check_parameters(estimator: Any) -> None:
    """Raise an error if a parameter of a `TSNE` is invalid.

    Raises
    ------
    TypeError
        If a parameter has the wrong type.
    ValueError
        If a value is out of range.
    """
    if estimator.n_components not in (1, 2, 3):
        raise ValueError(f"n_components must be 1, 2 or 3; got {estimator.n_components!r}")
    _real("perplexity", estimator.perplexity, above=0.0)
    _real("early_exaggeration", estimator.early_exaggeration, at_least=1.0)
    _real("min_grad_norm", estimator.min_grad_norm, at_least=0.0)
    _real("mesh_spacing", estimator.mesh_spacing, above=0.0)
    if estimator.learning_rate != "auto":
        _real("learning_rate", estimator.learning_rate, above=0.0, instead="'auto' or ")
    _whole("max_iter", estimator.max_iter, 1)
    _whole("early_exaggeration_iter", estimator.early_exaggeration_iter, 0)
    _whole("n_iter_without_progress", estimator.n_iter_without_progress, 0)
    _whole("callback_every", estimator.callback_every, 1)
    if estimator.metric not in (*METRICS, "precomputed"):
        allowed = ", ".join(map(repr, (*METRICS, "precomputed")))
        raise ValueError(
            f"metric must be one of {allowed}; got {estimator.metric!r}. "
            "For another metric, compute the distances and use metric='precomputed'"
        )
    if estimator.metric_params is not None:
        raise ValueError(
            f"metric_params must be None, as metric={estimator.metric!r} has no parameters; got "
            f"{estimator.metric_params!r}"
        )
    if estimator.method not in METHODS:
        allowed = ", ".join(map(repr, METHODS))
        raise ValueError(f"method must be one of {allowed}; got {estimator.method!r}")
    if estimator.method == "mesh" and estimator.n_components == 3:
        raise ValueError("method='mesh' is for 1 or 2 components; use 'auto' or 'exact' for 3")
    if estimator.callback is not None and not callable(estimator.callback):
        raise TypeError(f"callback must be callable or None; got {estimator.callback!r}")


def _real(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    instead: str = "",
) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {instead}a number; got {value!r}")
    number = float(value)
    if at_least is not None and not at_least <= number < float("inf"):
        raise ValueError(f"{name} must be {instead}finite and at least {at_least:g}; got {value!r}")
    if above is not None and not above < number < float("inf"):
        raise ValueError(f"{name} must be {instead}finite and above {above:g}; got {value!r}")


def _whole(name: str, value: Any, at_least: int) -> None:
    if not is_integer(value):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if int(value) < at_least:
        raise ValueError(f"{name} must be at least {at_least:g}; got {value!r}")
