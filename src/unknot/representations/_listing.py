"""List the layers of a model."""

from __future__ import annotations

from typing import Any, Final

from ._adapters.base import Adapter, find_adapter
from ._adapters.torch_trace import preserved
from ._example_inputs import example_inputs
from ._extract import MAX_BATCH_BYTES, check_forward
from ._labeled import Options, read_inputs
from ._layers import Layer, name_views, probe, probe_sizes
from ._sources.stream import KEPT_BYTES

BATCH: Final = 8


def list_layers(
    model: Any, inputs: Any = None, *, forward: Any = None, tokenizer: Any = None
) -> tuple[Layer, ...]:
    """List the layers of a model that `extract` can compute, in execution order.

    A few samples are run to find them. Layers without one row per sample are omitted.

    Parameters
    ----------
    model : object
        As for `extract`.
    inputs : array-like of shape (n_samples, ...), or anything else that `extract` takes, optional
        Only the first few samples are used. By default random ones of the shape that the model
        declares (Keras, ONNX, exported programs), that its configuration names (transformers,
        timm), or that its first layers accept. Shapes then are those for these samples.
    forward, tokenizer : callable, optional
        As for `extract`.

    Returns
    -------
    tuple of Layer
        Their names, kinds and shapes, and whether they are blocks, which are taken by default.

    Raises
    ------
    ValueError
        If the inputs do not fit the model, or none are given and the model accepts none of those
        tried.
    TypeError
        If no adapter accepts the model.

    See Also
    --------
    unknot.extract : Compute the values of layers.
    unknot.study : Measure and draw every layer.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> unknot.list_layers({"fc1": np.ones((5, 3))})
    (Layer(name='fc1', kind='array', shape=(3,), same_as=None, description='', is_block=True),)
    >>> model = unknot.networks.perceptron(n_classes=3, input_shape=(4, 4, 1), random_state=0)
    >>> [layer.name for layer in unknot.list_layers(model) if layer.is_block][-1]
    'probabilities'
    """
    adapter = find_adapter(model)
    adapter.forward = check_forward(forward, adapter)
    if inputs is not None:
        options = Options(None, None, tokenizer, adapter.batch_size or BATCH, forward is not None)
        return _listed(adapter, read_inputs(adapter, inputs, options, KEPT_BYTES).inputs)
    with preserved(model):
        return _listed(adapter, example_inputs(adapter))


def _listed(adapter: Adapter, inputs: Any) -> tuple[Layer, ...]:
    samples = adapter.samples(inputs)
    found = [entry for entry in probe(adapter, samples).found if not entry.problem]
    found = [entry for entry in found if not entry.is_extra or entry.layer.is_block]
    size = probe_sizes(adapter, samples)[0]
    if 4 * size * sum(entry.layer.size for entry in found) <= MAX_BATCH_BYTES:
        found = name_views(adapter, samples, found)
    return tuple(entry.layer for entry in found)
