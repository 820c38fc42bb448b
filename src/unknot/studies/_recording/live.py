"""A page that is kept up to date while a training runs."""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..._io.folders import claim, inside
from ..._io.lock import locked
from .._store.format import StudyError
from .._study import Study
from .messages import FORMAT, LOG, PAGE, Finish, LiveState, Setup, Stop, Update
from .worker import write_page

if TYPE_CHECKING:
    from ...report import LiveWidget

# How long a process has to end after it was told to, in seconds.
PATIENCE: Final = 20.0
_PROGRAM: Final = "from unknot.studies._recording.worker import main; main()"
_GOING_ON: Final[list[subprocess.Popen[bytes]]] = []


class LivePage:
    """A page of a training, brought up to date after each recorded epoch.

    Made by `EpochRecorder.live`. A process of low priority studies the epochs and writes the page,
    so that the training is not slowed. Epochs that come faster than they can be studied are shown
    together.

    Attributes
    ----------
    folder : Path
        Holds ``index.html``, the page as one file, which can be opened at any time; ``unknot watch
        FOLDER`` shows it and follows.

    See Also
    --------
    unknot.studies.EpochRecorder : Records the epochs.
    unknot.report.LiveWidget : Shows the page in a notebook.
    """

    def __init__(self, folder: Path, setup: Setup, reported: Callable[[str], None]) -> None:
        self.folder = folder
        self._setup = setup
        self._reported = reported
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        claim(folder, FORMAT)
        _pickled(setup)  # said here, where a person can choose something else, as is the lock
        with locked(folder) as handle:
            for name in (PAGE, LOG):
                inside(folder, name)
            self._setup = setup = replace(
                setup, before=_last_version(folder), is_locked=sys.platform != "win32"
            )
            LiveState(before=setup.before).write(folder)
            self._process = _start(folder, setup.n_jobs, (handle,) if setup.is_locked else ())
        self._messages.put(_pickled(setup))
        self._sender = threading.Thread(
            target=_send, args=(self._process, self._messages), name="unknot-live", daemon=True
        )
        self._sender.start()
        # At the end of the program the page is finished by the process alone.
        self._finalizer = weakref.finalize(
            self, _finish, self._process, self._messages, self._sender
        )

    @property
    def state(self) -> LiveState:
        """How the page stands: its status, version and epochs."""
        return LiveState.read(self.folder)

    @property
    def page(self) -> Path:
        """The page as one file; it exists after the first epoch."""
        return self.folder / PAGE

    def widget(self) -> LiveWidget:
        """Return a widget for a notebook that shows the newest page.

        Returns
        -------
        unknot.report.LiveWidget
        """
        from ...report import LiveWidget as Widget

        return Widget(self.folder)

    def send(self, update: Update) -> None:
        """Tell the process of epochs that were captured; it is reported once if it has died."""
        if (code := self._process.poll()) is not None:
            self._reported(
                f"the live page in {self.folder} is no longer brought up to date, and the training "
                f"goes on: its process ended with code {code} ({self.folder / LOG} may say why)"
            )
            return
        self._messages.put(_pickled(update))

    def close(self) -> None:
        """Say that no more epochs come: the process finishes the page, and ends by itself."""
        self._finalizer()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the page is finished, after `close`.

        Parameters
        ----------
        timeout : float, optional
            In seconds.

        Raises
        ------
        TimeoutError
            If it takes longer.
        """
        self.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"the page in {self.folder} is not finished after {timeout} s"
            ) from None

    def stop(self) -> None:
        """End the process now. What it has studied stays in the study's folder."""
        if self._finalizer.detach() is None:
            return
        if self._process.poll() is None:
            self._messages.put(pickle.dumps(Stop()))
        self._messages.put(None)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def show_finished(self, found: Study) -> None:
        """Write the page of the whole training."""
        with locked(self.folder):
            write_page(found, self._setup)
            epochs = tuple(found.epochs or ())
            before = LiveState.read(self.folder)
            replace(
                before,
                status="finished",
                update=before.last + 1,
                epochs=epochs,
                captured=epochs,
                message="",
            ).write(self.folder)


def _pickled(message: Any) -> bytes:
    """Pickle a message; functions of a notebook by value, where cloudpickle is installed."""
    try:
        pickler: Any = importlib.import_module("cloudpickle")
    except ImportError:
        pickler = pickle
    try:
        text: bytes = pickler.dumps(message)
    except Exception as error:
        raise ValueError(
            f"live: the recorder's measures or preprocessing cannot be sent to another process "
            f"({error}); define them in a module, or pip install cloudpickle"
        ) from error
    return text


def _last_version(folder: Path) -> int:
    """Return the newest version of the page that a folder holds, or 0."""
    try:
        return LiveState.read(folder).last
    except StudyError:  # damaged; what is shown of it cannot be known
        return 0


def _start(folder: Path, n_jobs: int, handles: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start the process, which keeps the handles of a lock open for as long as it lives."""
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
        str(n_jobs),
    )
    options: dict[str, Any] = {"pass_fds": handles} if handles else {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.BELOW_NORMAL_PRIORITY_CLASS
    # The paths of this process, so that the same package is found, and the user's modules.
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    with inside(folder, LOG).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **threads, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""},
            **options,
        )


def _send(process: subprocess.Popen[bytes], messages: queue.SimpleQueue[bytes | None]) -> None:
    """Write messages to the process, which may be slow to read; in a thread of its own."""
    assert process.stdin is not None
    with suppress(OSError):  # it has ended; the next one who sends is told
        while (message := messages.get()) is not None:
            process.stdin.write(message)
            process.stdin.flush()
    with suppress(OSError):
        process.stdin.close()


def _finish(
    process: subprocess.Popen[bytes],
    messages: queue.SimpleQueue[bytes | None],
    sender: threading.Thread,
) -> None:
    if process.poll() is None:
        messages.put(pickle.dumps(Finish()))
    messages.put(None)
    sender.join(PATIENCE)
    # It is meant to go on. Without a reference Python would warn of it.
    _GOING_ON.append(process)
