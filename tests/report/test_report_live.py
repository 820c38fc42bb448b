"""A page that follows a training: the process that writes it, the server and the widget."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from report_studies import publish
from traitlets import TraitError

import unknot
from killing import differing
from unknot._io.atomic import write_bytes
from unknot.report import LiveWidget, Watcher, render_page
from unknot.report._parts import split_payload
from unknot.studies import EpochRecorder, LiveState, RecordingWarning, Study, StudyError

LABELS = np.repeat([0, 1, 2], 40)
POINTS = (np.random.default_rng(0).normal(size=(120, 6)) + LABELS[:, None]).astype(np.float32)
QUICK = {
    "measures": ["neighborhood_hit", "map_neighborhood_hit"],
    "max_iter": 250,
    "perplexity": 10,
    "n_neighbors": 30,
    "measure_options": {"n_resamples": 20, "n_permutations": 3},
    "progress": False,
}


def layers_at(epoch):
    apart = np.eye(3, dtype=np.float32)[LABELS]
    return {"fc1": POINTS[:, :4], "fc2": POINTS[:, :3] + epoch * apart}


def until(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)


def payload_in(folder):
    return json.loads((folder / "payload.json").read_text())


# The process that writes the page.


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """A training that was followed, with what its page showed after the second epoch."""
    folder = tmp_path_factory.mktemp("live") / "training"
    recorder = EpochRecorder((POINTS, LABELS), name="net", **QUICK)
    live = recorder.live(folder, n_jobs=1)
    assert live.state == LiveState()
    for epoch in (0, 1):
        assert recorder.record(layers_at(epoch), epoch)
    until(lambda: live.state.epochs == (0, 1))
    between = live.state, payload_in(folder), live.page.read_bytes()
    assert recorder.record(layers_at(4), 4)
    study = recorder.study()
    return folder, study, between, live


def test_after_each_epoch_the_page_has_its_maps_and_scores(followed):
    _, study, (state, payload, page), _ = followed
    assert (state.status, state.captured, state.message) == ("recording", (0, 1), "")
    (model,) = payload["models"]
    assert model["epochs"]["epochs"] == [0, 1]
    hit = model["layers"][2]["scores"]["neighborhood_hit"]["value"]
    assert hit == study.epochs[1].scores.value("fc2", "neighborhood_hit")
    assert [control["name"] for control in model["controls"]] == ["epoch 0"]
    assert page == render_page(payload)[0]


def test_at_the_end_the_page_is_of_the_whole_training(followed):
    folder, study, (before, _, _), live = followed
    assert live.state.status == "finished"
    assert live.state.update == before.update + 1
    assert live.state.epochs == live.state.captured == (0, 1, 4)
    assert payload_in(folder)["models"][0]["epochs"]["epochs"] == [0, 1, 4]
    assert list(study.epochs) == [0, 1, 4]
    assert (folder / "worker.log").read_text() == ""
    assert not list(folder.glob(".unknot-*"))


def test_the_study_is_the_same_as_without_a_page(followed, tmp_path):
    recorder = EpochRecorder((POINTS, LABELS), name="net", out=tmp_path / "alone", **QUICK)
    for epoch in (0, 1, 4):
        recorder.capture(layers_at(epoch), epoch)
    recorder.study()
    assert differing(followed[0] / "study", tmp_path / "alone") == []


PROGRAM = """
import os, sys, time
sys.path.insert(0, {tests!r})
from test_report_live import EpochRecorder, LABELS, POINTS, QUICK, layers_at
recorder = EpochRecorder((POINTS, LABELS), name="net", out=sys.argv[1] + "/study", **QUICK)
live = recorder.live(sys.argv[1] + "/page", n_jobs=1)
if sys.argv[2] == "slow" and os.fork() == 0:  # as a loader's workers, which inherit the pipe
    time.sleep(60)
    os._exit(0)
for epoch in (0, 1, 4):
    assert recorder.record(layers_at(epoch), epoch)
    if sys.argv[2] == "slow":
        print("recorded", epoch, flush=True)
        time.sleep(3 if epoch < 4 else 600)
if sys.argv[2] == "study":
    recorder.study()
"""


@pytest.fixture
def program():
    return PROGRAM.format(tests=str(Path(__file__).parent))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_training_takes_its_process_along_and_can_be_run_again(
    program, tmp_path, followed
):
    command = [sys.executable, "-c", program, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [*command, "slow"], stdout=subprocess.PIPE, text=True, env=environment
    ) as training:
        for _ in range(3):
            assert training.stdout.readline().startswith("recorded")
        training.send_signal(signal.SIGKILL)
    page = tmp_path / "page"
    until(lambda: LiveState.read(page).status == "stopped")
    from unknot._io.lock import FolderInUseError, locked

    def is_free():
        try:
            with locked(page):
                return True
        except FolderInUseError:
            return False

    until(is_free)
    for file in ("index.html", "payload.json"):
        if (page / file).exists():  # whole, whenever it was killed
            assert (page / file).read_bytes()[-1:] in (b"\n", b"}")
    done = subprocess.run(
        [*command, "study"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert differing(tmp_path / "study", followed[0] / "study") == []
    assert LiveState.read(page).status == "finished"


def test_a_training_that_ends_without_a_study_leaves_a_finished_page(program, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), "end"], env=environment, check=True
    )
    page = tmp_path / "page"
    until(lambda: LiveState.read(page).status == "finished")
    assert LiveState.read(page).epochs == (0, 1, 4)


def test_a_process_that_dies_is_reported_once_and_the_training_goes_on(tmp_path):
    recorder = EpochRecorder((POINTS, LABELS), name="net", **QUICK)
    live = recorder.live(tmp_path / "page", n_jobs=1)
    live._process.kill()
    live._process.wait()
    with pytest.warns(RecordingWarning, match="no longer brought up to date"):
        assert recorder.record(layers_at(0), 0)
    assert recorder.record(layers_at(1), 1)  # another warning would be an error
    assert list(recorder.study().epochs) == [0, 1]
    assert live.state.status == "finished"


def test_what_goes_wrong_with_an_epoch_is_on_the_page(tmp_path, monkeypatch):
    from unknot.studies._recording import worker
    from unknot.studies._recording.messages import Setup, Update

    sent = []
    recorder = EpochRecorder((POINTS, LABELS), name="net", **QUICK)
    recorder.capture(layers_at(0), 0)
    captures = recorder._captures
    stages = recorder._stages
    setup = Setup(stages.folder, tmp_path, stages.settings, 1, stages.whole_bytes, None)
    live = worker.LiveWorker(setup, io.BytesIO())
    update = Update(captures.recording, dict(captures.found), tuple(captures.found), "net", None)

    def fails(*arguments):
        raise RuntimeError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(worker, "write_page", fails)
        live._take(update)
        live._bring_up_to_date(update)
    state = LiveState.read(tmp_path)
    assert (state.update, state.message) == (0, "RuntimeError: no space")
    monkeypatch.setattr(worker, "study_of", lambda *arguments: sent.append(arguments))
    monkeypatch.setattr(worker, "write_page", lambda *arguments: None)
    live._bring_up_to_date(update)
    state = LiveState.read(tmp_path)
    assert (state.update, state.epochs, state.message) == (1, (0,), "")


def test_bad_live_pages_are_said(tmp_path):
    recorder = EpochRecorder((POINTS, LABELS), **QUICK)
    recorder.capture(layers_at(1), 1)
    with pytest.raises(ValueError, match="call it before the first epoch is captured"):
        recorder.live(tmp_path / "page")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    other = EpochRecorder((POINTS, LABELS), out=tmp_path / "study", **QUICK)
    with pytest.raises(FileExistsError, match="holds something else than an unknot live page"):
        other.live(tmp_path / "mine")
    for bad in (-1, 0, True):
        with pytest.raises(ValueError, match="max_points must be an integer of at least 1"):
            other.live(tmp_path / "page", max_points=bad)
    with pytest.raises(ValueError, match=r"s3:.* is a URL; name a folder"):
        other.live("s3://bucket/page")
    live = other.live(tmp_path / "page")
    with pytest.raises(ValueError, match="is brought up to date already"):
        other.live(tmp_path / "page")
    live.stop()
    with pytest.raises(ValueError, match="nothing was captured"):
        other.study()


# What is read of a folder.


@pytest.fixture
def folder(tmp_path):
    """The folder of a live page, without a process."""
    (tmp_path / ".unknot").write_text(json.dumps({"format": "unknot live page", "version": 1}))
    return tmp_path


def test_a_state_is_read_as_it_was_written(folder):
    assert LiveState.read(folder) == LiveState()
    state = LiveState("stopped", 3, (0, 2), (0, 2, 3), "why")
    state.write(folder)
    assert LiveState.read(folder) == state


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": "other"}', '{"format": "unknot live page", "version": "1"}'],
)
def test_a_damaged_state_is_said(folder, content):
    (folder / "live.json").write_text(content)
    with pytest.raises(StudyError, match=r"live\.json cannot be read"):
        LiveState.read(folder)


def test_another_folder_is_said(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(StudyError, match=r"is no folder of a live page; name the one"):
            Watcher(path)


# The server.


def get(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_the_server_shows_state_and_page_to_who_knows_its_address(folder):
    with Watcher(folder) as watcher:
        assert get(watcher.url)[0] == 200
        assert json.loads(get(watcher.url + "state")[2])["words"] == "no epoch yet · recording"
        assert get(watcher.url + "page")[0] == 503
        publish(folder, [0], 1)
        status, headers, page = get(watcher.url + "page?update=1")
        assert status == 200
        assert page == render_page(payload_in(folder))[0]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "connect-src" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        publish(folder, [0, 3], 2)
        assert get(watcher.url + "page?update=2")[2] != page
        port = watcher.url.split(":")[2].split("/")[0]
        for path in ("", "state", "page", "x" * 22 + "/state", "../live.json"):
            assert get(f"http://127.0.0.1:{port}/{path}")[0] == 404
        for path in ("live.json", "payload.json", "..%2f..%2fetc/passwd", "page/x"):
            assert get(watcher.url + path)[0] == 404
        # A page of elsewhere whose name leads to this machine.
        assert get(watcher.url + "state", Host=f"evil.example:{port}")[0] == 403
        with pytest.raises(OSError, match="cannot be used"):
            Watcher(folder, int(port))
    with pytest.raises(OSError, match="refused"):
        get(watcher.url)
    with pytest.raises(ValueError, match="port must be from 0 to 65535"):
        Watcher(folder, 70_000)


def test_the_server_is_of_this_machine_alone(folder):
    with Watcher(folder) as watcher:
        assert watcher._server.socket.getsockname()[0] == "127.0.0.1"


def test_no_script_of_the_folder_is_served(folder):
    publish(folder, [0], 1)
    (folder / "index.html").write_text("<script>stolen()</script>")
    payload = payload_in(folder)
    payload["title"] = "</script><script>stolen()</script>"
    write_bytes(folder / "payload.json", json.dumps(payload).encode())
    with Watcher(folder) as watcher:
        page = get(watcher.url + "page")[2]
        assert b"<script>stolen" not in page
        write_bytes(folder / "payload.json", b"{")
        LiveState("recording", 2, (0,), (0,)).write(folder)
        status, _, said = get(watcher.url + "page")
        assert status == 503
        assert b"the page cannot be read" in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_the_command_serves_until_ctrl_c(folder):
    publish(folder, [0], 1)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-m", "unknot", "watch", str(folder), "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as command:
        url = command.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert json.loads(get(url + "state")[2])["update"] == 1
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 0
        assert command.stderr.read() == ""
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex(("127.0.0.1", int(url.split(":")[2].split("/")[0])))


# In a browser.


@pytest.fixture
def watched(browser, folder):
    publish(folder, [0], 1)
    with Watcher(folder) as watcher:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        seen, faults = [], []
        context.on("request", lambda request: seen.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                faults.append(message.text)
                if message.type == "error" and "GPU stall" not in message.text
                else None
            ),
        )
        page.goto(watcher.url)
        yield page, folder, watcher
        context.close()
        assert faults == []
        assert all(url.startswith((watcher.url, "blob:", "data:")) for url in seen), seen


def shown(page, update):
    """Return the frame of an update, once it is shown."""
    page.wait_for_function(
        """update => {
          const [frame, ...more] = document.querySelectorAll("iframe");
          return frame && !more.length && !frame.hidden && frame.src.includes(`update=${update}#`)
            || frame && !more.length && !frame.hidden && frame.src.endsWith(`update=${update}`);
        }""",
        arg=update,
        timeout=60_000,
    )
    return next(frame for frame in page.frames if "page?update=" in frame.url)


def test_the_page_follows_and_keeps_what_is_looked_at(watched):
    page, folder, _ = watched
    frame = shown(page, 1)
    assert page.get_by_test_id("live-status").inner_text() == "epoch 0 · recording"
    frame.get_by_test_id("layer-tick-1").click()
    frame.evaluate("scrollTo(0, 300)")
    publish(folder, [0, 3], 2)
    frame = shown(page, 2)
    assert page.get_by_test_id("live-status").inner_text() == "epoch 3 · recording"
    # The layer is kept; who looked at the newest epoch looks at the newest.
    assert "layer=fc1" in frame.evaluate("location.hash")
    assert frame.get_by_test_id("epoch-name").inner_text() == "epoch 3"
    assert frame.evaluate("scrollY") == pytest.approx(300, abs=2)
    # An epoch that was chosen stays.
    frame.get_by_test_id("epoch-tick-0").click()
    frame.wait_for_function("location.hash.includes('epoch=0')")
    publish(folder, [0, 3, 12], 3)
    frame = shown(page, 3)
    assert frame.get_by_test_id("epoch-name").inner_text() == "epoch 0"
    assert frame.get_by_test_id("epoch-slider").get_attribute("max") == "2"
    LiveState("finished", 3, (0, 3, 12), (0, 3, 12)).write(folder)
    page.get_by_text("epoch 12 · the training has ended").wait_for()


def test_what_is_open_on_the_page_stays_open(watched):
    page, folder, _ = watched
    publish(folder, [0, 3], 2)
    frame = shown(page, 2)
    for name in ("epoch-grid", "about"):
        frame.get_by_test_id(name).locator("summary").first.click()
    frame.get_by_test_id("grid-0-1").wait_for()
    frame.evaluate("scrollTo(0, document.documentElement.scrollHeight - innerHeight - 40)")
    top = frame.evaluate("scrollY")
    publish(folder, [0, 3, 12], 3)
    frame = shown(page, 3)
    opened = "[...document.querySelectorAll('details[open]')].map((each) => each.dataset.testid)"
    assert {"epoch-grid", "about"} <= set(frame.evaluate(opened))
    # The grid has a row for the new epoch.
    assert frame.get_by_test_id("grid-0-2").count() == 1
    assert frame.evaluate("scrollY") == pytest.approx(top, abs=2)


def test_the_page_waits_for_the_first_epoch_and_says_when_the_server_is_gone(browser, folder):
    watcher = Watcher(folder)
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = context.new_page()
    page.goto(watcher.url)
    page.get_by_text("The page appears here after the first recorded epoch.").wait_for()
    publish(folder, [0], 1)
    frame = shown(page, 1)
    assert page.get_by_text("The page appears here").is_hidden()
    watcher.close()
    page.get_by_text("unknot watch has ended; the page stays as it is").wait_for()
    assert frame.get_by_test_id("layer-slider").is_visible()
    context.close()


# In a notebook.


def test_a_widget_follows(folder):
    widget = LiveWidget(folder)
    assert (widget.payload, widget.layer, widget.status) == ("", "", "no epoch yet · recording")
    with pytest.raises(TraitError):
        widget.layer = "fc1"
    publish(folder, [0], 1)
    until(lambda: widget.status.startswith("epoch 0"))
    assert json.loads(widget.payload) == split_payload(payload_in(folder)).payload
    assert widget.layer == "inputs"
    widget.layer, widget.selection = "fc2", [3, 1]
    publish(folder, [0, 3], 2)
    until(lambda: widget.status.startswith("epoch 3"))
    assert (widget.layer, widget.selection) == ("fc2", [1, 3])
    LiveState("finished", 2, (0, 3), (0, 3)).write(folder)
    until(lambda: widget.status.endswith("the training has ended"))
    until(lambda: "unknot-live-widget" not in {each.name for each in threading.enumerate()})
    widget.close()


def test_a_widget_is_sent_what_is_new_without_asking(folder, monkeypatch):
    monkeypatch.setattr("unknot.report._widget.AT_ONCE", 0)
    # By hand, not by a thread.
    monkeypatch.setattr("unknot.report._live_widget._follow", lambda *arguments: None)
    widget = LiveWidget(folder)
    sent = []
    widget.observe(lambda change: sent.extend(names_in(change["new"])), "part")
    publish(folder, [0], 1)
    widget.refresh()
    first = split_payload(payload_in(folder)).names
    assert sent == first[1:]
    assert names_in(widget.base) == first[:1]
    sent.clear()
    publish(folder, [0, 3, 12], 2)
    widget.refresh()
    second = split_payload(payload_in(folder)).names
    assert set(sent) == {second[1], *second[2:]} - (set(first) - {second[1]})
    assert set(first[1:]) & set(second)
    widget.close()


def names_in(sent):
    found, at = [], 4
    while at < len(sent):
        found.append(sent[at : at + 16].decode())
        at += 20 + int.from_bytes(sent[at + 16 : at + 20], "little")
    return found


def test_a_widget_that_is_gone_is_not_followed(folder):
    publish(folder, [0], 1)
    widget = LiveWidget(folder)
    widget.close()
    until(lambda: "unknot-live-widget" not in {each.name for each in threading.enumerate()})


def test_a_recorder_gives_its_widget(followed):
    _, study, _, live = followed
    widget = live.widget()
    assert widget.layers == tuple(study)
    assert isinstance(study, Study)
    assert unknot.report.LiveWidget is LiveWidget
