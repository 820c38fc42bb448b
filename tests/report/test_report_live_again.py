"""A folder whose training begins again: no page of one training is shown as that of another."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from report_studies import publish

from unknot._io.lock import FolderInUseError
from unknot.report import LiveWidget, Watcher
from unknot.studies import EpochRecorder, LiveState, RecordingWarning

LABELS = np.repeat([0, 1, 2], 40)
POINTS = (np.random.default_rng(0).normal(size=(120, 6)) + LABELS[:, None]).astype(np.float32)


def recorder_of(**options):
    return EpochRecorder(
        (POINTS, LABELS),
        name="net",
        measures="neighborhood_hit",
        max_iter=250,
        perplexity=10,
        n_neighbors=30,
        progress=False,
        coherence=0,
        **options,
    )


def layers_at(epoch):
    return {"fc1": POINTS[:, :3] + epoch * np.eye(3, dtype=np.float32)[LABELS]}


def until(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)


@pytest.fixture
def folder(tmp_path):
    """The folder of a live page, without a process."""
    (tmp_path / ".unknot").write_text(json.dumps({"format": "unknot live page", "version": 1}))
    return tmp_path


def begin_again(folder):
    LiveState(before=LiveState.read(folder).last).write(folder)


def test_versions_of_the_page_count_on(tmp_path):
    page = tmp_path / "page"
    numbers = []
    for _ in range(2):
        recorder = recorder_of(out=tmp_path / "study")
        live = recorder.live(page, n_jobs=1)
        assert live.state == LiveState(before=max(numbers, default=0))
        recorder.record(layers_at(1), 1)
        until(lambda live=live: live.state.epochs == (1,))
        numbers.append(live.state.update)
        recorder.study()
        numbers.append(live.state.update)
    assert numbers == [1, 2, 3, 4]


def test_a_second_recorder_is_refused_from_the_first_moment(tmp_path):
    first, second = recorder_of(out=tmp_path / "one"), recorder_of(out=tmp_path / "two")
    live = first.live(tmp_path / "page", n_jobs=1)
    with pytest.raises(FolderInUseError, match="is being written by another run"):
        second.live(tmp_path / "page")
    assert second.record(layers_at(1), 1)
    assert list(second.study().epochs) == [1]
    assert first.record(layers_at(2), 2)
    until(lambda: live.state.epochs == (2,))
    first.study()
    third = recorder_of(out=tmp_path / "one")
    third.live(tmp_path / "page", n_jobs=1).stop()


OTHER = """
import sys
sys.path.insert(0, {tests!r})
from test_report_live_again import layers_at, recorder_of
recorder = recorder_of(out=sys.argv[1])
recorder.capture(layers_at(5), 5)
print("recorded", flush=True)
sys.stdin.read()
"""


def test_two_trainings_with_pages_of_their_own_are_refused_by_their_study(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", OTHER.format(tests=str(Path(__file__).parent)), tmp_path / "study"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as other:
        assert other.stdout.readline() == "recorded\n"
        recorder = recorder_of(out=tmp_path / "study")
        live = recorder.live(tmp_path / "page", n_jobs=1)
        with pytest.warns(RecordingWarning, match="another process records a training into it"):
            assert not recorder.record(layers_at(1), 1)
        live.stop()
        other.kill()


def test_a_page_leaves_out_what_a_training_that_begins_again_left_out(tmp_path):
    recorder = recorder_of()
    live = recorder.live(tmp_path / "page", n_jobs=1)
    for epoch in (0, 1, 2):
        recorder.capture(layers_at(epoch), epoch)
    until(lambda: live.state.epochs == (0, 1, 2))
    with pytest.warns(RecordingWarning, match="begins again at epoch 1"):
        recorder.capture(layers_at(9), 1)
    until(lambda: live.state.epochs == (0, 1))
    payload = json.loads((tmp_path / "page" / "payload.json").read_text())
    assert payload["models"][0]["epochs"]["epochs"] == [0, 1]
    live.stop()


def test_each_kind_of_fault_is_reported(tmp_path):
    recorder = recorder_of()
    live = recorder.live(tmp_path / "page", n_jobs=1)
    with pytest.warns(RecordingWarning, match="epoch 0 was not recorded"):
        assert not recorder.record({"fc1": POINTS[:3]}, 0)
    live._process.kill()
    live._process.wait()
    with pytest.warns(RecordingWarning, match="no longer brought up to date"):
        assert recorder.record(layers_at(1), 1)
    assert recorder.record(layers_at(2), 2)  # another warning would be an error


def test_the_server_shows_no_page_of_the_training_before(folder):
    publish(folder, [0], 1)
    with Watcher(folder) as watcher:
        host = watcher.url.split("/")[2]
        path = "/" + watcher.url.split("/", 3)[3]
        first = watcher.answer(path + "page", host)
        assert first[0] == 200
        begin_again(folder)
        status, _, said, _ = watcher.answer(path + "page", host)
        assert (status, said) == (
            503,
            b"the page cannot be read: no epoch of this training is shown yet",
        )
        publish(folder, [3], LiveState.read(folder).last + 1)
        again = watcher.answer(path + "page", host)
        assert again[0] == 200
        assert again[2] != first[2]


def test_the_browser_takes_the_page_of_the_training_before_down(browser, folder):
    publish(folder, [0, 3, 12], 3)
    with Watcher(folder) as watcher:
        context = browser.new_context(viewport={"width": 360, "height": 640})
        page = context.new_page()
        page.goto(watcher.url)
        waiting = page.get_by_text("The page appears here after the first recorded epoch.")
        page.wait_for_function("() => document.querySelector('iframe')?.hidden === false")
        assert waiting.is_hidden()
        begin_again(folder)
        waiting.wait_for()
        assert page.get_by_test_id("live-status").inner_text() == "no epoch yet · recording"
        assert page.locator("iframe").count() == 0
        publish(folder, [0], LiveState.read(folder).last + 1)
        page.wait_for_function("() => document.querySelector('iframe')?.hidden === false")
        assert page.get_by_test_id("live-status").inner_text() == "epoch 0 · recording"
        (frame,) = (each for each in page.frames if "page?update=4" in each.url)
        assert frame.get_by_test_id("layer-slider").is_visible()
        context.close()


def test_a_widget_says_that_its_page_is_of_the_training_before(folder, monkeypatch):
    # By hand, not by a thread.
    monkeypatch.setattr("unknot.report._live_widget._follow", lambda *arguments: None)
    publish(folder, [0, 3], 2)
    widget = LiveWidget(folder)
    begin_again(folder)
    assert widget.refresh()
    assert widget.status == ("no epoch yet · recording · below is the page of the training before")
    publish(folder, [0], LiveState.read(folder).last + 1)
    widget.refresh()
    assert widget.status == "epoch 0 · recording"
    widget.close()
