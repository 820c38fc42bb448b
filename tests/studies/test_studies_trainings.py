"""Trainings that begin again, fail, are killed or share a folder: epochs never mix."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from studies_settings import fast

import unknot
from killing import differing
from unknot._io.lock import FolderInUseError
from unknot.studies import EpochRecorder, RecordingWarning
from unknot.studies._recording.callbacks import check_epochs

LABELS = np.repeat([0, 1, 2], 40)
POINTS = (np.random.default_rng(0).normal(size=(120, 6)) + LABELS[:, None]).astype(np.float32)
ONE = fast(measures="neighborhood_hit")


def layers_at(epoch):
    apart = np.eye(3, dtype=np.float32)[LABELS]
    return {"fc1": POINTS[:, :4], "fc2": POINTS[:, :3] + epoch * apart}


def recorder_of(**options):
    return EpochRecorder((POINTS, LABELS), **{**ONE, **options})


# Which epochs.


@pytest.mark.parametrize(
    "epochs",
    [0, -1, True, False, 2.0, "12", b"1", [], [1.0], [True], [-1], ["a"], {1: 2}, np.array([0.5])],
    ids=repr,
)
def test_bad_epochs_are_said_before_the_training(epochs):
    with pytest.raises(ValueError, match=r"epochs must be an integer of at least 1.*; got"):
        check_epochs(epochs)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (None, [0, 1, 2, 3, 4]),
        (2, [0, 2, 4]),
        (np.int64(3), [0, 3]),
        ([0, 1, 4], [0, 1, 4]),
        (np.array([1, 3]), [1, 3]),
        (range(1, 3), [1, 2]),
        ((each for each in (4, 0)), [0, 4]),
    ],
)
def test_the_epochs_that_are_wanted(epochs, expected):
    recorder = recorder_of(epochs=epochs)
    for _ in range(2):  # a generator is read once
        assert [epoch for epoch in range(5) if recorder.wants(epoch)] == expected


def test_every_nth_epoch_begins_with_epoch_0_in_callbacks_too():
    recorder = recorder_of(epochs=2)
    for epoch in range(3):
        recorder.set_model(layers_at(epoch))
        recorder.on_epoch_begin(epoch)
        recorder.on_epoch_end(epoch)
    assert recorder.captured == (0, 2)


# Errors.


def test_no_epoch_and_no_error_ends_a_training():
    class UnreadableError(Exception):
        def __str__(self):
            raise RuntimeError

    class Fails(dict):
        def items(self):
            raise UnreadableError

    recorder = recorder_of()
    with pytest.warns(RecordingWarning, match="epoch None was not recorded"):
        assert not recorder.record(layers_at(1), None)
    for epoch in ([1], 1.0, True, "1", {}):  # another warning would be an error
        assert not recorder.record(layers_at(1), epoch)
    assert not recorder.record(Fails(layers_at(1)), 3)
    assert list(recorder.failures) == ["None", "[1]", "1.0", "True", "'1'", "{}", 3]
    assert recorder.captured == ()


def test_an_epoch_that_is_recorded_after_all_has_not_failed():
    recorder = recorder_of()
    with pytest.warns(RecordingWarning, match="epoch 1 was not recorded"):
        assert not recorder.record({"fc1": POINTS[:5]}, 1)
    assert recorder.record(layers_at(1), 1)
    assert recorder.failures == {}
    assert recorder.study().notes == ()


def test_what_stands_of_an_epoch_that_fails_the_second_time_is_said():
    recorder = recorder_of()
    for epoch in (1, 2):
        assert recorder.record(layers_at(epoch), epoch)
    with pytest.warns(RecordingWarning, match="epoch 1 was not recorded"):
        assert not recorder.record({"fc1": POINTS[:5]}, 1)
    study = recorder.study()
    assert list(study.epochs) == [1, 2]
    (note,) = study.notes
    assert note.startswith("epoch 1 was not recorded again, and is as it was captured before: ")


def test_an_epoch_that_cannot_be_listed_is_not_captured(tmp_path, monkeypatch):
    from unknot.studies._recording.captures import CaptureList

    recorder = recorder_of(out=tmp_path / "study")
    assert recorder.record(layers_at(1), 1)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(CaptureList, "write", full)
        with pytest.warns(RecordingWarning, match="No space left"):
            assert not recorder.record(layers_at(2), 2)
    assert recorder.captured == (1,)
    assert recorder.record(layers_at(3), 3)
    assert recorder_of(out=tmp_path / "study", resume=True).captured == (1, 3)


# A training that begins again.


def test_epochs_of_two_trainings_do_not_mix():
    recorder = recorder_of()
    for epoch in (0, 1, 2, 3):
        recorder.capture(layers_at(epoch), epoch)
    with pytest.warns(RecordingWarning, match=r"begins again at epoch 1.*left out: epochs 2, 3"):
        recorder.capture(layers_at(10), 1)
    assert recorder.captured == (0, 1)
    recorder.capture(layers_at(11), 2)  # said once
    hits = recorder.study()
    alone = recorder_of()
    for epoch, values in ((0, 0), (1, 10), (2, 11)):
        alone.capture(layers_at(values), epoch)
    expected = alone.study()
    for epoch in (0, 1, 2):
        assert hits.epochs[epoch].scores.to_dict() == expected.epochs[epoch].scores.to_dict()


def test_a_callback_knows_that_a_training_begins_again():
    recorder = recorder_of(epochs=[1, 2, 4])

    def train(begin, end):
        for epoch in range(begin, end):
            recorder.set_model(layers_at(epoch))
            recorder.on_epoch_begin(epoch)
            recorder.on_epoch_end(epoch)

    train(0, 4)
    train(4, 5)  # goes on
    assert recorder.captured == (1, 2, 4)
    with pytest.warns(RecordingWarning, match=r"begins again at epoch 1.*left out: epochs 2, 4"):
        train(1, 2)
    assert recorder.captured == (1, 2)


# Wrapped models.


@pytest.fixture
def network():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    )


def test_a_model_spread_over_devices_or_processes_has_the_layers_of_the_model(network, tmp_path):
    import torch

    recorder = recorder_of(out=tmp_path / "study")
    recorder.capture(network, 1)
    recorder.capture(torch.nn.DataParallel(network), 2)
    recorder.capture(torch.compile(torch.nn.DataParallel(network), backend="eager"), 3)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )
    try:
        spread = torch.nn.parallel.DistributedDataParallel(network)
        calls = []
        handle = spread.register_forward_pre_hook(lambda *_: calls.append(1))
        recorder.capture(spread, 4)
        handle.remove()
        assert spread.training
    finally:
        torch.distributed.destroy_process_group()
    assert calls == []  # which would wait for the other processes
    study = recorder.study()
    names = list(study.epochs[1])
    for there in study.epochs.values():
        assert list(there) == names
        assert there.scores.to_dict()["layers"] == study.epochs[1].scores.to_dict()["layers"]


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_a_model_of_another_precision_is_recorded_as_it_is(network, kind):
    import torch

    model = network.to(getattr(torch, kind))
    recorder = recorder_of()
    recorder.capture(model, 1)
    assert recorder.record(model, 2)
    assert all(value.dtype is getattr(torch, kind) for value in model.parameters())
    values = [
        there.scores.value("3", "neighborhood_hit") for there in recorder.study().epochs.values()
    ]
    assert values[0] == values[1] > 1 / 3


# Layers that come, go and fail.


def test_a_layer_that_fails_at_an_epoch_is_named_there_and_is_back_at_the_next():
    broken = layers_at(2)
    broken["fc1"] = np.full_like(broken["fc1"], np.nan)
    recorder = recorder_of(coherence=0.1)
    for epoch, values in ((1, layers_at(1)), (2, broken), (3, layers_at(3))):
        assert recorder.record(values, epoch)
    study = recorder.study()
    assert [list(there) for there in study.epochs.values()] == [
        ["inputs", "fc1", "fc2"],
        ["inputs", "fc2"],
        ["inputs", "fc1", "fc2"],
    ]
    (note,) = study.epochs[2].notes
    assert note.startswith("fc1 left out: its values are 100.00% NaN")
    assert study.epochs[1].notes == study.epochs[3].notes == ()


# Two trainings and one folder.


OTHER = """
import sys
sys.path.insert(0, {tests!r})
from test_studies_trainings import layers_at, recorder_of
recorder = recorder_of(out=sys.argv[1])
for epoch in (0, 1):
    recorder.capture(layers_at(epoch), epoch)
print("recorded", flush=True)
sys.stdin.read()
"""


def other_training(folder):
    return subprocess.Popen(
        [sys.executable, "-c", OTHER.format(tests=str(Path(__file__).parent)), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def test_a_second_training_is_refused_by_the_folder_until_the_first_has_ended(tmp_path):
    out = tmp_path / "study"
    with other_training(out) as other:
        assert other.stdout.readline() == "recorded\n"
        before = (out / "epochs.json").read_bytes()
        second = recorder_of(out=out)
        with pytest.warns(RecordingWarning, match="another process records a training into it"):
            assert not second.record(layers_at(1), 1)
        with pytest.raises(FolderInUseError, match="let one record"):
            second.capture(layers_at(1), 2)
        assert (out / "epochs.json").read_bytes() == before
        other.kill()
    assert second.record(layers_at(3), 3)
    assert list(second.study().epochs) == [3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_processes_that_a_killed_training_has_forked_hold_no_folder(tmp_path):
    code = OTHER.replace(
        'print("recorded"',
        "import os, time\nchild = os.fork()\nif not child:\n    time.sleep(60)\n    os._exit(0)\n"
        'print("recorded", child',
    )
    with subprocess.Popen(
        [sys.executable, "-c", code.format(tests=str(Path(__file__).parent)), str(tmp_path / "s")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as other:
        child = int(other.stdout.readline().split()[1])
        other.kill()
        other.wait()
        try:
            recorder_of(out=tmp_path / "s").capture(layers_at(1), 1)
        finally:
            os.kill(child, 9)


def test_the_newest_recorder_of_a_process_has_the_folder(tmp_path):
    out = tmp_path / "study"
    first = recorder_of(out=out)
    first.capture(layers_at(1), 1)
    second = recorder_of(out=out)  # the cell of a notebook runs again
    second.capture(layers_at(2), 1)
    for use in (lambda: first.capture(layers_at(1), 2), first.study):
        with pytest.raises(FolderInUseError, match="another recorder has begun to record into it"):
            use()
    assert list(second.study().epochs) == [1]


def test_a_recorder_goes_on_after_its_study_unless_another_training_was_recorded(tmp_path):
    out = tmp_path / "study"
    recorder = recorder_of(out=out)
    recorder.capture(layers_at(1), 1)
    recorder.study()
    recorder.capture(layers_at(2), 2)
    assert list(recorder.study().epochs) == [1, 2]
    with other_training(out) as other:
        assert other.stdout.readline() == "recorded\n"
        other.communicate("")
    with pytest.raises(FolderInUseError, match="has recorded into it since this one's study"):
        recorder.capture(layers_at(3), 3)


def test_a_training_may_change_its_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorder = recorder_of(out="study")
    recorder.capture(layers_at(1), 1)
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    recorder.capture(layers_at(2), 2)
    assert list(recorder.study().epochs) == [1, 2]
    assert list((tmp_path / "run").iterdir()) == []


def test_the_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    with pytest.raises(FileExistsError, match="holds something else than an unknot study"):
        recorder_of(out=tmp_path / "mine")
    recorder = recorder_of()
    study = tmp_path / "study"
    unknot.study(layers_at(1), (POINTS, LABELS), out=study, **ONE)
    before = sorted((path, path.stat().st_mtime_ns) for path in study.rglob("*"))
    with pytest.raises(FileExistsError, match="holds an unknot study, not an unknot live page"):
        recorder.live(study)
    assert sorted((path, path.stat().st_mtime_ns) for path in study.rglob("*")) == before


# Killed at any place.


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_studies_trainings import layers_at, recorder_of
place, out = sys.argv[1:]

def killing(function, at):
    calls = []
    def wrapped(*arguments, **options):
        calls.append(1)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return wrapped

if place == "capture":
    from unknot.representations import Store
    Store.column = killing(Store.column, 6)  # the second of two layers of epoch 2
elif place == "list":
    from unknot.studies._recording.captures import CaptureList
    CaptureList.write = killing(CaptureList.write, 3)
elif place == "refinement":
    from unknot.projection._coupled import CoupledMaps
    CoupledMaps._couple = killing(CoupledMaps._couple, 20)
resumed = place.startswith("resumed")
recorder = recorder_of(out=out, resume=resumed)
print(recorder.captured, flush=True)
for epoch in range(len(recorder.captured), 4):
    recorder.capture(layers_at(epoch), epoch)
    if place == "training" and epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
recorder.study()
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "study"
    recorder = recorder_of(out=folder)
    for epoch in range(4):
        recorder.capture(layers_at(epoch), epoch)
    recorder.study()
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("place", "kept"),
    [("training", 3), ("capture", 2), ("list", 2), ("refinement", 4)],
)
def test_a_training_that_is_killed_anywhere_goes_on_to_the_same_study(place, kept, tmp_path, whole):
    out = tmp_path / "study"

    def run(place):
        return subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED.format(tests=str(Path(__file__).parent)),
                place,
                str(out),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run(place).returncode == -9
    again = run("resumed")
    assert again.returncode == 0, again.stderr
    assert again.stdout == f"{tuple(range(kept))}\n"
    assert differing(out, whole) == []
