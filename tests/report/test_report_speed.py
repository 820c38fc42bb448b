"""Many points: how long the page takes, as far as this machine is as fast as it may be.

The limits are three times what a quiet machine takes, and grow with how slow this one is at the
moment, be it of another kind or busy with other things.
"""

import time
from dataclasses import replace

import pytest
from report_browser import Opened
from report_studies import pictures_of, study_of

import unknot
from unknot.report import write_report

# When the first map is drawn, and how long scripts run for a change of layer.
LAYER_CHANGE = """
async layer => {
    const tasks = [];
    const observer = new PerformanceObserver(list => tasks.push(...list.getEntries()));
    observer.observe({ type: "longtask" });
    const begin = performance.now();
    document.querySelector(`[data-testid=layer-tick-${layer}]`).click();
    const handler = performance.now() - begin;
    const pane = document.querySelector("[data-testid=map]");
    do await new Promise(requestAnimationFrame); while (pane.dataset.moving === "true");
    observer.disconnect();
    return [handler, tasks.map(task => task.duration)];
}
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


# Duration of the loop below on an idle machine.
LOOP_SECONDS = 0.05


def busy():
    """Return the allowed slowdown relative to an idle machine; at least 3."""
    begin = time.perf_counter()
    for _ in range(1_000_000):
        pass
    return 3 * max(1, (time.perf_counter() - begin) / LOOP_SECONDS)


def many(n_samples):
    """A study of six layers, whose neighbors, which take long to find, are those of the first."""
    study = study_of(n_samples, measured=False, graphs=False)
    graph = unknot.nearest_neighbors(study.layers["inputs"].map, 10)
    layers = {name: replace(layer, graph=graph) for name, layer in study.layers.items()}
    pictures = pictures_of(study.labels, side=28)
    return replace(study, layers=layers, thumbnails=pictures)


def script_seconds(session):
    """Return how long scripts of the page have run."""
    found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    return found["ScriptDuration"]


@pytest.mark.slow
def test_a_thousand_classes_are_written_and_respond(browser, tmp_path):
    study = study_of(20_000, 1000, 4, measured=False)
    begin = time.perf_counter()
    path = write_report(study, tmp_path / "report.html")
    writing = time.perf_counter() - begin
    page = Opened(browser, path)
    page.settled()
    session = page.context.new_cdp_session(page.page)
    session.send("Performance.enable")
    steps = []
    for layer in (1, 2, 3, 2, 1):
        before = script_seconds(session)
        page.page.evaluate(LAYER_CHANGE, layer)
        page.until(layer=f"fc{layer}")
        steps.append(1000 * (script_seconds(session) - before))
    print(f"\n1,000 classes: written in {writing:.1f} s, scripts {[round(s) for s in steps]} ms")
    allowed = busy()
    assert sorted(steps)[2] < allowed * 100
    assert writing < allowed * 8
    page.check()
    page.close()


@pytest.mark.parametrize(("n_layers", "seconds"), [(40, 5), (200, 15)])
def test_many_layers_are_written_in_seconds(tmp_path, n_layers, seconds):
    study = study_of(600, 10, 2, measured=False)
    layer = study.layers["fc1"]
    layers = {f"layer{i}": replace(layer, name=f"layer{i}") for i in range(n_layers)}
    begin = time.perf_counter()
    write_report(replace(study, layers=layers), tmp_path / "report.html")
    assert time.perf_counter() - begin < busy() * seconds


@pytest.mark.parametrize("n_samples", [10_000, 70_000])
def test_many_points_open_and_respond(browser, tmp_path, n_samples):
    study = many(n_samples)
    begin = time.perf_counter()
    path = write_report(study, tmp_path / "report.html")
    writing = time.perf_counter() - begin
    page = Opened(browser, path)
    page.settled()
    drawn = page.page.evaluate("performance.now()")
    paint = page.page.evaluate(PAINT)
    session = page.context.new_cdp_session(page.page)
    session.send("Performance.enable")

    # The least of three changes: the others may have waited for other programs.
    changes = []
    for layer in (3, 2, 4):
        before = script_seconds(session)
        handler, tasks = page.page.evaluate(LAYER_CHANGE, layer)
        page.until(layer=f"fc{layer}")
        changes.append((1000 * (script_seconds(session) - before), handler, tasks))
    scripts, handler, tasks = min(changes)
    print(
        f"\n{n_samples:,} points: {path.stat().st_size / 1e6:.1f} MB written in {writing:.1f} s, "
        f"first paint {paint:.0f} ms, first map {drawn:.0f} ms; a layer change: handler "
        f"{handler:.0f} ms, scripts in all {scripts:.0f} ms, long tasks "
        f"{[round(task) for task in tasks]}"
    )
    page.page.get_by_test_id("legend-4").click()
    page.until(classes="4")
    assert path.stat().st_size < (6e6 if n_samples == 10_000 else 20e6)
    if n_samples == 10_000:
        allowed = busy()
        assert drawn < allowed * 2000
        assert scripts < allowed * 100
        assert writing < allowed * 5
    page.check()
    page.close()
