"""Debian's Chromium, and a page of it that says what it asks for and what goes wrong in it."""

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
    """Launch the browser, or skip the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running, launched(running.chromium) as browser:
        yield browser


@contextmanager
def launched(kind, *more):
    """Launch a browser with more arguments than the usual ones."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    browser = kind.launch(executable_path=path, args=[*ARGUMENTS, *more])
    try:
        yield browser
    finally:
        browser.close()


class Opened:
    """A report opened in the browser: its page, and what must not happen there."""

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
        """Go back to how the page was when it was opened, details left open apart."""
        self.requests, self.faults, self.dialogs = [], [], []
        self.page.mouse.move(2, 2)
        self.page.keyboard.press("Escape")
        self.page.evaluate("scrollTo(0, 0); location.hash = 'layer=inputs'")
        self.until(**dict.fromkeys(self.state) | {"layer": "inputs"})

    def _hear(self, message):
        # Chromium says how slow reading pixels in software is; that is no fault of the page.
        if message.type == "error" and "GPU stall" not in message.text:
            self.faults.append(message.text)

    def _note(self, request):
        self.requests.append(request.url)

    def _dismiss(self, dialog):
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    @property
    def state(self):
        """What the address says of the view."""
        return dict(parse_qsl(self.page.url.partition("#")[2], keep_blank_values=True))

    def until(self, **expected):
        """Wait until the address says this; None for a key that must be absent."""
        self.page.wait_for_function(
            """expected => {
                const has = new URLSearchParams(location.hash.slice(1));
                return Object.entries(expected).every(([key, value]) => has.get(key) === value);
            }""",
            arg=expected,
            timeout=10_000,
        )

    def settled(self, pane="map"):
        """Wait until the points of a map lie still and are on the screen."""
        self.page.locator(f"[data-testid={pane}][data-moving=false]").wait_for()
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def check(self):
        """Nothing left the page, nothing failed in it, and nothing popped up."""
        outside = [u for u in self.requests if not u.startswith(("data:", "blob:"))]
        assert {url.partition("#")[0] for url in outside} <= {self.path.as_uri()}
        assert self.faults == []
        assert self.dialogs == []

    def close(self):
        self.context.close()


def payload_of(path):
    """The payload in a written page."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text.partition('id="unknot-data">')[2].partition("</script>")[0])
