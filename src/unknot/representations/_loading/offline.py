"""No connection while a library loads from local files."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


class OfflineError(ConnectionError):
    """A library tried to open a connection."""


def refusing(function: Callable[..., Any], error: Callable[[], Exception]) -> Callable[..., Any]:
    """Return a function that raises an error in this thread, and works as before in others."""
    here = threading.get_ident()

    def refused(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == here:
            raise error()
        return function(*args, **kwargs)

    return refused


@contextmanager
def offline() -> Iterator[None]:
    """Raise an error where this thread opens a connection."""
    refused = refusing(
        socket.socket.connect, lambda: OfflineError("it names something to be downloaded")
    )
    with mock.patch.object(socket.socket, "connect", refused):
        yield
