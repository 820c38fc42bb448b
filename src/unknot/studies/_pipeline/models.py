"""Predictions and probabilities from a model's output."""

from __future__ import annotations

import numpy as np

from ..._typing import Array


def answers(
    output: Array | None, class_names: tuple[str, ...], labels: Array, *, named: bool
) -> tuple[Array | None, Array | None, tuple[str, ...], tuple[str, ...]]:
    """Return predictions, probabilities, class names with the model's further ones, and notes.

    Outputs that are not probabilities are taken as logits. A single output belongs to the second of
    two classes.
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
