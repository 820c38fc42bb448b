"""The process that studies captured epochs at low priority, and writes their page.

It receives messages on standard input.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any, Final

from ..._io.atomic import write_bytes
from ..._io.folders import inside
from ..._io.lock import locked
from .._pipeline.stages import StageLog, Stages
from .._store.loading import study_of
from .._study import Study
from .captures import Capture
from .messages import LIVE_PAYLOAD, PAGE, Finish, LiveState, Setup, Stop, Update
from .studying import Studied, study_epochs

NICENESS: Final = 19
SECONDS_BETWEEN_LOOKS: Final = 2.0


def main() -> None:
    """Work until the recorder says that no more epochs come, or its process ends."""
    # Ctrl-C is for the training; this process ends with it.
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_priority()
    stream = sys.stdin.buffer
    setup: Setup = pickle.load(stream)
    # On Windows no lock is passed on.
    with nullcontext() if setup.is_locked else locked(setup.page):
        LiveWorker(setup, stream).run()
    sys.stdout.flush()
    os._exit(0)  # the thread that reads waits for more


def lower_priority() -> None:
    """Leave the processor to the training, but for what it does not notice.

    On Linux that is a share of 1.5 % of a core that a thread of the training wants, and all of one
    that is idle. At a niceness of 12, a share of 6 %, a training on two cores took 9 % more
    processor time: while one of its threads is put off, the others spin.
    """
    if hasattr(os, "nice"):  # on Windows the process is created with low priority
        with suppress(OSError):
            os.nice(NICENESS)


class LiveWorker:
    """Studies what has come, and writes the page, again and again."""

    def __init__(self, setup: Setup, stream: Any) -> None:
        self._setup = setup
        self._stream = stream
        self._stages = Stages(setup.folder, setup.settings, setup.n_jobs, setup.whole_bytes)
        self._captures: dict[int, Capture] = {}
        self._studied: dict[int, Studied] = {}
        self._kept: Any = None  # what earlier pages had of epochs
        self._state = LiveState(before=setup.before)
        self._changed = threading.Condition()
        self._waiting: list[Update] = []
        self._finished = False

    def run(self) -> None:
        """Work until there is nothing more to come."""
        self._tell()
        for target in (self._read, self._follow_parent):
            threading.Thread(target=target, name="unknot-messages", daemon=True).start()
        while True:
            with self._changed:
                while not self._waiting and not self._finished:
                    self._changed.wait()
                updates, self._waiting = self._waiting, []
                finished = self._finished
            if not updates and finished:
                self._tell(status="finished")
                return
            for update in updates:
                self._take(update)
            self._bring_up_to_date(updates[-1])

    def _read(self) -> None:
        """Receive messages. Without a recorder there is no more work."""
        while True:
            try:
                message: Any = pickle.load(self._stream)
            except Exception:  # the pipe ended, perhaps within a message: the training was killed
                message = None
            if message is None:
                self._stop()
            if isinstance(message, Stop):
                os._exit(0)
            with self._changed:
                if isinstance(message, Finish):
                    self._finished = True
                else:
                    self._waiting.append(message)
                self._changed.notify_all()
            if self._finished:
                return

    def _follow_parent(self) -> None:
        """Stop after the training was killed, even if processes that it forked hold the pipe."""
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        time.sleep(SECONDS_BETWEEN_LOOKS)  # its last message may still be read
        if not self._finished:
            self._stop()

    def _stop(self) -> None:
        """End without the rest: what is finished is whole, and the next run removes what is not."""
        with suppress(OSError):
            replace(self._state, status="stopped").write(self._setup.page)
        os._exit(0)

    def _take(self, update: Update) -> None:
        first = min(update.captures, default=0)
        for epoch in [each for each in self._studied if each >= first]:
            del self._studied[epoch]
        known = self._captures | update.captures
        self._captures = {epoch: known[epoch] for epoch in update.epochs}

    def _bring_up_to_date(self, update: Update) -> None:
        self._tell(captured=tuple(sorted(self._captures)))
        try:
            self._stages.log = StageLog()
            manifest = study_epochs(
                self._stages,
                update.recording,
                self._captures,
                update.name,
                update.fresh,
                update.notes,
                self._studied,
            )
            found = study_of(self._setup.folder, manifest, {})
            write_page(found, self._setup, self._known_moments())
        except Exception as error:  # told on the page; the next epoch is tried again
            self._tell(message=f"{type(error).__name__}: {error}")
            return
        shown = tuple(sorted(self._captures))
        self._tell(update=self._state.last + 1, epochs=shown, message="")

    def _known_moments(self) -> Any:
        """Return what earlier pages had of the epochs that were not studied anew."""
        from ...report import KeptMoments

        self._kept = self._kept or KeptMoments()
        self._kept.studied = dict(self._studied)
        return self._kept

    def _tell(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)
        self._state.write(self._setup.page)


def write_page(found: Study, setup: Setup, kept: Any = None) -> None:
    """Write what the page shows, and the page as one file; each is replaced whole.

    Parameters
    ----------
    kept : KeptMoments, optional
        What earlier pages had of epochs.
    """
    from ...report import KeptMoments, build_live_payload, render_page

    payload = build_live_payload(
        found, kept or KeptMoments(), max_points=setup.max_points, n_jobs=setup.n_jobs
    )
    page, text = render_page(payload)
    write_bytes(inside(setup.page, LIVE_PAYLOAD), text)
    write_bytes(inside(setup.page, PAGE), page)
