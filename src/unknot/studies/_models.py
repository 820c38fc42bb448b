"""What a study must know of a model beside its layers: a fingerprint, a name, its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._typing import Array


def model_fingerprint(model: Any) -> str:
    """Hash a model: its architecture as far as it can be told, and every weight.

    Two models with one fingerprint give the same representations, unless code that is not part of
    their description has changed, such as the ``forward`` of a PyTorch module.

    Raises
    ------
    TypeError
        If the model is of no kind that has weights to hash.
    """
    digest = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}".encode())
    for name, array in _weights(model):
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    digest.update(_architecture(model).encode())
    return digest.hexdigest()


def _weights(model: Any) -> list[tuple[str, Array]]:
    if isinstance(model, Mapping):
        return [(str(name), np.asarray(values[:])) for name, values in model.items()]
    if hasattr(model, "SerializeToString"):
        return [("onnx", np.frombuffer(model.SerializeToString(), np.uint8))]
    if isinstance(model, bytes):
        return [("bytes", np.frombuffer(model, np.uint8))]
    if callable(getattr(model, "get_weights", None)):
        return [(str(i), np.asarray(array)) for i, array in enumerate(model.get_weights())]
    state = getattr(model, "state_dict", None)
    if state is not None:
        held = state() if callable(state) else state
        return [
            (name, np.asarray(tensor.detach().cpu().contiguous().view(-1).numpy()))
            for name, tensor in held.items()
            if hasattr(tensor, "detach")
        ]
    if hasattr(model, "__fspath__") or isinstance(model, str):
        return [("file", np.fromfile(model, np.uint8))]
    raise TypeError(f"a {type(model).__name__} has no weights to tell it by")


def _architecture(model: Any) -> str:
    if isinstance(model, Mapping) or hasattr(model, "SerializeToString"):
        return ""
    if callable(getattr(model, "get_weights", None)):
        try:
            return str(model.to_json())
        except (NotImplementedError, TypeError, ValueError):
            # A subclassed model that does not describe itself.
            return f"{[layer.name for layer in model.layers]}"
    return repr(model) if hasattr(model, "state_dict") and callable(model.state_dict) else ""


def answers(
    output: Array | None, class_names: tuple[str, ...], labels: Array, *, named: bool
) -> tuple[Array | None, Array | None, tuple[str, ...], tuple[str, ...]]:
    """Return predictions, probabilities, the class names with those the model adds, and notes.

    Outputs that are not probabilities are taken as logits; one output alone is that of the second
    of two classes.
    """
    if output is None:
        return None, None, class_names, ("the model's output is not one number for each class",)
    outputs = output.reshape(len(output), -1).astype(np.float64)
    if outputs.shape[1] == 1:
        if len(class_names) != 2:
            return None, None, class_names, (_mismatch(1, class_names),)
        if outputs.min() < 0 or outputs.max() > 1:
            outputs = 1.0 / (1.0 + np.exp(-np.clip(outputs, -700, 700)))
        outputs = np.concatenate([1.0 - outputs, outputs], axis=1)
    if outputs.shape[1] > len(class_names) and not named:
        class_names = tuple(str(i) for i in range(outputs.shape[1]))
    if outputs.shape[1] != len(class_names):
        return None, None, class_names, (_mismatch(outputs.shape[1], class_names),)
    sums = outputs.sum(axis=1)
    if outputs.min() < -1e-6 or np.abs(sums - 1).max() > 1e-3:
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs = powers / powers.sum(axis=1, keepdims=True)
    predictions = (
        output.reshape(len(output), -1).argmax(axis=1)
        if output.size > len(output)
        else outputs.argmax(axis=1)
    )
    notes: tuple[str, ...] = ()
    accuracy = float(np.mean(predictions == labels))
    chance = float(np.bincount(labels).max() / len(labels)) / 2
    if accuracy < chance:
        notes = (
            f"the model's accuracy on these data, {100 * accuracy:.1f} %, is far below chance: do "
            "its outputs stand in the order of the class names?",
        )
    return predictions.astype(np.int64), outputs.astype(np.float32), class_names, notes


def _mismatch(n_outputs: int, class_names: tuple[str, ...]) -> str:
    return (
        f"the model has {n_outputs} output{'s' * (n_outputs != 1)} and the data "
        f"{len(class_names)} classes: there are no predictions and no accuracy"
    )
