"""The control of every study: the same network before it learned anything."""

from typing import Any

from ._adapters.base import find_adapter


def untrained(model: Any, random_state: int = 0) -> Any:
    """Return a copy of a model with fresh weights: the same architecture, nothing learned.

    Parameters
    ----------
    model : object
        A Keras model or a PyTorch module; it is not altered.
    random_state : int
        Seeds the weights.

    Returns
    -------
    object
        A model of the same class. In Keras every layer is made anew from its configuration, with
        its own initializers; what a layer learned by ``adapt``, such as the mean of the data, is
        kept. In PyTorch every module's ``reset_parameters`` is called; parameters of modules that
        have none are drawn from a normal distribution with the mean and the standard deviation
        that they had.

    Raises
    ------
    ValueError
        If the model is of a kind that does not say how its weights began: TorchScript, exported
        programs, ONNX models, arrays.
    TypeError
        If `model` is of no known kind.
    """
    adapter = find_adapter(model)
    fresh = getattr(adapter, "untrained", None)
    if fresh is None:
        raise ValueError(
            f"model: {type(model).__name__} does not say how its weights began, so there is no "
            "untrained control; give the model as Keras or PyTorch source, or go without"
        )
    return fresh(random_state)
