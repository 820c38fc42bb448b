"""The recorder as a callback of a training: it never raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..._validation.numbers import is_integer
from .capturing import Captures
from .failures import Failures


def check_epochs(epochs: Any) -> int | frozenset[int] | None:
    """Return which epochs are captured: every n-th, some, or all.

    Raises
    ------
    ValueError
        If they are neither an integer of at least 1 nor epochs from 0 up.
    """
    if epochs is None:
        return None
    if is_integer(epochs) and epochs >= 1:
        return int(epochs)
    given = epochs
    if isinstance(epochs, Iterable) and not isinstance(epochs, str | bytes | Mapping):
        given = list(epochs)
        if given and all(is_integer(each) and each >= 0 for each in given):
            return frozenset(int(each) for each in given)
    raise ValueError(
        "epochs must be an integer of at least 1, for every n-th epoch, or a collection of epochs "
        f"from 0 up, such as [0, 1, 5]; got {given!r}"
    )


class TrainingCallbacks:
    """What a recorder offers to a training loop; see `EpochRecorder`."""

    model: Any
    _epochs: int | frozenset[int] | None
    _failures: Failures
    _captures: Captures
    # Epochs of the training that have ended.
    _ended: int = 0

    def wants(self, epoch: int) -> bool:
        """Whether an epoch is to be captured."""
        if self._epochs is None:
            return True
        if isinstance(self._epochs, int):
            return epoch % self._epochs == 0
        return epoch in self._epochs

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
            `failures` and in the notes of the study, until the epoch is recorded after all.
        """
        try:
            self.capture(model, epoch, layers=layers)
        except Exception as error:  # of the model's own code, the disk, a device: anything
            self._failures.add(epoch, error)
            return False
        self._failures.remove(epoch)
        return True

    @property
    def failures(self) -> dict[int | str, str]:
        """Why each epoch that could not be recorded was not; what is no epoch is a text."""
        return dict(self._failures.epochs)

    # The callback interface of Keras and of `unknot.train`.

    def set_model(self, model: Any) -> None:
        """Set the model that will be trained."""
        self.model = model

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Record epoch 0, the model before its first epoch, unless ``epochs`` leaves it out.

        A training that is resumed begins with a later epoch, and records no epoch 0. One that
        begins again with an epoch leaves out what was captured after it.
        """
        if epoch < self._ended:
            self._captures.begin(epoch)
        self._ended = epoch
        if epoch == 0:
            self.record(self.model, 0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record an epoch, which Keras counts from 0, if ``epochs`` includes it."""
        self._ended = epoch + 1
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
