"""The widget in marimo: each layer comes when it is asked for, and both sides are linked."""

import os
import sys
from pathlib import Path

import pytest
from notebook_server import free_port, serving
from report_browser import chromium

NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    import sys

    sys.path.insert(0, {tests!r})
    import marimo as mo
    from report_studies import full_study

    from unknot.report import Widget, _widget

    _widget.AT_ONCE = 0
    widget = mo.ui.anywidget(Widget(full_study(200)))
    widget
    return mo, widget


@app.cell
def _(mo, widget):
    mo.md(f"the layer is {{widget.layer}} and {{len(widget.selection)}} are selected")
    return


@app.cell
def _(mo, widget):
    def choose(_):
        widget.widget.layer, widget.widget.selection = "fc4", [3, 1, 4]

    mo.ui.button(label="choose", on_click=choose)
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def address(tmp_path):
    """The URL of the notebook, served by marimo."""
    pytest.importorskip("marimo", reason="marimo is not installed")
    notebook = tmp_path / "study.py"
    notebook.write_text(NOTEBOOK.format(tests=str(Path(__file__).parent)), encoding="utf-8")
    port = free_port()
    command = [
        sys.executable, "-m", "marimo", "run", str(notebook), "--headless", "--no-token",
        "--host", "127.0.0.1", "--port", str(port), "--session-ttl", "5",
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(tmp_path), "MARIMO_SKIP_UPDATE_CHECK": "1"}
    found = f"http://127.0.0.1:{port}"
    with serving(command, environment, found, tmp_path / "log"):
        yield found


@pytest.mark.browser
@pytest.mark.slow
def test_the_widget_is_linked_with_marimo(address):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        slider = page.get_by_test_id("layer-slider")
        slider.wait_for(timeout=90_000)
        assert slider.get_attribute("aria-valuetext").startswith("inputs")
        page.get_by_text("the layer is inputs and 0 are selected").wait_for(timeout=30_000)

        # All layers have come, one after the other.
        page.get_by_test_id("film-5").wait_for(timeout=30_000)
        page.get_by_test_id("waiting").wait_for(state="hidden")
        page.get_by_test_id("layer-tick-2").click()
        page.get_by_text("the layer is fc2 and 0 are selected").wait_for(timeout=30_000)
        page.locator("[data-testid=map][data-moving=false]").wait_for()
        assert not page.get_by_text("There is no map of fc2").is_visible()

        page.get_by_role("button", name="choose").click()
        page.locator("[data-testid=layer-slider][aria-valuetext^=fc4]").wait_for(timeout=30_000)
        title = page.get_by_test_id("selection").locator("h2")
        assert title.inner_text() == "3 points selected"
        assert faults == []
