"""Many points: how long the page takes is printed (pytest -s); what it does is asserted."""

import pytest
from report_browser import Opened, chromium
from report_studies import pictures_of, study_of

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
    await new Promise(resolve => setTimeout(resolve, 1500));
    observer.disconnect();
    return [handler, tasks.map(task => task.duration)];
}
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.mark.parametrize("n_samples", [10_000, 70_000])
def test_many_points_open_and_respond(browser, tmp_path, n_samples):
    study = study_of(n_samples, measured=False)
    object.__setattr__(study, "thumbnails", pictures_of(study.labels, side=28))
    path = write_report(study, tmp_path / "report.html")
    page = Opened(browser, path)
    page.page.get_by_test_id("layer-name").wait_for()
    page.page.wait_for_timeout(500)
    paint = page.page.evaluate(PAINT)
    session = page.context.new_cdp_session(page.page)
    session.send("Performance.enable")

    def script_seconds():
        found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        return found["ScriptDuration"]

    before = script_seconds()
    handler, tasks = page.page.evaluate(LAYER_CHANGE, 3)
    page.until(layer="fc3")
    print(
        f"\n{n_samples:,} points: {path.stat().st_size / 1e6:.1f} MB, first paint {paint:.0f} ms; "
        f"a layer change: handler {handler:.0f} ms, scripts in all "
        f"{1000 * (script_seconds() - before):.0f} ms, long tasks {[round(task) for task in tasks]}"
    )
    page.page.get_by_test_id("legend-4").click()
    page.until(classes="4")
    assert path.stat().st_size < (12e6 if n_samples == 10_000 else 60e6)
    page.check()
    page.close()
