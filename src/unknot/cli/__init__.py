"""The command ``unknot``: one file a command, which reads files and calls the package."""

import atexit
import os
import re
import sys
from contextlib import chdir, suppress
from pathlib import Path

# Each adds its command; the order is that of the help.
# isort: off
from . import lab as lab
from . import train as train
from . import embed as embed
from . import measure as measure
from . import study as study
from . import show as show
from . import report as report

# isort: on
from ._app import app
from ._streams import OutputError, complain, leave_quietly, prepared

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; every error is one line on standard error and exit code 2."""
    try:
        with prepared():
            _pass_over_settings()
            code = app(prog_name="unknot", standalone_mode=False)
    except BrokenPipeError:
        # The reader of our output has gone; Python must not try to write the rest at exit.
        leave_quietly()
        code = 1
    except OutputError as error:
        complain(f"unknot: {_one_line(error)}")
        leave_quietly()
        code = 2
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # the last stop: the user gets a line, not a traceback
        if os.environ.get("UNKNOT_TRACEBACK"):
            raise
        if line := _one_line(error):
            complain(f"unknot: {line}")
        code = 2
    atexit.register(_wait_for_zarr)
    sys.exit(code or 0)


def _pass_over_settings() -> None:
    """Let nothing in the current folder, which may be anyone's, set up the libraries.

    Numba's settings name modules to import and folders to load code from, Matplotlib's are
    expressions. Both are read where the library is imported, in the folder that is current then.
    """
    with suppress(OSError):
        found = [name for name in _SETTINGS if Path(name).exists()]
        if found:
            with chdir(Path(__file__).parent):
                import matplotlib  # noqa: F401
                from numba.core import config
            config._config_fname = ""  # it is looked for again at every compilation
            config.reload_config()


_SETTINGS = (".numba_config.yaml", "matplotlibrc")


def _wait_for_zarr() -> None:
    """Let Zarr's thread end: Zarr waits a fifth of a second at exit, then prints a traceback."""
    zarr = sys.modules.get("zarr.core.sync")
    loop, thread = (getattr(zarr, name, [None])[0] for name in ("loop", "iothread"))
    if loop is not None and thread is not None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)


def _one_line(error: Exception) -> str:
    """Say what is wrong; nothing where the help was printed instead."""
    if callable(usage := getattr(error, "format_message", None)):  # a wrong use of the command
        message = " ".join(usage().split())
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "unknot"
        return message and f"{message} ({command} --help says more)"
    text = re.sub(r"^\[Errno \d+\] ", "", " ".join(str(error).split()))
    text = "; ".join([text, *getattr(error, "__notes__", [])])
    if isinstance(error, (ValueError, TypeError, OSError, ImportError)) and text:
        return text
    if isinstance(error, MemoryError):
        return f"out of memory ({text}); use fewer samples" if text else "out of memory"
    return f"unexpected {type(error).__name__}: {text} (UNKNOT_TRACEBACK=1 shows where)"
