"""Studies of a training: the same samples at chosen epochs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..._cluster import workers_of
from ..._io.folders import check_no_url
from ..._io.temporary import TemporaryFolder
from ..._parallel.n_jobs import resolve_n_jobs
from ..._validation.numbers import (
    check_integer,
    memory_budget,
    plain,
    plain_values,
)
from .._recording.callbacks import TrainingCallbacks, check_epochs
from .._recording.capturing import Captures
from .._recording.failures import Failures
from .._recording.live import LivePage
from .._recording.messages import Setup, Update
from .._recording.studying import study_epochs
from .._store.loading import load_study
from .._store.saving import check_folder, finish, writing
from .._study import Study
from .data import take_data
from .label_kinds import IGNORED
from .memory import in_memory
from .metadata import take_metadata
from .own_maps import take_epoch_maps, take_maps
from .progress import stage_callbacks
from .run import whole_bytes
from .settings import COHERENCE, StudySettings
from .sources import Reading
from .stages import Stages
from .untrained import check_untrained


class EpochRecorder(TrainingCallbacks):
    """Record the layers of a model on a fixed sample at chosen epochs of its training.

    Pass it as a callback to `unknot.train`, or its `callback` to Keras' ``fit``; with any other
    framework call `record` in the training loop. Then `study` measures and maps the layers at each
    epoch. Recording draws no random numbers of the training, leaves the model as it is, and never
    ends a training: what goes wrong is reported once, as a `RecordingWarning`.

    Parameters
    ----------
    sample : Dataset, Split, str, path, pair (inputs, labels), or data with batches
        As for `unknot.study`.
    epochs : int or collection of int, default=None
        Capture every n-th epoch, epoch 0 included, or the given ones; all by default. Epochs count
        from 1; epoch 0 is before the training.
    layers, measures, metric, preprocess, name, perplexity, k, n_neighbors, max_iter, coherence
        As for `unknot.study`. Coupled are maps of the same epoch along the layers, and those of the
        same layer along the epochs.
    measure_options, keep_points, snippets, metadata
        As for `unknot.study`.
    mapper : estimator or mapping of str to estimator, default=None
        As for `unknot.study`: a copy of it is fitted to each layer at each epoch, and its map
        turned to that of the epoch before.
    untrained : bool, model or callable, default=None
        The control. Epochs after epoch 0 have it as their control, the network itself before its
        training. By default fresh weights are drawn where epoch 0 is not captured first. True draws
        them in any case, False never; or pass a model or a function, as for `unknot.study`.
    class_names, ignore_labels, label_kind, accuracy
        As for `unknot.study`.
    max_samples : int, optional
        Draw at most this many samples, stratified by class; all by default.
    out : path, default=None
        The folder of the study. By default it is kept in memory, and captured points in a temporary
        folder.
    resume : bool, default=False
        Begin with the epochs that an earlier run of the same training captured into `out`, up to
        the first one that is captured anew. Without it they are computed again, or replaced. Scores
        of the classifier's head are of the epochs that this run captures.
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
        epochs: Any = None,
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
        coherence: float = COHERENCE,
        untrained: Any = None,
        keep_points: bool = True,
        snippets: Sequence[str] | None = None,
        metadata: Any = None,
        mapper: Any = None,
        resume: bool = False,
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
        epochs, untrained = check_epochs(epochs), plain(untrained)
        if resume and out is None:
            raise ValueError("resume goes on with the epochs in a folder: name it with out=")
        settings = StudySettings.of(
            measures,
            measure_options,
            metric=metric,
            preprocess=preprocess,
            perplexity=perplexity,
            k=k,
            n_neighbors=n_neighbors,
            max_iter=max_iter,
            coherence=coherence,
            random_state=random_state,
        )
        data = take_data(
            sample,
            snippets,
            Reading(
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
        columns = take_metadata(metadata, data)
        self._data, self._mappers = data, take_maps(None, mapper, data).mappers
        if untrained is not None:
            check_untrained(untrained)
        fitted, notes = settings.fitted(len(data.labels))
        self._epochs: int | frozenset[int] | None = epochs
        self._progress = progress
        self._executor, self._client, self._n_jobs = executor, client, n_jobs
        options: dict[str, Any] = {
            "layers": layers,
            "batch_size": batch_size,
            "max_memory": max_memory,
            "pool": pool,
            "channels": channels,
            "mask": data.rows_of_mask(mask),
            "project": project,
            "random_state": random_state,
            "accuracy": accuracy,
            "untrained": False,
        }
        options = plain_values(options)
        self._failures = Failures()
        self._temporary: TemporaryFolder | None = None
        if out is None:
            self._temporary = TemporaryFolder()
            folder = self._temporary.path / "study"
        else:
            check_folder(Path(out))
            folder = Path(out).absolute()  # a training may change its working directory
        self._stages = Stages(folder, fitted, n_jobs, whole_bytes(max_memory))
        self._captures = Captures(
            self._stages,
            data,
            columns,
            options,
            forward,
            untrained,
            name,
            notes,
            keep_points,
            self._failures.report,
        )
        self._captures.is_shared = out is not None
        if resume:
            self._captures.resume()
        self._live: LivePage | None = None
        self.model: Any = None

    @property
    def captured(self) -> tuple[int, ...]:
        """The epochs captured so far, in order; with ``resume`` with those of the earlier run."""
        return self._captures.epochs

    def capture(self, model: Any, epoch: Any, *, layers: Any = None) -> None:
        """Run the model on the sample and store the activations of its layers.

        Parameters
        ----------
        model : object
            As for `unknot.study`. Training it further does not change what was captured.
        epoch : int
            From 0, before the training. An epoch that was captured before is replaced, and those
            after it are left out, as a training that begins anew has not reached them. One that is
            not among ``epochs`` is ignored.
        layers : str, int, slice, module, callable, or sequence of these, default=None
            The layers of this epoch, such as fewer than of others where they are large; by default
            those of the recorder.

        Raises
        ------
        ValueError
            If the samples have been changed since the first epoch, or model and data do not match.
        OSError
            If the folder cannot be written to, or another training is recorded into it.

        See Also
        --------
        EpochRecorder.record : The same without errors, for a training that must go on.
        """
        number = check_integer(epoch, "epoch", 0, bounds="from 0 up")
        if self.wants(number):
            self._captures.add(model, number, layers, alone=self._live is None)
            self._tell_live()

    def study(self, *, maps: Any = None) -> Study:
        """Measure and map the layers at each captured epoch.

        The map of a layer starts from its map at the preceding epoch. Then the maps of all layers
        and epochs are refined together (``coherence``).

        Parameters
        ----------
        maps : mapping of str to mapping of int to mapping of str to array-like, default=None
            Your own maps, each (n_samples, 2), by name, epoch and layer:
            ``{"UMAP": {1: {"fc1": map_}}}``; else as for `unknot.study`.

        Returns
        -------
        Study
            The last epoch, with all of them in `Study.epochs`. Epochs that could not be recorded
            are in its notes.

        Raises
        ------
        TypeError
            If `maps` are no such mappings.
        ValueError
            If nothing was captured; or if a map is of another epoch, layer or shape, is not finite,
            or has a name that is taken.
        """
        captures = self._captures
        captures.open_earlier()
        if not captures.found or captures.recording is None:
            why = "".join(f"; {note}" for note in self._failures.notes()[:1])
            raise ValueError(
                f"nothing was captured yet: call record(model, epoch) while training{why}"
            )
        own_maps = take_epoch_maps(maps, self._mappers, self._data, sorted(captures.found))
        stages, live = self._stages, self._live
        if live is not None:  # what it has studied is taken up
            live.stop()
            self._live = None
        with (
            writing(stages.folder),
            workers_of(self._executor, self._client, self._n_jobs) as workers,
            stage_callbacks(self._progress, None) as (stages.on_start, stages.on_done, _),
        ):
            captures.claim()
            if workers is not None:
                workers.check(stages.folder)
            stages.workers = workers
            try:
                manifest = study_epochs(
                    stages,
                    captures.recording,
                    captures.found,
                    captures.name or "",
                    captures.fresh,
                    self._failures.notes(captures.found),
                    own_maps=own_maps,
                )
            finally:
                stages.workers = None
            finish(stages.folder, manifest, stages.log.parts, stages.log.seconds)
        captures.release()
        found = load_study(stages.folder)
        if live is not None:
            live.show_finished(found)
        return found if self._temporary is None else in_memory(found)

    def live(
        self,
        folder: str | os.PathLike[str],
        *,
        n_jobs: int | None = None,
        max_points: int | None = 10_000,
    ) -> LivePage:
        """Keep a page up to date while the training runs, by a process of low priority.

        Call it before the training. After each captured epoch the page has the new maps, scores and
        curves. ``unknot watch FOLDER`` shows it; in a notebook show the result's ``widget()``. Maps
        are refined together, and those of a ``mapper`` made, by `study`, when all epochs are there.

        Parameters
        ----------
        folder : path
            The folder of the page, and without ``out`` that of the study, too, as ``study``.
        n_jobs : int, default=None
            The number of threads of that process; by default half of the recorder's.
        max_points : int or None, default=10,000
            The most samples that the page shows, as for `unknot.report.write_report`.

        Returns
        -------
        LivePage

        Raises
        ------
        ValueError
            If epochs were captured without ``out``, a measure cannot be sent to a process, or the
            folder is a URL.
        FileExistsError
            If the folder holds something else.
        OSError
            If another process is writing to the folder.

        See Also
        --------
        unknot.report.LiveWidget : Shows the page in a notebook.
        """
        if self._live is not None:
            raise ValueError(f"live: the page in {self._live.folder} is brought up to date already")
        if max_points is not None:
            check_integer(max_points, "max_points", 1, bounds="of at least 1, or None for all")
        jobs = max(1, resolve_n_jobs(self._n_jobs) // 2) if n_jobs is None else n_jobs
        check_no_url(Path(folder))
        where = Path(folder).absolute()
        home = self._stages.folder.absolute()
        if self._temporary is not None:
            if self._captures.found:
                raise ValueError(
                    "live: call it before the first epoch is captured, or give the recorder a "
                    "folder, out="
                )
            home = where / "study"
        setup = Setup(
            home,
            where,
            # What comes later would move what is shown: they are refined by `study`.
            replace(self._stages.settings, coherence=0.0),
            resolve_n_jobs(jobs),
            self._stages.whole_bytes,
            max_points,
        )
        self._live = LivePage(where, setup, partial(self._failures.report, kind="page"))
        if self._temporary is not None:
            check_folder(home)
            self._temporary = None
        self._stages.folder = home
        self._captures.is_shared = True
        self._tell_live()
        return self._live

    def _tell_live(self) -> None:
        """Send what was captured since the last time to the process of the live page."""
        captures = self._captures
        if self._live is None or captures.recording is None or not captures.unsent:
            return
        self._live.send(
            Update(
                captures.recording,
                {epoch: captures.found[epoch] for epoch in sorted(captures.unsent)},
                tuple(captures.found),
                captures.name or "",
                captures.fresh,
                self._failures.notes(captures.found),
            )
        )
        captures.unsent.clear()
