"""Pipelines, neural networks and transformers of scikit-learn.

Each step of a pipeline is a layer, and so is each hidden layer of a neural network.
"""

import copy
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .._extents import is_wide
from .._loading.unreadable import reason_of
from .._samples import Batch, Source
from .base import Adapter, Fresh, Naming, RunBatch, Sink

ACCEPTS: Final = "a fitted pipeline, neural network or transformer of scikit-learn"


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of an estimator of scikit-learn whose values are layers."""
    base = sys.modules.get("sklearn.base")
    if base is None or not isinstance(model, base.BaseEstimator):
        return None
    is_network = hasattr(model, "hidden_layer_sizes") and hasattr(model, "activation")
    if hasattr(model, "steps") or is_network or hasattr(model, "transform"):
        return SklearnAdapter(model)
    return None


class SklearnAdapter(Adapter):
    """A fitted estimator of scikit-learn."""

    def __init__(self, model: Any) -> None:
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        super().__init__(model, type(model).__name__)
        try:
            for _, step in _steps(model):
                check_is_fitted(step)
        except NotFittedError as error:
            raise ValueError(
                f"model: {self.name} is not fitted; call its fit before it is studied"
            ) from error

    def check(self, samples: Source) -> None:
        """Run two samples."""
        with self.capture(lambda *_: None, ()) as run:
            try:
                run(samples.first(2))
            except Exception as error:
                shapes = ", ".join(f"{part.shape[1:]}" for part in samples.parts.values())
                raise ValueError(
                    f"inputs: model {self.name!r} does not take samples of shape {shapes} "
                    f"({reason_of(error)}). Reshape the inputs to (n_samples, n_features)"
                ) from error

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the parameters and the fitted arrays of all steps."""
        for name, step in _steps(self.model):
            yield f"{name} parameters", repr(step)
            for key, value in sorted(vars(step).items()):
                parts = value if isinstance(value, (list, tuple)) else [value]
                for place, part in enumerate(parts):
                    if isinstance(part, np.ndarray) and part.dtype.kind in "biuf":
                        yield f"{name} {key} {place}", part

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Run the steps one after the other."""

        def run(batch: Batch) -> Any:
            naming = Naming()

            def keep(name: str, kind: str, values: Any) -> None:
                for entry, value in naming.entries(name, _dense(values)):
                    if wanted is None or entry in wanted:
                        array = np.asarray(value)
                        sink(entry, kind, array if is_wide(array) else array.astype(np.float32))

            values, output = batch, None
            steps = list(_steps(self.model))
            for place, (name, step) in enumerate(steps):
                kind = type(step).__name__
                if _is_network(step):
                    prefix = f"{name}." if name else ""
                    for number, hidden in enumerate(_activations(step, values), 1):
                        last = number == len(step.coefs_)
                        label = f"{prefix}output" if last else f"{prefix}hidden_{number}"
                        keep(label, kind, hidden)
                    output = _answer(step, values)
                elif place == len(steps) - 1 and not hasattr(step, "transform"):
                    output = _answer(step, values)
                    keep(name or kind, kind, output)
                else:
                    values = step.transform(values)
                    keep(name or kind, kind, values)
            return None if output is None else np.asarray(output)

        yield run

    def untrained(self, random_state: int) -> Fresh:
        """Draw the weights of the neural network anew; keep the steps before it."""
        fresh = copy.deepcopy(self.model)
        steps = list(_steps(fresh))
        kept = [(name, step) for name, step in steps if not _is_network(step)]
        if len(kept) == len(steps):
            raise ValueError(
                f"model: {self.name} holds no neural network, so there is no untrained control; "
                "pass a model to compare with (untrained=), or do without the control"
            )
        for name, step in kept:
            tags = getattr(step, "__sklearn_tags__", None)
            if tags is None or tags().target_tags.required or not hasattr(step, "transform"):
                raise ValueError(
                    f"model: the step {name!r} of {self.name} learns from the labels, so there is "
                    "no untrained control; pass a model to compare with (untrained=)"
                )
        rng = np.random.default_rng(random_state)
        for _, step in steps:
            if _is_network(step):
                _draw(step, rng)
        how = "scikit-learn's initialization of neural networks"
        if kept:
            how += f"; kept as fitted: {', '.join(name for name, _ in kept)}"
        return Fresh(fresh, how, not kept)


def _steps(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name and estimator of each step; pipelines inside pipelines are unfolded."""
    if not hasattr(model, "steps"):
        yield prefix, model
        return
    for name, step in model.steps:
        if step is not None and step != "passthrough":
            yield from _steps(step, f"{prefix}.{name}" if prefix else name)


def _is_network(step: Any) -> bool:
    return hasattr(step, "coefs_") and hasattr(step, "intercepts_")


def _activations(network: Any, values: Any) -> Iterator[Any]:
    """Yield what each layer of a neural network returns."""
    from sklearn.neural_network._base import ACTIVATIONS

    last = len(network.coefs_) - 1
    values = np.asarray(_dense(values), network.coefs_[0].dtype)
    layers = zip(network.coefs_, network.intercepts_, strict=True)
    for number, (weights, bias) in enumerate(layers):
        values = values @ weights + bias
        ACTIVATIONS[network.out_activation_ if number == last else network.activation](values)
        yield values.copy()


def _answer(step: Any, values: Any) -> Any:
    """Return the probabilities of the classes, or what the step predicts."""
    for name in ("predict_proba", "decision_function", "predict"):
        if hasattr(step, name):
            answer = np.asarray(getattr(step, name)(values))
            return answer if answer.dtype.kind in "biuf" else None
    return None


def _draw(network: Any, rng: np.random.Generator) -> None:
    """Draw the weights as ``fit`` does: uniform within Glorot's bound."""
    factor = 2.0 if network.activation == "logistic" else 6.0
    for weights, bias in zip(network.coefs_, network.intercepts_, strict=True):
        bound = np.sqrt(factor / sum(weights.shape))
        weights[...] = rng.uniform(-bound, bound, weights.shape)
        bias[...] = rng.uniform(-bound, bound, bias.shape)


def _dense(values: Any) -> Any:
    return values.toarray() if hasattr(values, "toarray") else values
