"""Studies of data as people have them: loaders, texts, tokens, pixels, several inputs."""

import sys
import tempfile
from collections import namedtuple

import numpy as np
import pytest

import unknot
from unknot.studies import EpochRecorder, Plan

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

N = 80
QUICK = {"progress": False, "max_iter": 250, "measures": "neighborhood_hit", "untrained": False}


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, 8, generator=generator)
    return x, (x[:, 0] > 0).long()


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)).eval()


def hits(study):
    return {name: layer.scores["neighborhood_hit"].value for name, layer in study.items()}


def test_a_loader_is_the_same_study_as_its_arrays(net, data):
    of_arrays = unknot.study(net, data, **QUICK)
    loader = DataLoader(TensorDataset(*data), 16, shuffle=True)
    of_loader = unknot.study(net, loader, **QUICK)
    assert hits(of_loader) == hits(of_arrays)
    assert of_loader.accuracy == of_arrays.accuracy
    assert any("shuffles" in note for note in of_loader.notes)
    for inputs in (DataLoader(TensorDataset(data[0]), 16), [*data[0].split(16)]):
        assert hits(unknot.study(net, (inputs, data[1]), **QUICK)) == hits(of_arrays)


def test_a_stream_is_the_same_study_but_for_its_inputs(net, data, monkeypatch):
    of_arrays = unknot.study(net, data, **QUICK)
    monkeypatch.setattr(sys.modules["unknot.representations"], "KEPT_BYTES", 100)
    of_stream = unknot.study(net, TensorDataset(*data), **QUICK)
    assert list(of_stream) == ["0", "1", "2"]
    assert any("inputs are no layer" in note for note in of_stream.notes)
    for name in of_stream:
        np.testing.assert_allclose(of_stream[name].points, of_arrays[name].points, atol=1e-6)


@pytest.mark.parametrize("kept", [100, 10**9])
def test_samples_are_drawn_by_class_before_the_inputs_are_read(net, data, monkeypatch, kept):
    monkeypatch.setattr(sys.modules["unknot.representations"], "KEPT_BYTES", kept)
    read = []

    class Rows(torch.utils.data.Dataset):
        targets = data[1].tolist()

        def __len__(self):
            return N

        def __getitem__(self, i):
            read.append(i)
            return data[0][i], data[1][i]

    study = unknot.study(net, Rows(), max_samples=20, **QUICK)
    expected = unknot.study(net, data, max_samples=20, **QUICK)
    assert len(study.labels) == 20
    assert len(set(read)) == 20
    assert sorted(study.labels) == sorted(expected.labels)


def test_samples_of_a_stream_are_drawn_when_its_labels_are_read(net, data, monkeypatch):
    monkeypatch.setattr(sys.modules["unknot.representations"], "KEPT_BYTES", 100)
    batches = ((x, y) for x, y in zip(data[0].split(16), data[1].split(16), strict=True))
    study = unknot.study(net, batches, max_samples=20, **QUICK)
    expected = unknot.study(net, data, max_samples=20, **QUICK)
    np.testing.assert_array_equal(study.labels, expected.labels)
    for name in study:
        np.testing.assert_allclose(study[name].points, expected[name].points, atol=1e-6)


def test_snippets_and_masks_are_of_all_samples_though_few_are_drawn(tokens):
    model, ids, _ = tokens
    labels, mask = torch.arange(40) % 2, np.ones((40, 12))
    mask[:, 5:] = 0
    texts = [f"text {i}" for i in range(40)]
    for given in (TensorDataset(ids, labels), (ids, labels)):
        study = unknot.study(model, given, max_samples=10, mask=mask, snippets=texts, **QUICK)
        rows = [int(text.split()[1]) for text in study.snippets]
        np.testing.assert_array_equal(study.labels, labels[rows])
        mean = model.embedding(ids[rows])[:, :5].mean(1).detach()
        np.testing.assert_allclose(study["embedding"].points, mean, atol=1e-6)


def test_a_mask_is_no_part_of_the_inputs_as_a_layer():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(8, 4)

        def forward(self, x, mask):
            return (self.one(x) * mask[:, :, None]).sum(1)

    inputs = {"x": torch.randn(40, 5, 8), "mask": torch.ones(40, 5)}
    study = unknot.study(Masked(), (inputs, np.arange(40) % 2), **QUICK)
    assert study["inputs"].shape == (5, 8)


def test_a_list_of_inputs_is_several(data):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(6, 8), nn.Linear(8, 2)

        def forward(self, u, v):
            return self.c(torch.relu(self.a(u) + self.b(v)))

    torch.manual_seed(0)
    model, inputs = Two(), [torch.randn(N, 4), torch.randn(N, 6)]
    listed = unknot.study(model, (inputs, data[1]), **QUICK)
    assert hits(listed) == hits(unknot.study(model, (tuple(inputs), data[1]), **QUICK))
    assert listed["a"].shape == (8,)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.rnn = nn.LSTM(8, 8, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, ids):
        return self.out(self.rnn(self.embedding(ids))[0])


@pytest.fixture(scope="module")
def tokens():
    torch.manual_seed(1)
    ids = torch.randint(0, 50, (40, 12))
    labels = ids % 3
    labels[:, 10:] = -100
    return Tagger().eval(), ids, labels


def test_each_labeled_token_is_a_point(tokens):
    model, ids, labels = tokens
    study = unknot.study(model, (ids, labels), **QUICK)
    assert len(study.labels) == 400
    np.testing.assert_array_equal(study.labels, labels[:, :10].reshape(-1))
    with torch.no_grad():
        rows = model.embedding(ids)[:, :10].reshape(-1, 8)
        outputs = model(ids)[:, :10].reshape(-1, 3)
    np.testing.assert_allclose(study["embedding"].points, rows, atol=1e-6)
    expected = (outputs.argmax(1) == labels[:, :10].reshape(-1)).float().mean()
    assert study.accuracy == pytest.approx(float(expected))
    assert "inputs" not in study
    assert study.snippets[11] == "sample 1, token 1"


def test_tokens_are_drawn_by_class_and_under_the_mask():
    class Masked(Tagger):
        def forward(self, input_ids, attention_mask):
            return super().forward(input_ids)

    torch.manual_seed(1)
    ids = torch.randint(0, 50, (40, 12))
    mask = torch.ones(40, 12, dtype=int)
    mask[:, 7:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    whole = unknot.study(Masked(), (inputs, ids % 3), **QUICK)
    assert len(whole.labels) == 40 * 7
    drawn = unknot.study(Masked(), (inputs, ids % 3), max_samples=90, **QUICK)
    assert len(drawn.labels) == 90
    assert any("90 of them were drawn" in note for note in drawn.notes)


def test_pixels_are_those_nearest_in_each_layer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 2, 1)).eval()
    images = torch.randn(6, 3, 8, 8)
    labels = (images[:, 0] > 0).long()
    study = unknot.study(model, (images, labels), max_samples=300, **QUICK)
    with torch.no_grad():
        first = model[0](images).permute(0, 2, 3, 1).reshape(-1, 8).numpy()
        pooled = model[:2](images)
    points = np.asarray(study["0"].points)
    rows = [int(np.abs(first - point).sum(1).argmin()) for point in points]
    np.testing.assert_array_equal(study.labels, labels.reshape(-1)[rows])
    for row, point in zip(rows, np.asarray(study["1"].points), strict=True):
        sample, place = divmod(row, 64)
        expected = pooled[sample, :, place // 8 // 2, place % 8 // 2]
        np.testing.assert_allclose(point, expected, atol=1e-6)
    assert (
        study["1"].reduction["pool"] == "one row a pixel, the nearest of 4 × 4 for labels of 8 × 8"
    )


def test_token_labels_without_a_layer_of_tokens(tokens):
    model, ids, labels = tokens
    with pytest.raises(ValueError, match="no layer has values for each token"):
        unknot.study(
            nn.Sequential(model.embedding, nn.Flatten(), nn.Linear(96, 2)),
            (ids, labels),
            layers=["1", "2"],
            **QUICK,
        )


def test_labels_of_tokens_leave_nothing_to_pool(tokens):
    model, ids, labels = tokens
    with pytest.raises(ValueError, match="pool: labels of tokens or pixels"):
        unknot.study(model, (ids, labels), pool="mean", **QUICK)


def test_ids_are_no_layer_and_numbers_are(net, data, tokens):
    model, ids, _ = tokens
    labels = np.arange(40) % 2
    study = unknot.study(model, (ids, labels), **QUICK)
    assert "inputs" not in study
    counts = (data[0].abs() * 5).round().long()
    assert "inputs" in unknot.study(net, (counts, data[1]), **QUICK)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda x, y: [x, x], "labels"),
        (lambda x, y: DataLoader(TensorDataset(x), 8), "no labels were found"),
        (lambda x, y: (DataLoader(TensorDataset(x), 8), y[:-3]), "one label for each"),
        (lambda x, y: (["a", "b"], [0, 1]), "pass tokenizer="),
        (lambda x, y: iter(()), "there is no sample"),
    ],
)
def test_bad_data_are_one_clear_error(net, data, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        unknot.study(net, given(*data), **QUICK)


def test_a_wrong_kind_of_data_says_what_is_taken(net, data):
    with pytest.raises(TypeError, match=r"DataLoader.*got Tensor. Inputs need labels"):
        unknot.study(net, data[0], **QUICK)


def test_a_mask_of_another_length(tokens):
    model, ids, _ = tokens
    labels = np.arange(40) % 2
    with pytest.raises(ValueError, match="mask must have a row for each of the 40"):
        unknot.study(model, (ids, labels), mask=np.ones((39, 12)), **QUICK)
    with pytest.raises(ValueError, match="as many columns as a layer"):
        unknot.study(model, (ids, labels), mask=np.ones((40, 11)), **QUICK)


def test_a_mask_is_used_and_is_part_of_the_study(tokens, tmp_path):
    model, ids, _ = tokens
    labels = np.arange(40) % 2
    mask = np.ones((40, 12))
    mask[:, 5:] = 0
    study = unknot.study(model, (ids, labels), mask=mask, out=tmp_path / "s", **QUICK)
    mean = model.embedding(ids)[:, :5].mean(1).detach()
    np.testing.assert_allclose(study["embedding"].points[...], mean, atol=1e-6)
    other = unknot.study(model, (ids, labels), out=tmp_path / "s", **QUICK)
    assert not np.allclose(other["embedding"].points[...], mean, atol=1e-3)


def test_a_plan_says_what_it_takes_and_writes_nothing(net, data, tmp_path):
    plan = unknot.study(net, data, out=tmp_path / "s", plan=True)
    assert isinstance(plan, Plan)
    assert plan.layers == {"0": 16, "1": 16, "2": 2}
    assert str(plan).startswith("Sequential: 3 of 3 layers, 80 points of up to 16 numbers")
    assert not (tmp_path / "s").exists()


def test_what_does_not_fit_ends_before_the_work_with_remedies(net, data, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9, 70_000))
    calls = []
    hook = net.register_forward_hook(lambda *_: calls.append(1))
    try:
        with pytest.raises(OSError, match=r"are free: 3 layers .* What fits: max_samples=\d+"):
            unknot.study(net, data, out=tmp_path / "s", **QUICK)
    finally:
        hook.remove()
    assert len(calls) < 12


def test_the_plan_is_told_before_the_model_runs(net, data):
    told = []
    unknot.study(net, data, on_plan=told.append, **QUICK)
    assert len(told) == 1
    assert told[0].n_samples == N


def test_an_epoch_recorder_takes_loaders_and_forward(data):
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(8, 4)

        def encode(self, x):
            return self.one(x)

    recorder = EpochRecorder(
        DataLoader(TensorDataset(*data), 16),
        forward=lambda model, x: model.encode(x),
        measures="neighborhood_hit",
        max_iter=250,
        progress=False,
    )
    recorder.capture(Encoder(), 1)
    assert list(recorder.study()) == ["inputs", "one"]


def test_another_forward_is_another_study(data, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    for scale in (1.0, 3.0):
        study = unknot.study(
            model, data, forward=lambda m, x, s=scale: m(s * x), out=tmp_path / "s", **QUICK
        )
        expected = model[0](scale * data[0]).detach()
        np.testing.assert_allclose(study["0"].points[...], expected, atol=1e-5)


def test_nothing_temporary_is_left(net, data, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    unknot.study(net, data, **QUICK)
    with pytest.raises(ValueError, match="layers"):
        unknot.study(net, data, layers="nothing*", **QUICK)
    assert list(tmp_path.iterdir()) == []


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        for part in self.encoder.layers:
            part.linear1, part.linear2 = nn.Linear(8, 16), nn.Linear(16, 8)
            part.self_attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.encoder(x)[:, 0])


@pytest.mark.parametrize("pool", ["auto", ["cls", "mean"], {"encoder.layers.?": "max"}])
def test_the_control_is_pooled_as_the_model(pool):
    torch.manual_seed(0)
    states = torch.randn(40, 5, 8)
    study = unknot.study(
        Encoder(), (states, np.arange(40) % 3), pool=pool, **{**QUICK, "untrained": True}
    )
    assert set(study.controls["untrained"]) == set(study)
    assert len(study) == (11 if isinstance(pool, list) else 7)
