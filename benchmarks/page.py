"""The page at every size: how large its file is, and how long a browser takes over it.

    python benchmarks/page.py [--only PATTERN] [--rounds 3]

Studies of synthetic layers are written by `unknot.report.write_report` and opened in Chromium from
disk, with drawing by the processor: a machine with graphics takes less. Times of scripts and tasks
are those that the page's own thread computed, which other programs on the machine hardly change;
writing is in seconds of the processor; only the first paint and the first map are by the clock. The
least of some rounds is printed of each, and beside it, after a slash, what it may be; * marks what
is more. A change of layer is the median of six, the longest task any from the first map on, while
the page is scrolled through, layers are changed, classes filtered, and a point is held.

Chromium is found as ``chromium`` or as $CHROMIUM; needs playwright.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from page_cases import CASES, Case, study_of

from unknot.report import write_report

ARGUMENTS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Notes when the first map stands.
WATCH = """
const look = () => {
    if (document.querySelector("[data-testid=map][data-moving=false]")) {
        window.stood = performance.now();
        performance.mark("map stands");
    } else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
SETTLED = """async () => {
    const pane = document.querySelector("[data-testid=map]");
    do await new Promise(requestAnimationFrame); while (pane.dataset.moving === "true");
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
COLUMNS = {
    "megabytes": "file, MB",
    "writing_s": "written, s",
    "paint_s": "first paint, s",
    "opening_s": "first map, s",
    "computed_s": "of which computed, s",
    "change_ms": "change of layer, ms",
    "task_ms": "longest task, ms",
    "heap_mb": "heap, MB",
}


def main() -> None:
    """Measure the cases, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| samples × layers | " + " | ".join(COLUMNS.values()) + " |")
    print("|---" * (1 + len(COLUMNS)) + "|")
    made: tuple[Any, Any] = (None, None)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for name, case in CASES.items():
            if arguments.only not in name:
                continue
            file = Path(folder) / "report.html"
            kind = (case.samples, case.classes, case.layers, case.pictures)
            study = made[1] if made[0] == kind else study_of(case)
            made = (kind, study)
            begin = time.process_time()
            write_report(study, file, max_points=case.max_points)
            writing = time.process_time() - begin
            rounds = [opened(browser, file, case) for _ in range(arguments.rounds)]
            found = {key: min(each[key] for each in rounds) for key in rounds[0]}
            found |= {"megabytes": file.stat().st_size / 1e6, "writing_s": writing}
            cells = [cell(found[key], getattr(case, key, None)) for key in COLUMNS]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def cell(value: float, most: float | None) -> str:
    """Return a number with what it may be."""
    text = f"{value:.0f}" if value >= 20 else f"{value:.1f}"
    return text if most is None else f"{text} / {most:g}{' *' if value > most else ''}"


@contextmanager
def chromium() -> Iterator[Any]:
    """Launch the browser."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise SystemExit("Chromium is not installed; set CHROMIUM to the path of one")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Any, file: Path, case: Case) -> dict[str, float]:
    """Open a page, use it, and return what it took."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(120_000)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(WATCH)
        browser.start_tracing(page=page, categories=["blink.user_timing", "toplevel"])
        page.goto(file.as_uri(), timeout=120_000)
        page.wait_for_function("window.stood !== undefined")
        session = context.new_cdp_session(page)
        session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
        session.send("Performance.enable")
        page.evaluate(SETTLED)
        changes = []
        for layer in (1, 2, 3, 2, 1, 0):
            before = metric(session, "ScriptDuration")
            page.get_by_test_id(f"layer-tick-{layer}").dispatch_event("click")
            page.evaluate(SETTLED)
            changes.append(1000 * (metric(session, "ScriptDuration") - before))
        page.get_by_test_id("legend-4").click()
        page.evaluate(SETTLED)
        page.get_by_test_id("show-all").click()
        page.get_by_test_id("map-canvas").click(position={"x": 300, "y": 300})
        page.evaluate(SETTLED)
        for _ in range(12):
            page.keyboard.press("PageDown")
            page.wait_for_timeout(150)
        page.wait_for_timeout(1000)
        trace = json.loads(browser.stop_tracing())
        session.send("HeapProfiler.collectGarbage")
        if faults:
            raise RuntimeError(f"the page failed: {faults[0]}")
        return {
            "paint_s": page.evaluate(PAINT) / 1000,
            "opening_s": page.evaluate("window.stood") / 1000,
            "computed_s": sum(tasks(trace["traceEvents"], after=False)) / 1000,
            "change_ms": statistics.median(changes),
            "task_ms": max(tasks(trace["traceEvents"], after=True)),
            "heap_mb": metric(session, "JSHeapUsedSize") / 1e6,
        }
    finally:
        context.close()


def metric(session: Any, name: str) -> float:
    """Return one of the browser's counters of a page; times are those of its thread."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(each["value"]) for each in metrics if each["name"] == name)


def tasks(events: list[dict[str, Any]], *, after: bool) -> list[float]:
    """Return how long each task of the page's thread computed before or after the map stood."""
    stood = next(event for event in events if event["name"] == "map stands")
    return [
        event["tdur"] / 1000
        for event in events
        if re.search("RunTask", event["name"])
        and (event["pid"], event["tid"]) == (stood["pid"], stood["tid"])
        and (event["ts"] >= stood["ts"]) == after
        and "tdur" in event
    ]


if __name__ == "__main__":
    main()
