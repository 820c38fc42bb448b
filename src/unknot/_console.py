"""Where progress is shown."""

import importlib.util

from rich.console import Console


def supports_live_display(console: Console) -> bool:
    """Whether a bar can move there: on a terminal, or in a notebook with ipywidgets."""
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return console.is_terminal
