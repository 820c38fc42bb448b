"""Predictions and probabilities from a model's output, where its columns are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._typing import Array
from .labeling import Labeling


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model answers.

    Attributes
    ----------
    predictions : ndarray of int64 (n_samples,), or None
    probabilities : ndarray of float32 (n_samples, C), or None
    class_names : tuple of str
        Those of the labels, and the model's further ones.
    notes : tuple of str
        Why there are no predictions, or how they were found.
    """

    predictions: Array | None
    probabilities: Array | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def answers(
    output: Array | None,
    labeling: Labeling,
    *,
    model_names: Sequence[str] | None = None,
    accuracy: bool | None = None,
) -> Answers:
    """Return a model's predictions, if it is known which output is which class.

    Outputs that are not probabilities are taken as logits. A single output belongs to the second of
    two classes.

    Parameters
    ----------
    output : ndarray (n_samples, ...), or None
    labeling : Labeling
    model_names : sequence of str, optional
        What the model itself calls its outputs.
    accuracy : bool, optional
        False for no predictions. True if the outputs are known to be in the order of the classes.

    Raises
    ------
    ValueError
        If accuracy is True and there can be none.
    """
    found = _answers(output, labeling, model_names, accuracy)
    if accuracy and found.predictions is None:
        raise ValueError(f"accuracy=True: {'; '.join(found.notes) or 'numbers have no accuracy'}")
    return found


def _answers(
    output: Array | None,
    labeling: Labeling,
    model_names: Sequence[str] | None,
    accuracy: bool | None,
) -> Answers:
    names = labeling.class_names

    def none(*notes: str) -> Answers:
        return Answers(None, None, names, notes)

    if accuracy is False or labeling.values is not None:
        return none()
    if output is None:
        return none("the model's output is not one number for each class")
    outputs = output.reshape(len(output), -1).astype(np.float64)
    n_outputs = outputs.shape[1]
    if bad := int((np.isnan(outputs) | np.isposinf(outputs)).any(axis=1).sum()):
        return none(
            f"the model's output is NaN or infinite for {bad:,} samples: there are no predictions "
            "and no accuracy"
        )
    if labeling.column is not None:
        return _of_column(outputs, labeling)
    own = _model_columns(names, model_names, n_outputs)
    notes: tuple[str, ...] = ()
    if own is not None:
        order, names = own
        if order != sorted(order):
            notes = ("the model's own names of its outputs tell which of them is which class",)
    elif labeling.named:
        problem = _order_problem(labeling, n_outputs, accuracy)
        if problem:
            return none(problem)
        order = list(range(n_outputs))
    else:
        numbers = _model_numbers(labeling, model_names, n_outputs)
        if numbers is not None:
            return _by_numbers(outputs, labeling, numbers)
        problem = _number_problem(outputs, labeling, accuracy)
        if problem:
            return none(problem)
        names = tuple(str(i) for i in range(max(n_outputs, len(names))))
        order = list(range(n_outputs))
    if n_outputs == 1:
        if outputs.min() < 0 or outputs.max() > 1:
            outputs = 1.0 / (1.0 + np.exp(-np.clip(outputs, -700, 700)))
        outputs = np.concatenate([1.0 - outputs, outputs], axis=1)
        predictions = (outputs[:, 1] > 0.5).astype(np.int64)
    else:
        predictions = np.asarray(output.reshape(len(output), -1)[:, order].argmax(axis=1))
        outputs = _as_probabilities(outputs[:, order])
    suspicion = _suspicion(predictions, labeling)
    return Answers(
        predictions.astype(np.int64), outputs.astype(np.float32), names, (*notes, *suspicion)
    )


def _as_probabilities(outputs: Array) -> Array:
    sums = outputs.sum(axis=1)
    if outputs.min() >= -1e-6 and np.abs(sums - 1).max() <= 1e-3:
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _model_numbers(
    labeling: Labeling, model_names: Sequence[str] | None, n_outputs: int
) -> list[int] | None:
    """Return the label of each output, where the model says that they are other numbers."""
    if model_names is None or len(model_names) != n_outputs or n_outputs < 2:
        return None
    if not all(name.isdecimal() and len(name) < 5 for name in model_names):
        return None
    numbers = [int(name) for name in model_names]
    present = set(np.unique(labeling.codes[labeling.codes >= 0]).tolist())
    if numbers == list(range(n_outputs)) or len(set(numbers)) < n_outputs:
        return None
    return numbers if present <= set(numbers) else None


def _by_numbers(outputs: Array, labeling: Labeling, numbers: list[int]) -> Answers:
    n_classes = max(*numbers, len(labeling.class_names) - 1) + 1
    probabilities = np.zeros((len(outputs), n_classes), dtype=np.float32)
    probabilities[:, numbers] = _as_probabilities(outputs)
    predictions = np.array(numbers, dtype=np.int64)[outputs.argmax(axis=1)]
    names = tuple(str(i) for i in range(n_classes))
    note = "the model's own names of its outputs tell which of them is which class"
    return Answers(predictions, probabilities, names, (note, *_suspicion(predictions, labeling)))


def _order_problem(labeling: Labeling, n_outputs: int, accuracy: bool | None) -> str | None:
    """Return why named classes cannot be the outputs, if so."""
    names = labeling.class_names
    fitting = n_outputs == len(names) or (n_outputs == 1 and len(names) == 2)
    if not fitting:
        return _mismatch(n_outputs, len(names))
    # The sign of a single output is that of the label.
    if labeling.order_known or accuracy or (n_outputs == 1 and names == ("-1", "1")):
        return None
    return (
        f"which of the model's {n_outputs} output{'s' * (n_outputs != 1)} is which class is not "
        "known from the labels, so there are no predictions and no accuracy; pass "
        "class_names=[...], in the order of the outputs"
    )


def _number_problem(outputs: Array, labeling: Labeling, accuracy: bool | None) -> str | None:
    """Return why labels that are numbers do not number the outputs, if so."""
    n_outputs, codes = outputs.shape[1], labeling.codes[labeling.codes >= 0]
    present = np.unique(codes)
    low, top = int(present[0]), int(present[-1])
    if n_outputs == 1:
        return None if top == 1 else _mismatch(1, len(labeling.class_names))
    if top >= n_outputs:
        if low == 1 and top == n_outputs:
            return (
                f"the labels are 1 to {top} and the model has {n_outputs} outputs, numbered from "
                "0: there are no predictions and no accuracy. If label 1 is the first output, pass "
                "labels - 1"
            )
        if len(present) == n_outputs:
            listed = ", ".join(map(str, present[:5].tolist())) + ", ..." * (len(present) > 5)
            return (
                f"the labels are {listed} and the model has {n_outputs} outputs: which output is "
                "which class is not known, so there are no predictions and no accuracy; pass "
                "class_names=[...], in the order of the outputs"
            )
        return _mismatch(n_outputs, len(labeling.class_names))
    if low >= 1 and not accuracy:
        # Without a label 0 they may count from 1.
        predicted = outputs.argmax(axis=1)[labeling.codes >= 0]
        here, shifted = float((predicted == codes).mean()), float((predicted == codes - 1).mean())
        if shifted - here > len(codes) ** -0.5:
            return (
                f"no label is 0, and the model's outputs fit the labels less 1 better "
                f"({100 * shifted:.1f} % than {100 * here:.1f} %), so there are no predictions and "
                "no accuracy. If the labels count from 1, pass labels - 1; if not, accuracy=True"
            )
    return None


def _of_column(outputs: Array, labeling: Labeling) -> Answers:
    """Return yes or no of one of several outputs, each with a threshold of its own."""
    names = labeling.class_names
    if outputs.shape[1] != labeling.n_columns:
        note = _mismatch(outputs.shape[1], labeling.n_columns or 0, "columns of labels")
        return Answers(None, None, names, (note,))
    probable = outputs.min() >= 0 and outputs.max() <= 1
    if probable and outputs.shape[1] > 1 and np.abs(outputs.sum(axis=1) - 1).max() < 1e-3:
        note = (
            "the model's outputs sum to 1, as those of one class a sample: there are no "
            "predictions and no accuracy for labels of which several hold at once"
        )
        return Answers(None, None, names, (note,))
    yes = outputs[:, labeling.column]
    if not probable:
        yes = 1.0 / (1.0 + np.exp(-np.clip(yes, -700, 700)))
    probabilities = np.stack([1.0 - yes, yes], axis=1).astype(np.float32)
    return Answers((yes > 0.5).astype(np.int64), probabilities, names)


def _model_columns(
    names: tuple[str, ...], model_names: Sequence[str] | None, n_outputs: int
) -> tuple[list[int], tuple[str, ...]] | None:
    """Return the outputs in the order of the classes, the others last, and the names of all."""
    if model_names is None or len(model_names) != n_outputs or n_outputs < 2:
        return None
    columns = {_folded(name): column for column, name in enumerate(model_names)}
    if len(columns) != n_outputs or len({_folded(name) for name in names}) != len(names):
        return None
    if not all(_folded(name) in columns for name in names):
        return None
    order = [columns[_folded(name)] for name in names]
    others = [column for column in range(n_outputs) if column not in set(order)]
    return [*order, *others], (*names, *(str(model_names[column]) for column in others))


def _folded(name: str) -> str:
    return " ".join(str(name).casefold().replace("_", " ").split())


def model_names_of(model: Any) -> tuple[str, ...] | None:
    """Return what a model calls its outputs: ``config.id2label`` or ``classes_``, if anything."""
    named = getattr(getattr(model, "config", None), "id2label", None)
    if isinstance(named, Mapping) and named:
        try:
            listed = {int(key): str(value) for key, value in named.items()}
        except (TypeError, ValueError):
            return None
        if sorted(listed) != list(range(len(listed))):
            return None
        names = tuple(listed[column] for column in range(len(listed)))
        # What transformers fills in where nobody named the labels.
        return None if all(name == f"LABEL_{i}" for i, name in enumerate(names)) else names
    try:
        classes = getattr(model, "classes_", None)
        listed_classes = None if classes is None else np.asarray(classes)
    except Exception:  # a property of an estimator that is not fitted
        return None
    if listed_classes is None or listed_classes.ndim != 1 or not len(listed_classes):
        return None
    return tuple(str(value) for value in listed_classes.tolist())


def _suspicion(predictions: Array, labeling: Labeling) -> tuple[str, ...]:
    labeled = labeling.codes >= 0
    labels = labeling.codes[labeled]
    accuracy = float(np.mean(predictions[labeled] == labels))
    chance = float(np.bincount(labels).max() / len(labels)) / 2
    if accuracy >= chance:
        return ()
    return (
        f"the model's accuracy on these data, {100 * accuracy:.1f} %, is far below chance: do "
        "its outputs stand in the order of the class names?",
    )


def _mismatch(n_outputs: int, n_classes: int, what: str = "classes") -> str:
    return (
        f"the model has {n_outputs} output{'s' * (n_outputs != 1)} and the data "
        f"{n_classes} {what}: there are no predictions and no accuracy"
    )
