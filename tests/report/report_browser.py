"""Debian's Chromium, and a page that records its requests and errors."""

import json
import os
import shutil
from contextlib import contextmanager
from urllib.parse import parse_qsl

import pytest

ARGUMENTS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextmanager
def chromium():
    """Launch the browser; skip the test if it is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running, launched(running.chromium) as browser:
        yield browser


@contextmanager
def launched(kind, *more):
    """Launch a browser with additional arguments."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    browser = kind.launch(executable_path=path, args=[*ARGUMENTS, *more])
    try:
        yield browser
    finally:
        browser.close()


class Opened:
    """A report opened in the browser, with its recorded requests, errors and dialogs."""

    def __init__(self, browser, path, fragment="", **options):
        self.path = path
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "accept_downloads": True, **options}
        )
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.requests, self.faults, self.dialogs = [], [], []
        self.context.on("request", self._note)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("dialog", self._dismiss)
        self.open(fragment)

    def open(self, fragment=""):
        self.page.goto(f"{self.path.as_uri()}#{fragment}" if fragment else self.path.as_uri())

    def reset(self):
        """Restore the initial state of the page, except for open details."""
        self.requests, self.faults, self.dialogs = [], [], []
        self.page.mouse.move(2, 2)
        self.page.keyboard.press("Escape")
        self.page.evaluate("scrollTo(0, 0); location.hash = 'layer=inputs'")
        self.until(**dict.fromkeys(self.state) | {"layer": "inputs"})

    def _hear(self, message):
        # Ignore Chromium's warning about slow pixel reads in software rendering.
        if message.type == "error" and "GPU stall" not in message.text:
            self.faults.append(message.text)

    def _note(self, request):
        self.requests.append(request.url)

    def _dismiss(self, dialog):
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    @property
    def state(self):
        """The view state in the URL."""
        return dict(parse_qsl(self.page.url.partition("#")[2], keep_blank_values=True))

    def until(self, **expected):
        """Wait until the URL has this state; None for a key that must be absent."""
        self.page.wait_for_function(
            """expected => {
                const has = new URLSearchParams(location.hash.slice(1));
                return Object.entries(expected).every(([key, value]) => has.get(key) === value);
            }""",
            arg=expected,
            timeout=10_000,
        )

    def settled(self, pane="map"):
        """Wait until the points of a map are drawn and no longer move."""
        self.page.locator(f"[data-testid={pane}][data-moving=false]").wait_for()
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def check(self):
        """Check that there were no requests, errors or dialogs."""
        outside = [u for u in self.requests if not u.startswith(("data:", "blob:"))]
        assert {url.partition("#")[0] for url in outside} <= {self.path.as_uri()}
        assert self.faults == []
        assert self.dialogs == []

    def close(self):
        self.context.close()


def payload_of(path):
    """Return the payload of a page file."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text.partition('id="unknot-data">')[2].partition("</script>")[0])
