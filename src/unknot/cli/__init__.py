"""The command line ``unknot``: one module per command."""

import atexit
import os
import re
import signal
import sys
import threading
from contextlib import chdir, suppress
from pathlib import Path

# Importing a module registers its command; the help lists them in this order.
# isort: off
from . import lab as lab
from . import train as train
from . import embed as embed
from . import measure as measure
from . import measures as measures
from . import layers as layers
from . import study as study
from . import show as show
from . import compare as compare
from . import similarity as similarity
from . import report as report
from . import open as open_  # noqa: F401
from . import watch as watch

# isort: on
from .._cluster import ClusterError
from ._app import app

# For the documentation.
from ._command import examples_of as examples_of
from ._command import sections_of as sections_of
from ._command import usage_of as usage_of
from ._streams import OutputError, configured_streams, discard_stdout, print_error

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line. Every error is one line on standard error, with exit code 2."""
    try:
        with configured_streams():
            _ignore_local_config()
            _interrupt_on_termination()
            code = app(prog_name="unknot", standalone_mode=False)
    except BrokenPipeError:
        # The reader closed the pipe. Python must not flush the rest at exit.
        discard_stdout()
        code = 1
    except OutputError as error:
        print_error(f"unknot: {_one_line(error)}")
        discard_stdout()
        code = 2
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # print one line instead of a traceback
        if os.environ.get("UNKNOT_TRACEBACK"):
            raise
        if line := _one_line(error):
            print_error(f"unknot: {line}")
        code = 2
    atexit.register(_wait_for_zarr)
    sys.exit(code or 0)


def _interrupt_on_termination() -> None:
    """Treat SIGTERM as Ctrl-C, so that what is unfinished is removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def _ignore_local_config() -> None:
    """Ignore configuration files of libraries in the current folder, which may be untrusted.

    Numba's can name modules to import and folders to load code from; Matplotlib's can hold
    expressions. Both libraries read them from the current folder when they are imported.
    """
    with suppress(OSError):
        if any(Path(name).exists() for name in _CONFIG_FILES):
            with chdir(Path(__file__).parent):
                import matplotlib  # noqa: F401
                from numba.core import config
            config._config_fname = ""  # Numba checks it again at every compilation
            config.reload_config()


_CONFIG_FILES = (".numba_config.yaml", "matplotlibrc")


def _wait_for_zarr() -> None:
    """Join Zarr's thread: at exit, Zarr waits only 0.2 seconds, then prints a traceback."""
    zarr = sys.modules.get("zarr.core.sync")
    loop, thread = (getattr(zarr, name, [None])[0] for name in ("loop", "iothread"))
    if loop is not None and thread is not None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)


# Longer words of an error, such as an argument of a million letters, are cut in their middle.
_LONGEST_WORD = 1000


def _one_line(error: Exception) -> str:
    """Format an error as one line; empty if the help was printed instead."""
    longer = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")
    return longer.sub(lambda word: f"{word[0][:600]}…{word[0][-200:]}", _message(error))


def _message(error: Exception) -> str:
    if callable(usage := getattr(error, "format_message", None)):  # a usage error of Click
        message = " ".join(usage().split()).replace(": Value error, ", ": ")
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "unknot"
        return message and f"{message} ({command} --help says more)"
    text = re.sub(r"^\[Errno \d+\] ", "", " ".join(str(error).split()))
    text = "; ".join([text, *getattr(error, "__notes__", [])])
    if isinstance(error, (ValueError, TypeError, OSError, ImportError, ClusterError)) and text:
        return text
    if isinstance(error, MemoryError):
        return f"out of memory ({text}); use fewer samples" if text else "out of memory"
    return f"unexpected {type(error).__name__}: {text} (UNKNOT_TRACEBACK=1 shows where)"
