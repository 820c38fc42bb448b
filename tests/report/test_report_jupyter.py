"""The widget in JupyterLab: synchronization in both directions."""

import os
import re
import sys
import time
from pathlib import Path

import pytest
from notebook_server import free_port, serving
from report_browser import chromium

CELLS = (
    """
import sys
sys.path.insert(0, {tests!r})
from report_studies import full_study
from unknot.report import Widget, _widget
_widget.AT_ONCE = 0  # each layer comes when it is asked for
widget = Widget(full_study(200))
widget
""",
    "widget.layer, widget.selection = 'fc2', [3, 1, 4]",
    "print('the layer is', widget.layer, 'and', len(widget.selection), 'are selected')",
)

LIVE_CELLS = (
    """
import json, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from report_studies import publish
from unknot.report import LiveWidget
folder = Path("live")
folder.mkdir()
(folder / ".unknot").write_text(json.dumps({{"format": "unknot live page", "version": 1}}))
widget = LiveWidget(folder)
widget
""",
    # The kernel is busy, as it is with a training.
    """
for update, epochs in ((1, [0]), (2, [0, 3])):
    publish(folder, epochs, update)
    started = time.monotonic()
    while time.monotonic() - started < 20 and not (folder / f"seen-{{update}}").exists():
        sum(range(10_000))
print("trained")
""",
    "print('the layer is', widget.layer)",
)


@pytest.fixture
def notebook(tmp_path, request):
    """The URL of a notebook in a running JupyterLab."""
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    here = str(Path(__file__).parent)
    cells = [
        nbformat.v4.new_code_cell(cell.format(tests=here).strip())
        for cell in getattr(request, "param", CELLS)
    ]
    root = tmp_path / "notebooks"
    root.mkdir()
    # With its kernel named, no dialogue asks for one.
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(written, root / "study.ipynb")
    port = free_port()
    environment = {
        **os.environ,
        **{
            f"JUPYTER_{kind}_DIR": str(tmp_path / kind.lower())
            for kind in ("CONFIG", "DATA", "RUNTIME")
        },
        "JUPYTER_NO_CONFIG": "1",
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}",
        "--IdentityProvider.token=", "--LabApp.check_for_updates_class="
        "jupyterlab.handlers.announcements.NeverCheckForUpdate", "--LabApp.news_url=",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with serving(command, environment, address + "/api", tmp_path / "log"):
        yield address + "/lab/tree/study.ipynb?reset"


def shows(page, locator, seconds):
    """Whether it is visible in time."""
    until = time.monotonic() + seconds
    while not (visible := locator.is_visible()) and time.monotonic() < until:
        page.wait_for_timeout(200)
    return visible


def wait_for(page, locator, seconds=90):
    """Wait, and say what the notebook shows if it is something else."""
    assert shows(page, locator, seconds), page.locator(".jp-Notebook").inner_text()


def run_cell(page, number):
    """Run a cell; once more where the notebook was not ready for the keys."""
    cell = page.locator(".jp-CodeCell").nth(number)
    started = cell.locator(".jp-InputPrompt").get_by_text(re.compile(r"\[(\*|\d+)\]"))
    for _ in range(5):
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        if shows(page, started, 10):
            return
    wait_for(page, started, 0)


def test_the_widget_is_linked_both_ways(notebook):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.goto(notebook)
        page.locator(".jp-CodeCell").nth(2).wait_for(timeout=60_000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
        run_cell(page, 0)
        slider = page.get_by_test_id("layer-slider")
        wait_for(page, slider)
        assert slider.get_attribute("aria-valuetext").startswith("inputs")
        # JupyterLab has rules of its own for terms and buttons.
        term = page.locator(".unknot .score dt").first
        assert term.evaluate("each => getComputedStyle(each).float") == "none"
        radii = page.locator(".unknot button").evaluate_all(
            "all => all.map(each => getComputedStyle(each).borderTopLeftRadius)"
        )
        assert "2px" not in radii

        run_cell(page, 1)
        page.wait_for_function(
            "document.querySelector('[data-testid=layer-slider]').ariaValueText.startsWith('fc2')"
        )
        title = page.get_by_test_id("selection").locator("h2")
        assert title.inner_text() == "3 points selected"

        page.get_by_test_id("waiting").wait_for(state="hidden")
        page.locator("[data-testid=map][data-moving=false]").wait_for()
        assert not page.get_by_text("There is no map of fc2").is_visible()
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.get_by_test_id("clear-selection").click()
        run_cell(page, 2)
        said = page.locator(".jp-OutputArea-output").get_by_text("the layer is")
        assert said.inner_text(timeout=20_000).strip() == ("the layer is fc3 and 0 are selected")


@pytest.mark.parametrize("notebook", [LIVE_CELLS], indirect=True, ids=["live"])
def test_a_live_widget_follows_while_a_cell_trains(notebook, tmp_path):
    folder = tmp_path / "notebooks" / "live"
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.goto(notebook)
        page.locator(".jp-CodeCell").nth(2).wait_for(timeout=60_000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
        run_cell(page, 0)
        status = page.get_by_test_id("live-status")
        wait_for(page, status.get_by_text("no epoch yet · recording"))
        run_cell(page, 1)
        status.get_by_text("epoch 0 · recording").wait_for(timeout=60_000)
        page.get_by_test_id("layer-tick-1").click(timeout=60_000)
        assert not page.get_by_text("trained", exact=True).count()
        (folder / "seen-1").touch()
        status.get_by_text("epoch 3 · recording").wait_for(timeout=60_000)
        slider = page.get_by_test_id("layer-slider")
        assert slider.get_attribute("aria-valuetext").startswith("fc1")
        assert page.get_by_test_id("epoch-name").inner_text() == "epoch 3"
        (folder / "seen-2").touch()
        page.get_by_text("trained", exact=True).wait_for(timeout=30_000)
        run_cell(page, 2)
        said = page.locator(".jp-OutputArea-output").get_by_text("the layer is")
        assert said.inner_text(timeout=20_000).strip() == "the layer is fc1"
