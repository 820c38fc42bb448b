"""Studies of a training: the same samples at chosen epochs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..._io.cache import Part
from ..._io.temporary import TemporaryFolder
from ..._validation.numbers import memory_budget
from .._store.loading import load_study
from .._store.records import Manifest, MomentRecord
from .._store.saving import check_folder, finish, writing
from .._study import Study
from .data import take_data
from .extraction import Extracted, extract_layers
from .label_kinds import IGNORED
from .labelings import other_labelings, version_of
from .layers import layers_of, study_layers
from .memory import in_memory
from .progress import stage_callbacks
from .run import whole_bytes
from .settings import StudySettings
from .sources import Reading
from .stages import Stages, prepare_data
from .versions import versions


class EpochRecorder:
    """Record the layers of a model on a fixed sample at chosen epochs of its training.

    Pass it as a callback to `unknot.train` or to Keras' ``fit``; with any other framework call
    `capture` in the training loop. Then `study` measures and maps the layers at each epoch.

    Parameters
    ----------
    sample : Dataset, Split, str, path, pair (inputs, labels), or data with batches
        As for `unknot.study`.
    epochs : int or collection of int, default=None
        Capture every n-th epoch, or the given ones; all by default. Epochs count from 1; epoch 0 is
        before the training.
    layers, measures, metric, preprocess, name, perplexity, k, n_neighbors, max_iter
        As for `unknot.study`.
    measure_options, keep_points
        As for `unknot.study`.
    class_names, ignore_labels, label_kind, accuracy
        As for `unknot.study`.
    max_samples : int, optional
        Draw at most this many samples, stratified by class; all by default.
    out : path, default=None
        The folder of the study. By default it is kept in memory, and captured points in a temporary
        folder.
    batch_size, max_memory, pool, channels, mask, project, forward, tokenizer, label_key, split
        As for `unknot.study`.
    random_state, n_jobs, progress, executor, client
        As for `unknot.study`. Captured layers are sent nowhere: workers read them from `out`.

    See Also
    --------
    unknot.study : A study of one model.
    unknot.train : Trains a Keras model and takes a recorder as callback.
    unknot.figures.epoch_curves : Draws each measure over the epochs.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.studies import EpochRecorder
    >>> labels = np.repeat([0, 1], 30)
    >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + labels[:, None]
    >>> recorder = EpochRecorder((pixels, labels), measures="neighborhood_hit", max_iter=250)
    >>> for epoch in (1, 2):
    ...     recorder.capture({"fc1": pixels + epoch * labels[:, None] / 2}, epoch)
    >>> study = recorder.study()
    >>> hits = [there.scores.value("fc1", "neighborhood_hit") for there in study.epochs.values()]
    >>> list(study.epochs), hits[0] < hits[1]
    ([1, 2], True)
    """

    def __init__(
        self,
        sample: Any,
        *,
        epochs: int | Collection[int] | None = None,
        layers: Any = "blocks",
        measures: Any = None,
        metric: str = "euclidean",
        preprocess: Any = None,
        out: str | os.PathLike[str] | None = None,
        name: str | None = None,
        max_samples: int | None = None,
        perplexity: float = 30.0,
        k: int = 6,
        n_neighbors: int = 90,
        max_iter: int = 1000,
        keep_points: bool = True,
        class_names: Any = None,
        ignore_labels: Any = IGNORED,
        label_kind: Any = None,
        accuracy: bool | None = None,
        measure_options: Mapping[str, Any] | None = None,
        batch_size: int = 500,
        max_memory: int | str | None = None,
        pool: Any = "auto",
        channels: Mapping[str, str | int] | None = None,
        mask: Any = None,
        project: int | None = None,
        forward: Any = None,
        tokenizer: Any = None,
        label_key: str | None = None,
        split: str | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool = True,
        executor: Any = None,
        client: Any = None,
    ) -> None:
        if isinstance(epochs, int) and epochs < 1:
            raise ValueError(f"epochs must be at least 1, or a collection of epochs; got {epochs}")
        settings = StudySettings.of(
            measures,
            measure_options,
            metric=metric,
            preprocess=preprocess,
            perplexity=perplexity,
            k=k,
            n_neighbors=n_neighbors,
            max_iter=max_iter,
            random_state=random_state,
        )
        self._data = take_data(
            sample,
            reading=Reading(
                label_key=label_key,
                split=split,
                tokenizer=tokenizer,
                batch_size=batch_size,
                is_raw=forward is not None,
                kept_bytes=None if max_memory is None else memory_budget(max_memory),
                max_samples=max_samples,
                random_state=random_state,
                class_names=class_names,
                ignore_labels=ignore_labels,
                label_kind=label_kind,
            ),
        ).sample(max_samples, random_state)
        self._settings, self._notes = settings.fitted(len(self._data.labels))
        self._epochs = epochs
        self._forward = forward
        self._name = name
        self._keep_points = keep_points
        self._progress = progress
        self._executor, self._client, self._n_jobs = executor, client, n_jobs
        self._options: dict[str, Any] = {
            "layers": layers,
            "batch_size": batch_size,
            "max_memory": max_memory,
            "pool": pool,
            "channels": channels,
            "mask": self._data.rows_of_mask(mask),
            "project": project,
            "random_state": random_state,
            "accuracy": accuracy,
            "untrained": False,
        }
        self._temporary = out is None
        if out is None:
            self._kept = TemporaryFolder()
            self._folder = self._kept.path / "study"
        else:
            self._folder = Path(out)
            check_folder(self._folder)
        self._stages = Stages(self._folder, self._settings, n_jobs, whole_bytes(max_memory))
        self._whole: tuple[Part, dict[str, Any]] | None = None
        self._captured: dict[int, Extracted] = {}
        self.model: Any = None

    @property
    def captured(self) -> tuple[int, ...]:
        """The epochs captured so far, in order."""
        return tuple(sorted(self._captured))

    def wants(self, epoch: int) -> bool:
        """Whether an epoch is to be captured."""
        if self._epochs is None:
            return True
        if isinstance(self._epochs, int):
            return epoch % self._epochs == 0
        return epoch in self._epochs

    def capture(self, model: Any, epoch: int) -> None:
        """Run the model on the sample and store the activations of its layers.

        Parameters
        ----------
        model : object
            As for `unknot.study`. Training it further does not change what was captured.
        epoch : int
            From 0, before the training. An epoch captured before is replaced; one that is not among
            ``epochs`` is ignored.
        """
        if isinstance(epoch, bool) or epoch < 0:
            raise ValueError(f"epoch must be an integer from 0 up; got {epoch!r}")
        from ...representations import check_forward, find_adapter

        if not self.wants(epoch):
            return
        adapter = find_adapter(self._data.rows_of(model))
        adapter.forward = check_forward(self._forward, adapter)
        self._name = self._name or adapter.name
        with writing(self._folder):
            if self._whole is None:
                self._whole = prepare_data(
                    self._stages,
                    self._data,
                    self._data.fingerprint,
                    takes_ids=adapter.takes_ids(self._data.inputs),
                )
            self._captured[int(epoch)] = extract_layers(
                self._stages,
                adapter,
                self._data,
                self._whole[0],
                self._options,
                prefix=f"epoch-{epoch:04d}-",
            )

    def study(self) -> Study:
        """Measure and map the layers at each captured epoch.

        The map of a layer starts from its map at the preceding epoch.

        Returns
        -------
        Study
            The last epoch, with all of them in `Study.epochs`.

        Raises
        ------
        ValueError
            If nothing was captured.
        """
        if not self._captured or self._whole is None:
            raise ValueError("nothing was captured yet: call capture(model, epoch) while training")
        with writing(self._folder):
            found = self._study(*self._whole)
        return in_memory(found) if self._temporary else found

    def _study(self, data_part: Part, paths: dict[str, Any]) -> Study:
        epochs: dict[int, MomentRecord] = {}
        maps: dict[str, Part] = {}
        stages, first = self._stages, next(iter(self._data.labelings))
        with stage_callbacks(self._progress, None) as (
            stages.on_start,
            stages.on_done,
            _,
        ):
            for epoch in self.captured:
                extracted = self._captured[epoch]
                records, sources = layers_of(extracted, data_part, len(self._data.labels))
                answered = extracted.answers[first]
                prefix = f"epoch-{epoch:04d}-"
                studied, _ = study_layers(
                    stages, prefix, records, sources, self._data.labelings, maps
                )
                moment = MomentRecord(
                    answered.predictions,
                    answered.probabilities,
                    studied,
                    controls={},
                    notes=(*self._data.notes, *extracted.notes, *answered.notes),
                    labelings=other_labelings(self._data, paths, extracted, {}),
                )
                epochs[epoch] = moment if self._keep_points else moment.without_points()
        last = self.captured[-1]
        assert self._name is not None
        finish(
            self._folder,
            Manifest(
                name=self._name,
                class_names=self._captured[last].answers[first].class_names,
                **paths,
                moment=replace(epochs[last], notes=(*self._notes, *epochs[last].notes)),
                epochs=epochs,
                settings={**self._settings.to_dict(), "n_samples": len(self._data.labels)},
                versions=versions(),
                version=version_of(self._data),
            ),
            stages.log.parts,
            stages.log.seconds,
        )
        return load_study(self._folder)

    # The callback interface of Keras and of `unknot.train`.

    def set_model(self, model: Any) -> None:
        """Set the model that will be trained."""
        self.model = model

    def on_train_begin(self, logs: Any = None) -> None:
        """Capture epoch 0 if ``epochs`` lists it."""
        if isinstance(self._epochs, Collection) and 0 in self._epochs:
            self.capture(self.model, 0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Capture an epoch, which Keras counts from 0, if ``epochs`` includes it."""
        self.capture(self.model, epoch + 1)

    def callback(self) -> Any:
        """Return this recorder as a callback for Keras' ``fit``."""
        from ..._keras import import_keras

        keras = import_keras(feature="A Keras callback")
        recorder = self

        class Recording(keras.callbacks.Callback):  # type: ignore[misc]
            def on_train_begin(self, logs: Any = None) -> None:
                recorder.set_model(self.model)
                recorder.on_train_begin()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                recorder.on_epoch_end(epoch)

        return Recording()
