"""The classifier's head: found among a model's weights by what it computes from a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..._typing import Array
from .._store.format import open_zarr
from .._store.layer_records import LayerRecord
from .extraction import AnswerRecord
from .stages import Source, Stages

if TYPE_CHECKING:
    from ...representations import Adapter

# Samples that a candidate must answer as the model does.
TRIED: Final = 64
# The largest difference of a probability, for float32 on either side.
ALLOWED: Final = 2e-3


def find_head(
    stages: Stages,
    adapter: Adapter,
    records: Sequence[LayerRecord],
    sources: Mapping[str, Source],
    answered: AnswerRecord,
) -> tuple[str, tuple[Array, Array | None]] | None:
    """Return the layer that a linear classifier takes, and its weights and bias.

    The weights are a matrix among the model's with which the layer gives the model's
    probabilities, in the order of the classes. None if the model's outputs are not known to be the
    classes, or no layer gives them: it was not taken, or was pooled or projected.
    """
    if answered.probabilities is None or not adapter.computes:
        return None
    expected = np.asarray(open_zarr(stages.folder, answered.probabilities)[:TRIED], np.float64)
    n_classes = expected.shape[1]
    widths = {record.shape[0] for record in records if len(record.shape) == 1}
    matrices, biases = _candidates(adapter, n_classes, widths)
    if not matrices:
        return None
    for record in reversed(records):
        fitting = [each for each in matrices if (each.shape[1],) == tuple(record.shape)]
        if not fitting or record.name not in sources:
            continue
        rows = sources[record.name].read(stages.whole_bytes)[: len(expected)]
        points = np.asarray(rows, np.float64)
        if points.shape[1:] != tuple(record.shape):
            continue  # projected
        for weights in reversed(fitting):
            for bias in (*reversed(biases), None):
                if bias is not None and len(bias) != len(weights):
                    continue
                found = _in_order(weights, bias, points, expected)
                if found is not None:
                    return record.name, found
    return None


def _candidates(
    adapter: Adapter, n_classes: int, widths: set[int]
) -> tuple[list[Array], list[Array]]:
    """Return the matrices (n_outputs, n_features) and vectors that may be a head's."""
    rows = {n_classes, 1} if n_classes == 2 else {n_classes}
    matrices: list[Array] = []
    biases: list[Array] = []
    for values in adapter.weights():
        if values.ndim == 1 and len(values) in rows:
            biases.append(np.asarray(values, np.float64))
        matrices += [
            np.asarray(matrix, np.float64)
            for matrix in _both_ways(values)
            if len(matrix) in rows and matrix.shape[1] in widths
        ]
    return matrices, biases


def _both_ways(values: Array) -> Iterator[Array]:
    if values.ndim == 2 and values.dtype.kind == "f":
        yield values
        yield values.T


def _in_order(
    weights: Array, bias: Array | None, points: Array, expected: Array
) -> tuple[Array, Array | None] | None:
    """Return the head with its outputs in the order of the classes; None if it is another."""
    logits = points @ weights.T + (0.0 if bias is None else bias)
    if not np.isfinite(logits).all():
        return None
    if len(weights) == 1:
        second = 1.0 / (1.0 + np.exp(-np.clip(logits[:, 0], -700, 700)))
        return (weights, bias) if np.abs(second - expected[:, 1]).max() <= ALLOWED else None
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    given = powers / powers.sum(axis=1, keepdims=True)
    apart: Any = np.abs(given[:, :, None] - expected[:, None, :]).max(axis=0)
    order = apart.argmin(axis=0)
    if len(set(order.tolist())) < len(order) or apart.min(axis=0).max() > ALLOWED:
        return None
    return weights[order], None if bias is None else bias[order]
