"""Terminal capabilities."""

import importlib.util

from rich.console import Console


def supports_live_display(console: Console) -> bool:
    """Return whether a live progress bar works: on a terminal, or in Jupyter with ipywidgets."""
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return console.is_terminal
