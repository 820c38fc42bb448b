"""The report: an interactive page of a study, as one HTML file or as a notebook widget."""

from typing import TYPE_CHECKING, Any

from ._page import write_report
from ._payload import build_payload

if TYPE_CHECKING:
    from ._widget import Widget as Widget

__all__ = ["Widget", "build_payload", "write_report"]


def __getattr__(name: str) -> Any:
    if name != "Widget":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .._extras import import_extra

    import_extra("anywidget", feature="The widget", extra="notebook")
    from ._widget import Widget

    globals()[name] = Widget
    return Widget
