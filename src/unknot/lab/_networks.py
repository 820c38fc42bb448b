"""Exercises 1 to 3: train the networks, save them in all formats, and reload them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import networks
from .._io.atomic import write_array
from .._io.cache import Step, Workspace
from .._typing import Array
from ..datasets import Dataset, Split
from ..training import History, history_path, load_keras_model, save_model, train
from ._settings import NETWORKS, LabSettings

FORMATS = (".keras", ".h5", ".yaml")
BATCH = 1000


def train_networks(
    workspace: Workspace, settings: LabSettings, data: Dataset
) -> Iterator[tuple[str, Step]]:
    """Train the networks, reusing finished ones; yield the name and step of each."""
    for name in NETWORKS:
        yield name, _train_network(name, workspace, settings, data)


def _train_network(name: str, workspace: Workspace, settings: LabSettings, data: Dataset) -> Step:
    files = [f"models/{name}{suffix}" for suffix in (*FORMATS, ".weights.h5")]
    files += [f"histories/{name}.csv", f"predictions/{name}.npy"]
    files += [epoch_file(name, epoch) for epoch in _kept_epochs(settings, name)]
    test = data.test
    assert test is not None

    def work(fingerprint: str) -> dict[str, Any]:
        model, history = _train_or_resume(name, workspace, settings, data, fingerprint)
        history.to_csv(workspace.path(f"histories/{name}.csv"))
        loss, accuracy = model.evaluate(test.inputs, test.labels, batch_size=BATCH, verbose=0)
        probabilities = _predict(model, test)
        reloaded = {}
        for suffix in FORMATS:
            path = workspace.path(f"models/{name}{suffix}")
            save_model(model, path)
            reloaded[suffix] = np.array_equal(_predict(load_keras_model(path), test), probabilities)
        write_array(workspace.path(f"predictions/{name}.npy"), probabilities)
        for suffix in (".keras", ".keras.csv", ".fingerprint"):
            workspace.partial(name, suffix).unlink(missing_ok=True)
        return {
            "parameters": model.count_params(),
            "epochs": history.epochs,
            "test_loss": float(loss),
            "test_accuracy": float(accuracy),
            # The median excludes the compilation in the first epoch.
            "seconds_per_epoch": float(np.median(history["seconds"])),
            "training_seconds": float(np.sum(history["seconds"])),
            "same_predictions_when_loaded": reloaded,
        }

    return workspace.do(
        f"train_{name}",
        {
            "random_state": settings.random_state,
            "backend": settings.backend,
            "epochs": settings.epochs[name],
            "batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "recorded": _kept_epochs(settings, name),
            "train_samples": len(data.train),
            "test_samples": len(test),
        },
        [],
        files,
        work,
    )


def _train_or_resume(
    name: str, workspace: Workspace, settings: LabSettings, data: Dataset, fingerprint: str
) -> tuple[Any, History]:
    """Train from scratch, or resume from the checkpoint of an interrupted run."""
    checkpoint = workspace.partial(name, ".keras")
    marker = workspace.partial(name, ".fingerprint")
    model = getattr(networks, name)(
        n_classes=data.n_classes,
        input_shape=data.train.inputs.shape[1:],
        random_state=settings.random_state,
    )
    history = None
    if (
        marker.is_file()
        and marker.read_text() == fingerprint
        and (checkpoint.is_file() and history_path(checkpoint).is_file())
    ):
        saved = load_keras_model(checkpoint)
        history = _matching_history(saved, checkpoint, len(data.train), settings.batch_size)
        if history is not None:
            restore_state(model, saved)
    if history is None:
        checkpoint.unlink(missing_ok=True)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(fingerprint)
    history = train(
        model,
        data,
        epochs=settings.epochs[name],
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        validate=True,
        history=history,
        checkpoint=checkpoint,
        random_state=settings.random_state,
        callbacks=[_SavedEpochs(name, workspace, settings)],
    )
    if history.interrupted:
        raise KeyboardInterrupt
    return model, history


class _SavedEpochs:
    """Saves the network at the epochs to study.

    It is called before the checkpoint is written, so that what resumes from there has them.
    """

    def __init__(self, name: str, workspace: Workspace, settings: LabSettings) -> None:
        self._files = {
            epoch: workspace.path(epoch_file(name, epoch)) for epoch in _kept_epochs(settings, name)
        }
        self._model: Any = None

    def set_model(self, model: Any) -> None:
        self._model = model

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch + 1 in self._files:
            save_model(self._model, self._files[epoch + 1])


def epoch_file(name: str, epoch: int) -> str:
    """Return the file of a network at an epoch, relative to the lab's folder."""
    return f"models/{name}-epoch-{epoch}.keras"


def network_at(name: str, epoch: int, workspace: Workspace, settings: LabSettings) -> Any:
    """Return a network as it was at a recorded epoch."""
    last = load_keras_model(workspace.path(f"models/{name}.keras"))
    if epoch == settings.epochs[name]:
        return last
    if epoch:
        return load_keras_model(workspace.path(epoch_file(name, epoch)))
    # The initial weights are those of the seed.
    return getattr(networks, name)(
        n_classes=last.output_shape[-1],
        input_shape=last.input_shape[1:],
        random_state=settings.random_state,
    )


def _kept_epochs(settings: LabSettings, name: str) -> list[int]:
    """Return the epochs between the first and the last at which a network is saved."""
    return [epoch for epoch in settings.recorded_epochs(name)[:-1] if epoch]


def restore_state(model: Any, saved: Any) -> None:
    """Copy weights and optimizer state of a loaded model into a newly built one.

    Saving the new model gives the same bytes as an uninterrupted run. A loaded model would not:
    Keras' files record which objects are shared, and loading loses that.
    """
    model.set_weights(saved.get_weights())
    model.compile_from_config(saved.get_compile_config())
    model.optimizer.build(model.trainable_variables)
    for target, source in zip(model.optimizer.variables, saved.optimizer.variables, strict=True):
        target.assign(source)


def _matching_history(
    model: Any, checkpoint: Path, n_samples: int, batch_size: int
) -> History | None:
    """Return the history up to the epoch of the checkpoint; None if they do not match."""
    history = History.from_csv(history_path(checkpoint))
    steps_per_epoch = -(-n_samples // batch_size)
    epochs, rest = divmod(int(model.optimizer.iterations), steps_per_epoch)
    if rest or not 0 < epochs <= history.epochs:
        return None
    return history.first(epochs)


def _predict(model: Any, split: Split) -> Array:
    """Return the probabilities of the classes (n_samples, n_classes).

    Without `predict`, which compiles each model that is loaded: that takes longer than all of its
    predictions.
    """
    from keras import ops

    starts = range(0, len(split), BATCH)
    return np.concatenate(
        [
            np.asarray(ops.convert_to_numpy(model(split.inputs[at : at + BATCH], training=False)))
            for at in starts
        ]
    )
