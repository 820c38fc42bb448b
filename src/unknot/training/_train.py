"""The training loop: epochs of compiled steps, with progress, a history and safe interruption."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._keras import import_keras
from .._typing import Array
from .._validation.numbers import check_integer, check_number
from ._epochs import batch_tables, compile_steps, epoch_batches
from ._history import History, check_history_path, history_path
from ._progress import TrainingProgress
from ._saving import save_model

SECONDS_BETWEEN_CHECKPOINTS = 5.0


def train(
    model: Any,
    data: Any,
    *,
    epochs: int = 10,
    batch_size: int = 100,
    learning_rate: float | None = None,
    validate: Any = False,
    history: History | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    random_state: int | None = None,
    on_epoch_end: Callable[[int, dict[str, float]], None] | None = None,
    callbacks: Sequence[Any] = (),
    progress: bool = True,
) -> History:
    """Train a Keras model by stochastic gradient descent on the cross-entropy.

    The steps are Keras' own; only the batches reach them faster than in ``fit``. On Ctrl-C, the
    model is restored to the end of its last completed epoch and saved if `checkpoint` is set, and
    the history so far is returned.

    Parameters
    ----------
    model : keras.Model
        The model, trained in place. A compiled model keeps its optimizer (with its state), loss
        and metrics; otherwise plain SGD, sparse categorical cross-entropy and accuracy are used.
    data : Dataset, Split or pair of arrays
        Samples of shape (n_samples, ...) and integer labels of shape (n_samples,). Of a dataset,
        the training split is used.
    epochs : int, default=10
        The total number of epochs, including those of `history`. Increase it while the loss still
        decreases.
    batch_size : int, default=100
        Samples per step. The last batch of an epoch is smaller if it does not divide the number
        of samples. Larger batches are faster per epoch, and may need a higher learning rate.
    learning_rate : float, optional
        By default 0.1, or that of a compiled model. Decrease it if the loss becomes NaN or
        oscillates.
    validate : bool, Split or pair of arrays, default=False
        Evaluate after every epoch, on the dataset's test split (True) or on the given data.
    history : History, optional
        The epochs that the model has been trained for already; training resumes after them, with
        the batches that an uninterrupted training would use.
    checkpoint : path, optional
        A ``.keras`` file to save the model to every few seconds, at the end and on Ctrl-C. The
        history is saved beside it as ``NAME.keras.csv``. Both are replaced atomically.
    random_state : int, optional
        Seeds the order of the samples; the same seed gives the same batches on every backend. By
        default, a new order each time.
    on_epoch_end : callable, optional
        Called with the epoch (from 1) and its row of the history.
    callbacks : sequence of objects, optional
        Keras callbacks, such as `unknot.studies.EpochRecorder`. Their ``set_model``,
        ``on_train_begin``, ``on_epoch_begin`` (with the epoch from 0), ``on_epoch_end`` (with its
        row of the history, too) and ``on_train_end`` are called; batch-level methods are not.
    progress : bool, default=True
        Show epochs, metrics, seconds per epoch and the time left, on standard error.

    Returns
    -------
    History
        One row per epoch; ``history.to_csv(path)`` saves it.

    Raises
    ------
    ValueError
        If a number is out of range, `data` does not fit the model, or the loss becomes NaN.
    MissingExtraError
        If Keras or its backend is not installed.

    See Also
    --------
    unknot.networks : Models to train.
    unknot.save_model : Save the trained model.
    unknot.studies.EpochRecorder : Study the layers at chosen epochs of a training.

    Examples
    --------
    >>> import unknot
    >>> digits = unknot.load_dataset("digits")
    >>> model = unknot.networks.perceptron(input_shape=(8, 8, 1), random_state=0)
    >>> history = unknot.train(model, digits, epochs=2, random_state=0, progress=False)
    >>> list(history), history.epochs
    (['epoch', 'loss', 'accuracy', 'seconds'], 2)
    """
    keras = import_keras(feature="Training")
    inputs, labels = _arrays(data, "train", "data")
    validation = (
        None
        if validate is False
        else _arrays(data if validate is True else validate, "test", "validate")
    )
    _check_numbers(epochs, batch_size, learning_rate, history)
    if checkpoint is not None and Path(checkpoint).suffix != ".keras":
        raise ValueError(f"checkpoint must be a .keras file; got {os.fspath(checkpoint)!r}")
    if checkpoint is not None:
        check_history_path(checkpoint)
    _prepare(keras, model, inputs, labels, learning_rate)
    if validation is not None:
        _check_fit(model, *validation, "validate")

    backend = keras.backend.backend()
    run, finish = compile_steps(model, inputs, labels, backend)
    evaluate = None if validation is None else _compile_evaluation(model, *validation, backend)
    for callback in callbacks:
        callback.set_model(model)
        _call(callback, "on_train_begin")
    seed = int(np.random.default_rng().integers(2**31)) if random_state is None else random_state
    done = History() if history is None else history
    saved_at = time.perf_counter()
    weights = _snapshot(model)
    with TrainingProgress(model.name, epochs, done.epochs, shown=progress) as shown:
        try:
            for epoch in range(done.epochs + 1, epochs + 1):
                for callback in callbacks:
                    _call(callback, "on_epoch_begin", epoch - 1)
                started = time.perf_counter()
                model.reset_metrics()
                batches = epoch_batches(len(inputs), min(batch_size, len(inputs)), seed, epoch)
                for i, table in enumerate(batches):
                    run(table)
                    shown.within(epoch, (i + 1) / len(batches))
                finish()
                row = {"epoch": float(epoch), **_metrics(model)}
                row["seconds"] = time.perf_counter() - started
                if evaluate is not None:
                    row |= evaluate()
                _check_loss(row, model)
                done = done.with_epoch(row)
                weights = _snapshot(model)
                shown.finished(epoch, row)
                if on_epoch_end is not None:
                    on_epoch_end(epoch, row)
                for callback in callbacks:
                    _call(callback, "on_epoch_end", epoch - 1, row)
                if checkpoint and time.perf_counter() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                    _save_checkpoint(model, done, checkpoint)
                    saved_at = time.perf_counter()
        except KeyboardInterrupt:
            _restore(model, weights)
            done = History(done.columns, interrupted=True)
            shown.interrupted(done.epochs)
    for callback in callbacks:
        _call(callback, "on_train_end")
    if checkpoint is not None:
        _save_checkpoint(model, done, checkpoint)
    return done


def _call(callback: Any, event: str, *arguments: Any) -> None:
    if (method := getattr(callback, event, None)) is not None:
        method(*arguments)


def _arrays(data: Any, part: str, name: str) -> tuple[Array, Array]:
    """Return contiguous samples and labels of a dataset's split, a split or a pair of arrays."""
    split = getattr(data, part, data)
    if split is None:
        raise ValueError(f"{name}: the dataset {data.name!r} has no {part} split; pass arrays")
    if hasattr(split, "inputs"):
        inputs, labels = split.inputs, split.labels
    elif isinstance(split, Iterable) and len(pair := tuple(split)) == 2:
        inputs, labels = pair
    else:
        raise TypeError(
            f"{name} must be a Dataset, a Split or a pair (inputs, labels); "
            f"got {type(data).__name__}"
        )
    inputs = np.ascontiguousarray(inputs, dtype=np.float32)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(
            f"{name}: labels must be integers of shape (n_samples,); got {labels.dtype} of shape "
            f"{labels.shape}. Use numpy.argmax(labels, 1) for one-hot rows"
        )
    if len(inputs) != len(labels) or not len(inputs):
        raise ValueError(
            f"{name} must hold one label for each sample; "
            f"got {len(inputs)} samples and {len(labels)} labels"
        )
    return inputs, np.ascontiguousarray(labels, dtype=np.int32)


def _check_numbers(
    epochs: int, batch_size: int, learning_rate: float | None, history: History | None
) -> None:
    check_integer(epochs, "epochs", 1)
    if history is not None and history.epochs > epochs:
        raise ValueError(
            f"epochs must include those of the history, which has {history.epochs}; got {epochs}"
        )
    check_integer(batch_size, "batch_size", 1)
    if learning_rate is not None:
        check_number(learning_rate, "learning_rate", 0.0, bounds="above 0", open_low=True)


def _prepare(
    keras: Any, model: Any, inputs: Array, labels: Array, learning_rate: float | None
) -> None:
    """Compile the model if needed, check that the data fit, and build the loss and metrics."""
    if not model.compiled:
        model.compile(
            # Named: Keras would number it by how many the process has created.
            optimizer=keras.optimizers.SGD(
                0.1 if learning_rate is None else learning_rate, name="sgd"
            ),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    elif learning_rate is not None:
        model.optimizer.learning_rate = learning_rate
    _check_fit(model, inputs, labels, "data")
    # Loss and metrics create their variables when first called; a compiled loop must not.
    sample = keras.ops.convert_to_tensor(inputs[:1]), keras.ops.convert_to_tensor(labels[:1])
    predicted = model(sample[0], training=False)
    model.compute_loss(*sample, predicted)
    model.compute_metrics(*sample, predicted)


def _check_fit(model: Any, inputs: Array, labels: Array, name: str) -> None:
    if model.built and getattr(model, "input_shape", None) is not None:
        expected = tuple(model.input_shape[1:])
        if len(expected) != inputs.ndim - 1 or any(
            size not in (None, got) for size, got in zip(expected, inputs.shape[1:], strict=True)
        ):
            raise ValueError(
                f"{name}: model {model.name!r} takes samples of shape {expected}; "
                f"got {inputs.shape[1:]}. Reshape the inputs"
            )
        n_outputs = model.output_shape[-1]
        if labels.min() < 0 or (n_outputs is not None and labels.max() >= n_outputs):
            raise ValueError(
                f"{name}: model {model.name!r} has {n_outputs} outputs, so labels must lie in "
                f"0..{n_outputs - 1}; got {labels.min()}..{labels.max()}"
            )


def _metrics(model: Any) -> dict[str, float]:
    # The loss first: not every version of Keras orders it so.
    found = {name: float(value) for name, value in model.get_metrics_result().items()}
    return {name: found[name] for name in sorted(found, key=lambda name: name != "loss")}


def _compile_evaluation(
    model: Any, inputs: Array, labels: Array, backend: str
) -> Callable[[], dict[str, float]]:
    run, finish = compile_steps(model, inputs, labels, backend, train=False)
    tables = batch_tables(np.arange(len(inputs), dtype=np.int32), min(1000, len(inputs)))

    def evaluate() -> dict[str, float]:
        model.reset_metrics()
        for table in tables:
            run(table)
        finish()
        return {f"val_{name}": value for name, value in _metrics(model).items()}

    return evaluate


def _check_loss(row: dict[str, float], model: Any) -> None:
    if not np.isfinite(row["loss"]):
        rate = float(model.optimizer.learning_rate)
        raise ValueError(
            f"the loss became {row['loss']} in epoch {row['epoch']:.0f}; "
            f"train with a learning_rate below {rate:g}, and look for NaN in the inputs"
        )


def _variables(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _snapshot(model: Any) -> list[Array]:
    convert = import_keras().ops.convert_to_numpy
    return [np.array(convert(variable.value)) for variable in _variables(model)]


def _restore(model: Any, values: list[Array]) -> None:
    for variable, value in zip(_variables(model), values, strict=True):
        variable.assign(value)


def _save_checkpoint(model: Any, history: History, path: str | os.PathLike[str]) -> None:
    # The history first: on disk it may be ahead of the model, but never behind.
    history.to_csv(history_path(path))
    save_model(model, path)
