"""The report: an interactive page of a study, as one HTML file or as a notebook widget."""

from typing import TYPE_CHECKING, Any

from ._options import KeptMoments as KeptMoments
from ._page import render_page as render_page
from ._page import write_report
from ._payload import build_live_payload as build_live_payload
from ._payload import build_payload
from ._watch import Watcher

if TYPE_CHECKING:
    from ._live_widget import LiveWidget as LiveWidget
    from ._widget import Widget as Widget

__all__ = ["LiveWidget", "Watcher", "Widget", "build_payload", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in ("LiveWidget", "Widget"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .._extras import import_extra

    import_extra("anywidget", feature="The widget", extra="notebook")
    from ._live_widget import LiveWidget
    from ._widget import Widget

    globals().update(LiveWidget=LiveWidget, Widget=Widget)
    return globals()[name]
