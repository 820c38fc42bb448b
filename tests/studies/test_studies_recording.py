"""A recorder stores of every epoch what a study stores, and never ends or changes a training."""

import json
import warnings

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot.studies import EpochRecorder, RecordingWarning, Study, StudyError

LABELS = np.repeat([0, 1, 2], 40)
POINTS = (np.random.default_rng(0).normal(size=(120, 6)) + LABELS[:, None]).astype(np.float32)


def layers_at(epoch):
    apart = np.eye(3, dtype=np.float32)[LABELS]
    return {"fc1": POINTS[:, :4], "fc2": POINTS[:, :3] + epoch * apart}


@pytest.fixture
def network():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(6, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(8, 3),
    )


def trained(torch, model, record, epochs=4):
    """Train, and return the losses; every batch draws random numbers of torch and NumPy."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    inputs, labels = torch.from_numpy(POINTS), torch.from_numpy(LABELS)
    losses = []
    for epoch in range(1, epochs + 1):
        for rows in torch.randperm(120).split(30):
            optimizer.zero_grad()
            noise = float(np.random.rand())  # noqa: NPY002
            loss = torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows])
            (loss * (1 + noise)).backward()
            optimizer.step()
            losses.append(loss.item())
        record(model, epoch)
    return losses


# What is stored.


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    recorder = EpochRecorder(
        (POINTS, LABELS),
        out=tmp_path_factory.mktemp("recording") / "study",
        metadata={"row": np.arange(120)},
        snippets=[f"sample {row}" for row in range(120)],
        **fast(),
    )
    for epoch in (0, 1, 5):
        recorder.capture(layers_at(epoch), epoch)
    return recorder.study()


def test_every_epoch_has_what_a_study_has(study):
    for epoch in (0, 1, 5):
        there = study.epochs[epoch]
        alone = unknot.study(
            layers_at(epoch), (POINTS, LABELS), **fast(measures=["neighborhood_hit", "nc1"])
        )
        for name, layer in there.items():
            np.testing.assert_array_equal(layer.graph.indices, alone[name].graph.indices)
            assert layer.influences
            for measure in ("neighborhood_hit", "nc1"):
                mine, other = layer.scores[measure], alone[name].scores[measure]
                assert mine.value == other.value
                assert mine.interval == other.interval
                assert mine.null == other.null
                np.testing.assert_array_equal(mine.per_class, other.per_class)
        np.testing.assert_array_equal(there.metadata["row"].values, np.arange(120))
        assert there.snippets[7] == "sample 7"


def test_epoch_0_is_the_control_of_later_epochs(study):
    assert study.epochs[0].controls == {}
    for there in (study, study.epochs[1], study.epochs[5]):
        (control,) = there.controls.values()
        assert list(there.controls) == ["epoch 0"]
        for name in there:
            assert control[name].to_dict() == study.epochs[0][name].scores.to_dict()
    assert study.require("neighborhood_hit(fc2) - neighborhood_hit(fc2, epoch 0) > 0.1")


def test_an_epoch_is_sliced_drawn_compared_and_saved(study, tmp_path):
    there = study.epochs[1]
    assert "fc2" in str(there.scores)
    assert there.figure() is not None
    assert there.curves(["neighborhood_hit"]) is not None
    difference = there.compare(study.epochs[5], ["fc2"], measures="neighborhood_hit").rows[0]
    assert difference.untangled == "second"
    assert list(there.select("fc2")) == ["fc2"]
    there.save(tmp_path / "epoch")
    again = Study.load(tmp_path / "epoch")
    assert again.scores.to_dict() == there.scores.to_dict()
    assert list(again.controls) == ["epoch 0"]


def test_fresh_weights_are_the_control_where_epoch_0_is_not_recorded(network):
    recorder = EpochRecorder((POINTS, LABELS), **fast(measures="neighborhood_hit"))
    recorder.capture(network, 1)
    recorder.capture(network, 2)
    study = recorder.study()
    alone = unknot.study(network, (POINTS, LABELS), **fast(measures="neighborhood_hit"))
    for there in (study, *study.epochs.values()):
        found = {name: scores.to_dict() for name, scores in there.controls["untrained"].items()}
        assert found == {
            name: scores.to_dict() for name, scores in alone.controls["untrained"].items()
        }


@pytest.mark.parametrize(
    ("epochs", "untrained", "expected"),
    [
        ((0, 1), None, ["epoch 0"]),
        ((1, 2), None, ["untrained"]),
        ((0, 1), True, ["epoch 0", "untrained"]),
        ((1, 2), False, []),
    ],
)
def test_which_controls_there_are(network, epochs, untrained, expected):
    recorder = EpochRecorder(
        (POINTS, LABELS), untrained=untrained, **fast(measures="neighborhood_hit")
    )
    for epoch in epochs:
        recorder.capture(network, epoch)
    assert sorted(recorder.study().controls) == expected


def test_the_head_of_each_epoch_is_its_own(network):
    import torch

    options = fast(measures=["nc3", "nc4"], untrained=False)
    recorder = EpochRecorder((POINTS, LABELS), layers="all", **options)
    alone = {}
    for epoch in (1, 2):
        with torch.no_grad():
            network[4].weight += epoch
            network[4].weight[0] *= -epoch
        recorder.capture(network, epoch)
        alone[epoch] = unknot.study(network, (POINTS, LABELS), layers="all", **options)
    study = recorder.study()
    values = []
    for epoch, there in study.epochs.items():
        found = {
            name: layer.scores["nc3"].value
            for name, layer in there.items()
            if "nc3" in layer.scores
        }
        wanted = {
            name: layer.scores["nc3"].value
            for name, layer in alone[epoch].items()
            if "nc3" in layer.scores
        }
        assert found == wanted
        assert found
        values.append(found)
    assert values[0] != values[1]


# A training is neither changed nor ended.


def test_a_training_is_the_same_with_a_recorder(network):
    import copy

    import torch

    other = copy.deepcopy(network)
    recorder = EpochRecorder((POINTS, LABELS), **fast(measures="neighborhood_hit"))
    found = []
    for model, record in ((network, recorder.record), (other, lambda model, epoch: None)):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        model.train()
        losses = trained(torch, model, record)
        assert model.training
        found.append((losses, {name: value.clone() for name, value in model.state_dict().items()}))
    assert recorder.captured == (1, 2, 3, 4)
    assert recorder.failures == {}
    assert found[0][0] == found[1][0]
    for name, value in found[0][1].items():
        assert torch.equal(value, found[1][1][name]), name


@pytest.mark.parametrize("untrained", [None, False])
def test_an_error_is_reported_once_and_the_training_goes_on(network, untrained):
    import torch

    class Fails(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.broken = network, False

        def forward(self, x):
            if self.broken and not self.training:
                raise RuntimeError("no memory left on the device")
            return self.inner(x)

    model = Fails()
    recorder = EpochRecorder(
        (POINTS, LABELS), untrained=untrained, **fast(measures="neighborhood_hit")
    )

    def record(model, epoch):
        model.broken = epoch in (2, 3)
        assert recorder.record(model, epoch) == (not model.broken)

    with pytest.warns(RecordingWarning, match=r"epoch 2 was not recorded.*no memory left") as told:
        assert len(trained(torch, model, record)) == 16
    assert len([each for each in told if each.category is RecordingWarning]) == 1
    assert list(recorder.failures) == [2, 3]
    study = recorder.study()
    assert list(study.epochs) == [1, 4]
    for epoch in (2, 3):
        (note,) = (
            each for each in study.notes if each.startswith(f"epoch {epoch} was not recorded")
        )
        assert "no memory left on the device" in note


def test_where_warnings_are_errors_the_training_goes_on_too(capsys):
    recorder = EpochRecorder((POINTS, LABELS), **fast())
    recorder.set_model({"fc1": POINTS[:7]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch in range(3):
            recorder.on_epoch_begin(epoch)
            recorder.on_epoch_end(epoch)
    assert list(recorder.failures) == [0, 1, 2, 3]
    assert capsys.readouterr().err.count("was not recorded") == 1
    with pytest.raises(ValueError, match=r"nothing was captured yet.*epoch 0 was not recorded"):
        recorder.study()


def test_a_full_disk_ends_no_training(tmp_path, monkeypatch):
    from unknot.studies._recording import capturing

    recorder = EpochRecorder((POINTS, LABELS), out=tmp_path / "study", **fast())
    original = capturing.extract_layers

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(capturing, "extract_layers", full)
    with pytest.warns(RecordingWarning, match="No space left"):
        assert not recorder.record(layers_at(1), 1)
    monkeypatch.setattr(capturing, "extract_layers", original)
    assert recorder.record(layers_at(2), 2)
    assert list(recorder.study().epochs) == [2]


def test_an_interrupt_is_not_kept_from_the_training():
    class Interrupted(dict):
        def items(self):
            raise KeyboardInterrupt

    recorder = EpochRecorder((POINTS, LABELS), **fast())
    with pytest.raises(KeyboardInterrupt):
        recorder.record(Interrupted(), 1)


def test_a_failing_control_costs_no_epoch(network, monkeypatch):
    from unknot.studies._recording import capturing

    def fails(*arguments):
        raise RuntimeError("out of memory")
        yield

    monkeypatch.setattr(capturing, "extract_control", fails)
    recorder = EpochRecorder((POINTS, LABELS), **fast(measures="neighborhood_hit"))
    recorder.capture(network, 1)
    study = recorder.study()
    assert study.controls == {}
    assert "no untrained control: RuntimeError: out of memory" in study.notes


# Epoch 0.


def test_callbacks_record_epoch_0_unless_the_training_is_resumed():
    data = (POINTS, LABELS)
    model = unknot.networks.logistic_regression(3, (6,), random_state=0)
    first = EpochRecorder(data, **fast(measures="neighborhood_hit"))
    quick = {"random_state": 0, "progress": False}
    history = unknot.train(model, data, epochs=2, callbacks=[first], **quick)
    assert first.captured == (0, 1, 2)
    later = EpochRecorder(data, epochs=[0, 3], **fast(measures="neighborhood_hit"))
    unknot.train(model, data, epochs=3, history=history, callbacks=[later], **quick)
    assert later.captured == (3,)
    # Keras' own loop.
    again = EpochRecorder(data, **fast(measures="neighborhood_hit"))
    model.fit(*data, epochs=4, initial_epoch=3, verbose=0, callbacks=[again.callback()])
    assert again.captured == (4,)
    # Another training: epochs of two do not mix.
    with pytest.warns(RecordingWarning, match="begins again at epoch 0.*left out: epochs 4"):
        model.fit(*data, epochs=1, verbose=0, callbacks=[again.callback()])
    assert again.captured == (0, 1)


# Other samples, and runs that go on.


def test_samples_that_change_are_refused():
    points = POINTS.copy()
    recorder = EpochRecorder((points, LABELS), **fast())
    recorder.capture({"fc1": POINTS}, 1)
    points[3] += 1
    with pytest.raises(ValueError, match=r"arrays were changed.*epoch 2 would be of other samples"):
        recorder.capture({"fc1": POINTS}, 2)
    points[3] -= 1
    points[:] = POINTS
    recorder.capture({"fc1": POINTS}, 2)


def test_a_study_takes_no_epochs_of_other_samples(study):
    from dataclasses import replace

    other = study.select(classes=[0, 1]).epochs[1]
    with pytest.raises(ValueError, match=r"epochs\[1\] must be of the 120 samples of labels"):
        replace(study, epochs={1: other})


def test_a_run_goes_on_with_the_epochs_of_an_earlier_one(tmp_path):
    out = tmp_path / "study"
    options = fast(measures=["neighborhood_hit"])
    first = EpochRecorder((POINTS, LABELS), out=out, **options)
    for epoch in (0, 1, 2, 3):  # the run is killed before it studies them
        first.capture(layers_at(epoch), epoch)
    second = EpochRecorder((POINTS, LABELS), out=out, resume=True, **options)
    assert second.captured == (0, 1, 2, 3)
    second.capture(layers_at(20), 2)  # from a checkpoint after epoch 1
    assert second.captured == (0, 1, 2)
    study = second.study()
    whole = EpochRecorder((POINTS, LABELS), out=tmp_path / "whole", **options)
    for epoch, values in ((0, 0), (1, 1), (2, 20)):
        whole.capture(layers_at(values), epoch)
    expected = whole.study()
    assert list(study.epochs) == [0, 1, 2]
    for epoch, there in study.epochs.items():
        assert there.scores.to_dict() == expected.epochs[epoch].scores.to_dict()
        np.testing.assert_array_equal(there["fc2"].map, expected.epochs[epoch]["fc2"].map)
    # Nothing more to capture: the study is made of what there is.
    third = EpochRecorder((POINTS, LABELS), out=out, resume=True, **options)
    assert list(third.study().epochs) == [0, 1, 2]
    # Without resume nothing of the earlier run is taken.
    assert EpochRecorder((POINTS, LABELS), out=out, **options).captured == ()


def test_a_control_that_a_run_cannot_make_is_said(network, tmp_path):
    options = {"out": tmp_path / "study", "resume": True, **fast(measures="neighborhood_hit")}
    first = EpochRecorder((POINTS, LABELS), **options)
    first.capture(network, 1)
    assert list(first.study().controls) == ["untrained"]
    again = EpochRecorder((POINTS, LABELS), **options).study()
    assert again.controls == {}
    assert "no untrained control: this run has captured no model" in again.notes
    third = EpochRecorder((POINTS, LABELS), **options)
    third.capture(network, 2)
    study = third.study()
    assert list(study.epochs) == [1, 2]
    assert list(study.epochs[1].controls) == ["untrained"]


def test_an_epoch_whose_files_are_damaged_is_left_out(tmp_path):
    out = tmp_path / "study"
    first = EpochRecorder((POINTS, LABELS), out=out, **fast(measures="neighborhood_hit"))
    for epoch in (1, 2):
        first.capture(layers_at(epoch), epoch)
    (chunk, *_) = (out / "parts").glob("epoch-0001-extract-*/points/*/c/0/0")
    chunk.write_bytes(b"other")
    second = EpochRecorder(
        (POINTS, LABELS), out=out, resume=True, **fast(measures="neighborhood_hit")
    )
    second.capture(layers_at(3), 3)
    assert second.captured == (2, 3)


def test_bad_resumptions_are_said(tmp_path):
    out = tmp_path / "study"
    options = fast(measures="neighborhood_hit")
    recorder = EpochRecorder((POINTS, LABELS), out=out, **options)
    recorder.capture(layers_at(1), 1)
    with pytest.raises(ValueError, match="holds epochs of other samples or labels"):
        EpochRecorder((POINTS + 1, LABELS), out=out, resume=True, **options)
    with pytest.raises(ValueError, match="captured with other settings of layers"):
        EpochRecorder((POINTS, LABELS), out=out, resume=True, layers="fc1", **options)
    with pytest.raises(ValueError, match="name it with out="):
        EpochRecorder((POINTS, LABELS), resume=True, **options)
    for content in ("[]", "{", json.dumps({"format": "unknot epochs", "version": 99})):
        (out / "epochs.json").write_text(content)
        with pytest.raises(StudyError, match=r"epochs\.json cannot be read"):
            EpochRecorder((POINTS, LABELS), out=out, resume=True, **options)


@pytest.mark.parametrize("epoch", [-1, 1.5, True, "1", None])
def test_an_epoch_is_a_number_from_0(epoch):
    recorder = EpochRecorder((POINTS, LABELS), **fast())
    with pytest.raises(ValueError, match="epoch must be an integer from 0 up"):
        recorder.capture({"fc1": POINTS}, epoch)


def test_an_executor_does_the_work(tmp_path):
    from concurrent.futures import ProcessPoolExecutor

    sent = []

    class Counting(ProcessPoolExecutor):
        def submit(self, *arguments, **options):
            sent.append(arguments)
            return super().submit(*arguments, **options)

    with Counting(1) as pool:
        recorder = EpochRecorder(
            (None, LABELS), out=tmp_path / "study", executor=pool, **fast(measures="nc1")
        )
        recorder.capture({"fc1": POINTS}, 1)
        assert recorder.study().epochs[1].scores.value("fc1", "nc1") > 0
    assert len(sent) >= 3  # neighbors, map and scores
