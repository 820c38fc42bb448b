"""The recorder as a callback of a training: it never raises."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .failures import Failures


class TrainingCallbacks:
    """What a recorder offers to a training loop; see `EpochRecorder`."""

    model: Any
    _epochs: int | Collection[int] | None
    _failures: Failures

    def capture(self, model: Any, epoch: Any, *, layers: Any = None) -> None:
        """Capture an epoch."""
        raise NotImplementedError

    def record(self, model: Any, epoch: Any, *, layers: Any = None) -> bool:
        """Capture an epoch as `capture` does, but never raise, so that a training goes on.

        Parameters
        ----------
        model : object
            As for `capture`.
        epoch, layers
            As for `capture`.

        Returns
        -------
        bool
            Whether all went well. The first error is reported as a `RecordingWarning`; all are in
            `failures` and in the notes of the study.
        """
        try:
            self.capture(model, epoch, layers=layers)
        except Exception as error:  # of the model's own code, the disk, a device: anything
            self._failures.add(epoch, error)
            return False
        return True

    @property
    def failures(self) -> dict[int, str]:
        """Why each epoch that could not be recorded was not."""
        return dict(self._failures.epochs)

    # The callback interface of Keras and of `unknot.train`.

    def set_model(self, model: Any) -> None:
        """Set the model that will be trained."""
        self.model = model

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Record epoch 0, the model before its first epoch, unless ``epochs`` leaves it out.

        A training that is resumed begins with a later epoch, and records no epoch 0.
        """
        listed = isinstance(self._epochs, Collection) and 0 in self._epochs
        if epoch == 0 and (self._epochs is None or listed):
            self.record(self.model, 0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record an epoch, which Keras counts from 0, if ``epochs`` includes it."""
        self.record(self.model, epoch + 1)

    def callback(self) -> Any:
        """Return this recorder as a callback for Keras' ``fit``.

        Returns
        -------
        keras.callbacks.Callback
        """
        from ..._keras import import_keras

        keras = import_keras(feature="A Keras callback")
        recorder = self

        class Recording(keras.callbacks.Callback):  # type: ignore[misc]
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                recorder.set_model(self.model)
                recorder.on_epoch_begin(epoch)

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                recorder.set_model(self.model)
                recorder.on_epoch_end(epoch)

        return Recording()
