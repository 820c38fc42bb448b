"""Untrained copies of models, the control of a study."""

from typing import Any

from ._adapters.base import find_adapter


def untrained(model: Any, random_state: int = 0) -> Any:
    """Return a copy of a model with fresh weights: the same architecture, nothing learned.

    Parameters
    ----------
    model : object
        A Keras model or a PyTorch module; it is not modified.
    random_state : int, default=0
        Seeds the weights. Use several seeds to see how much a control depends on them.

    Returns
    -------
    object
        A model of the same class. In Keras, every layer is rebuilt from its configuration with
        its own initializers; what a layer learned by ``adapt``, such as the mean of the data, is
        kept. In PyTorch, every module's ``reset_parameters`` is called; parameters of modules
        without that method are drawn from a normal distribution with their present mean and
        standard deviation.

    Raises
    ------
    ValueError
        If the model does not record how its weights were initialized: TorchScript, exported
        programs, ONNX models, arrays. Also if a custom Keras class cannot be rebuilt.
    TypeError
        If no adapter accepts the model.

    See Also
    --------
    unknot.study : Study a model; runs this control by default.
    extract : Compute the representations at a model's layers.

    Examples
    --------
    >>> import unknot
    >>> model = unknot.networks.perceptron(random_state=0)
    >>> fresh = unknot.representations.untrained(model)
    >>> fresh.count_params() == model.count_params()
    True
    """
    return find_adapter(model).untrained(random_state)
