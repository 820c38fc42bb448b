"""A server on this machine that shows the page of a training, and follows it."""

import json
import os
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

from .._io.folders import inside, read_regular
from ..studies import LIVE_PAYLOAD, LiveState, StudyError
from ._live_words import MOST_BYTES, words_of
from ._page import render_page

HOST: Final = "127.0.0.1"
# The shell asks this server alone, and frames nothing else; the page within asks nobody.
_SHELL_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


class Watcher:
    """Show the page of a training in a browser, brought up to date while the training runs.

    The server answers on 127.0.0.1 only, at an address that nobody can guess, and reads the folder;
    it writes nothing. What it shows makes no request to anything else. Use it as a context manager,
    or call `close`.

    Parameters
    ----------
    folder : path-like
        The folder that was given to `EpochRecorder.live`.
    port : int, default=0
        The port; 0 for any that is free.

    Attributes
    ----------
    url : str
        The address to open in a browser.

    Raises
    ------
    StudyError
        If the folder is not that of a live page.
    OSError
        If the port is taken.

    See Also
    --------
    unknot.studies.EpochRecorder.live : Writes the folder.
    LiveWidget : Shows the same in a notebook.

    Examples
    --------
    >>> from unknot.report import Watcher
    >>> with Watcher("training") as watcher:  # doctest: +SKIP
    ...     print(watcher.url)
    """

    def __init__(self, folder: str | os.PathLike[str], port: int = 0) -> None:
        self.folder = Path(folder)
        LiveState.read(self.folder)
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be from 0 to 65535; got {port}")
        self._token = secrets.token_urlsafe(16)
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise OSError(
                error.errno,
                f"port {port} of {HOST} cannot be used ({error.strerror}); name another",
            ) from error
        self._server.watcher = self
        self._rendered: tuple[int, bytes] = (0, b"")
        self._rendering = threading.Lock()
        self.url = f"http://{HOST}:{self._server.server_address[1]}/{self._token}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="unknot-watch", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, host: str) -> tuple[int, str, bytes, str]:
        """Return status, type, content and content security policy for a path.

        The host is checked, so that no page of elsewhere reaches this server by a name of its own.
        """
        port = self._server.server_address[1]
        if host not in (f"{HOST}:{port}", f"localhost:{port}"):
            return 403, "text/plain", b"unknown host", "default-src 'none'"
        here = urlsplit(path).path
        if not secrets.compare_digest(
            here[: len(self._token) + 2].encode(), f"/{self._token}/".encode()
        ):
            return 404, "text/plain", b"no such page", "default-src 'none'"
        name = here[len(self._token) + 2 :]
        if name == "":
            nonce = secrets.token_urlsafe(12)
            shell = _shell().replace("NONCE", nonce).encode()
            return 200, "text/html; charset=utf-8", shell, _SHELL_POLICY.format(nonce=nonce)
        if name == "state":
            return 200, "application/json", self._state(), "default-src 'none'"
        if name == "page":
            try:
                return 200, "text/html; charset=utf-8", self._page(), _PAGE_POLICY
            except (OSError, ValueError, KeyError, TypeError) as error:
                said = f"the page cannot be read: {error}".encode()
                return 503, "text/plain; charset=utf-8", said, "default-src 'none'"
        return 404, "text/plain", b"no such page", "default-src 'none'"

    def _state(self) -> bytes:
        try:
            state = LiveState.read(self.folder)
            said: dict[str, Any] = {**state.to_json(), "words": words_of(state)}
        except StudyError as error:
            said = {"status": "stopped", "update": 0, "words": str(error)}
        return json.dumps(said).encode()

    def _page(self) -> bytes:
        """Render the page from its data: no script of the folder is served."""
        with self._rendering:
            update = LiveState.read(self.folder).update
            if not update:
                raise ValueError("no epoch of this training is shown yet")
            if update != self._rendered[0]:
                text = read_regular(inside(self.folder, LIVE_PAYLOAD), MOST_BYTES)
                self._rendered = update, render_page(json.loads(text))[0]
            return self._rendered[1]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    watcher: Watcher


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "unknot"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a request for the shell, the state or the page."""
        status, kind, content, policy = self.server.watcher.answer(
            self.path, self.headers.get("Host", "")
        )
        self.send_response(status)
        for header, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", policy),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(header, value)
        self.end_headers()
        try:
            self.wfile.write(content)
        except ConnectionError:  # the browser has gone on to a newer page
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Print nothing: each look at the state would be a line."""


def _shell() -> str:
    return files(__package__).joinpath("static", "live.html").read_text(encoding="utf-8")
