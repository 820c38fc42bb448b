"""Exercises 1 to 3: train the networks, save them in every format, load them again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import networks
from .._io.atomic import write_array
from .._io.cache import Step, Workspace
from ..datasets import Dataset, Split
from ..training import History, history_path, load_keras_model, save_model, train
from ._settings import NETWORKS, LabSettings

FORMATS = (".keras", ".h5", ".yaml")


def train_networks(
    workspace: Workspace, settings: LabSettings, data: Dataset
) -> Iterator[tuple[str, Step]]:
    """Train each network that is not trained yet; yield its name and step when it is done."""
    for name in NETWORKS:
        yield name, _train_network(name, workspace, settings, data)


def _train_network(name: str, workspace: Workspace, settings: LabSettings, data: Dataset) -> Step:
    files = [f"models/{name}{ending}" for ending in (*FORMATS, ".weights.h5")]
    files += [f"histories/{name}.csv", f"predictions/{name}.npy"]
    test = data.test
    assert test is not None

    def work(fingerprint: str) -> dict[str, Any]:
        model, history = _trained(name, workspace, settings, data, fingerprint)
        history.to_csv(workspace.path(f"histories/{name}.csv"))
        loss, accuracy = _score(model, test)
        reloaded = {}
        for ending in FORMATS:
            path = workspace.path(f"models/{name}{ending}")
            save_model(model, path)
            reloaded[ending] = _score(load_keras_model(path), test) == (loss, accuracy)
        probabilities = model.predict(test.inputs, batch_size=1000, verbose=0)
        write_array(workspace.path(f"predictions/{name}.npy"), probabilities)
        for suffix in (".keras", ".keras.csv", ".fingerprint"):
            workspace.partial(name, suffix).unlink(missing_ok=True)
        return {
            "parameters": model.count_params(),
            "epochs": history.epochs,
            "test_loss": loss,
            "test_accuracy": accuracy,
            # The first epoch includes compiling the network.
            "seconds_per_epoch": float(np.median(history["seconds"])),
            "training_seconds": float(np.sum(history["seconds"])),
            "same_score_when_loaded": reloaded,
        }

    return workspace.do(
        f"train_{name}",
        {
            "seed": settings.seed,
            "backend": settings.backend,
            "epochs": settings.epochs[name],
            "batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "train_samples": len(data.train),
            "test_samples": len(test),
        },
        [],
        files,
        work,
    )


def _trained(
    name: str, workspace: Workspace, settings: LabSettings, data: Dataset, fingerprint: str
) -> tuple[Any, History]:
    """Train from the start, or from the checkpoint that a killed run of the same step left."""
    checkpoint = workspace.partial(name, ".keras")
    owner = workspace.partial(name, ".fingerprint")
    model = getattr(networks, name)(
        n_classes=data.n_classes,
        input_shape=data.train.inputs.shape[1:],
        random_state=settings.seed,
    )
    history = None
    if (
        owner.is_file()
        and owner.read_text() == fingerprint
        and (checkpoint.is_file() and history_path(checkpoint).is_file())
    ):
        saved = load_keras_model(checkpoint)
        history = _matching_history(saved, checkpoint, len(data.train), settings.batch_size)
        if history is not None:
            take_state(model, saved)
    if history is None:
        checkpoint.unlink(missing_ok=True)
        owner.parent.mkdir(parents=True, exist_ok=True)
        owner.write_text(fingerprint)
    history = train(
        model,
        data,
        epochs=settings.epochs[name],
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        validate=True,
        history=history,
        checkpoint=checkpoint,
        random_state=settings.seed,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    return model, history


def take_state(model: Any, saved: Any) -> None:
    """Go on with a new model where one that was loaded is.

    What is saved of it later are the bytes of a training that never stopped; a loaded model has
    lost which of its objects were one, and Keras writes that down.
    """
    model.set_weights(saved.get_weights())
    model.compile_from_config(saved.get_compile_config())
    model.optimizer.build(model.trainable_variables)
    for own, other in zip(model.optimizer.variables, saved.optimizer.variables, strict=True):
        own.assign(other)


def _matching_history(
    model: Any, checkpoint: Path, n_samples: int, batch_size: int
) -> History | None:
    """Return the history as far as the model went; None if they do not belong together."""
    written = History.from_csv(history_path(checkpoint))
    steps_per_epoch = -(-n_samples // batch_size)
    epochs, rest = divmod(int(model.optimizer.iterations), steps_per_epoch)
    if rest or not 0 < epochs <= written.epochs:
        return None
    return written.first(epochs)


def _score(model: Any, split: Split) -> tuple[float, float]:
    loss, accuracy = model.evaluate(split.inputs, split.labels, batch_size=1000, verbose=0)
    return float(loss), float(accuracy)
