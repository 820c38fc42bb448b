"""The page of a training in a notebook, which follows while the training runs."""

import json
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from .._io.folders import inside, read_regular
from ..studies import LIVE_PAYLOAD, LiveState
from ._live_words import MOST_BYTES, words_of
from ._parts import PayloadParts, frames, split_payload
from ._widget import PageWidget, first_state, layers_in

SECONDS_BETWEEN_LOOKS = 0.5


class LiveWidget(PageWidget):
    """Interactive page of a training in a notebook, brought up to date while the training runs.

    Layer, epoch and selection stay as they are when a new epoch comes; who looks at the newest
    epoch goes on to the next one. Requires anywidget: ``pip install "unknot[notebook]"``.

    Parameters
    ----------
    folder : path-like
        The folder that was given to `EpochRecorder.live`.

    Attributes
    ----------
    layer : str
        Name of the layer shown; empty before the first epoch. Assign to it to show another.
    selection : list of int
        Sorted indices of the selected samples.
    status : str
        What the page says above the map, such as ``"epoch 3 - recording"``.

    Raises
    ------
    StudyError
        If the folder is not that of a live page.
    TraitError
        If `layer` is set to an unknown name, or `selection` to values that are not sample indices.

    See Also
    --------
    unknot.studies.EpochRecorder.live : Writes the folder.
    Watcher : Shows the same in a browser.
    Widget : The page of a study.

    Examples
    --------
    In a notebook, before the cell that trains:

    >>> live = recorder.live("training")  # doctest: +SKIP
    >>> live.widget()  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._shown = 0
        self._sent: frozenset[str] = frozenset()
        state = LiveState.read(self._folder)
        super().__init__(status=words_of(state))
        self.refresh()
        self._ended = threading.Event()
        follow = threading.Thread(
            target=_follow,
            args=(weakref.ref(self), self._ended),
            name="unknot-live-widget",
            daemon=True,
        )
        self._finalizer = weakref.finalize(self, self._ended.set)
        follow.start()

    def refresh(self) -> bool:
        """Show what the folder holds now.

        Returns
        -------
        bool
            Whether more may come.
        """
        state = LiveState.read(self._folder)
        if state.update > self._shown:
            text = read_regular(inside(self._folder, LIVE_PAYLOAD), MOST_BYTES).decode("ascii")
            payload: dict[str, Any] = json.loads(text)
            sampled = payload.get("sampled")
            self.n_samples = payload["nSamples"] if sampled is None else sampled["of"]
            self.layers = layers_in(payload)
            self._shown = state.update
            self._show(split_payload(payload))
        words = words_of(state)
        if self._shown and not state.update:
            words += " · below is the page of the training before"
        self.status = words
        return state.status == "recording"

    def _show(self, parts: PayloadParts) -> None:
        """Send a payload, and what was not sent before, without being asked: the kernel is busy."""
        first = first_state(parts)
        self._parts = parts
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in first.items():
                setattr(self, name, value)
            if self.layer not in self.layers:
                self.layer = self.layers[0]
        if first["part"]:
            for name in parts.names[2:]:
                if name not in self._sent:
                    self.part = frames(parts.parts, [name])
        self._sent = frozenset(parts.names)

    def close(self) -> None:
        """Stop following, and take the page down."""
        self._ended.set()
        super().close()


def _follow(widget: Callable[[], LiveWidget | None], ended: threading.Event) -> None:
    """Bring a widget up to date until it is gone or the training has ended."""
    while not ended.wait(SECONDS_BETWEEN_LOOKS):
        shown = widget()
        if shown is None:
            return
        try:
            if not shown.refresh():
                return
        except (OSError, ValueError, KeyError, traitlets.TraitError) as error:
            shown.status = f"the page cannot be read: {error}"
        del shown
