"""Untrained copies of models, the control of a study."""

from typing import Any

from ._adapters.base import find_adapter


def untrained(model: Any, random_state: int = 0) -> Any:
    """Return a copy of a model with fresh weights: the same architecture, nothing learned.

    Parameters
    ----------
    model : object
        A Keras model, a PyTorch module, or a neural network of scikit-learn; it is not modified.
    random_state : int, default=0
        Seeds the weights. Use several seeds to see how much a control depends on them.

    Returns
    -------
    object
        A model of the same class, with its hooks and modes. Its weights are drawn as its authors
        draw them, by the first of these ways whose weights have the same shapes:

        - Keras: every layer is built from its configuration, with its own initializers. What a
          layer learned by ``adapt``, such as the mean of the data, is kept.
        - Hugging Face transformers: the class is built from the model's configuration.
        - timm: ``create_model`` of the same architecture; or ``init_weights``.
        - torchvision: the builder of the same weights, such as ``resnet18``. A layer that was
          put in the place of another, such as a new head, is drawn by itself.
        - PyTorch: the class is built again with the attributes that have the names of its
          constructor's parameters.
        - PyTorch: ``reset_parameters`` of each module, inner ones first. It is not done for a
          class that initializes weights itself, or that holds parameters which nothing draws.

        Nothing is downloaded or loaded, and no value is taken from the trained weights. Tables of
        positions and other buffers that the model never changes are kept in the last way.

    Raises
    ------
    ValueError
        If the weights of some part cannot be drawn; the message names it. Also for TorchScript,
        exported programs, ONNX models and arrays, which do not record how they were initialized,
        and for models with adapters of PEFT.
    TypeError
        If no adapter accepts the model.

    See Also
    --------
    unknot.study : Study a model; runs this control by default, or one that you build.
    extract : Compute the representations at a model's layers.

    Examples
    --------
    >>> import unknot
    >>> model = unknot.networks.perceptron(random_state=0)
    >>> fresh = unknot.representations.untrained(model)
    >>> fresh.count_params() == model.count_params()
    True
    """
    return find_adapter(model).untrained(random_state).model
