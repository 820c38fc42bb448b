"""Data as people have them: each kind gives the same representations as the plain arrays."""

import sys

import numpy as np
import pytest

import unknot
from unknot.representations._sources import stream

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import (  # noqa: E402
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

N = 60


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, 8, generator=generator)
    return x, (x[:, 0] > 0).long()


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)).eval()


@pytest.fixture(params=["kept", "streamed"])
def size(request, monkeypatch):
    """Both ways of reading: kept in memory, and read again in each pass."""
    if request.param == "streamed":
        monkeypatch.setattr(sys.modules["unknot.representations._extract"], "KEPT_BYTES", 100)
    return request.param


def assert_same(net, given, plain, rows=slice(None), **options):
    found = unknot.extract(net, given, progress=False, **options)
    expected = unknot.extract(net, plain, progress=False)
    assert list(found) == list(expected)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name][rows], atol=1e-6, err_msg=name)
    return found


class Rows(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Endless(IterableDataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __iter__(self):
        return iter(zip(self.x, self.y, strict=True))


class Noisy(Rows):
    """Random transforms, by three sources of random numbers."""

    def __getitem__(self, i):
        import random

        noise = torch.randn(8) + random.random() + np.random.rand()  # noqa: NPY002
        return self.x[i] + noise, self.y[i]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shuffling_loader_is_read_in_order(size, net, data, workers):
    loader = DataLoader(TensorDataset(*data), 7, shuffle=True, num_workers=workers, drop_last=True)
    found = assert_same(net, loader, data[0])
    assert any("shuffles" in note for note in found.notes)
    assert any("drops the last" in note for note in found.notes)


def test_data_sets(size, net, data):
    assert_same(net, TensorDataset(*data), data[0])
    assert_same(net, Rows(*data), data[0])
    assert_same(net, Endless(*data), data[0])
    assert_same(net, Subset(Rows(*data), [5, 3, 8]), data[0], [5, 3, 8])
    assert_same(net, DataLoader(TensorDataset(data[0]), 9), data[0])


def test_names_of_classes_come_from_the_data_set_unless_its_labels_are_changed(data):
    from unknot.representations import Options, open_labeled

    class Named(Rows):
        classes = ("no", "yes")
        target_transform = None

    named = Named(*data)
    assert open_labeled(Subset(named, [1, 2]), Options()).class_names == ("no", "yes")
    named.target_transform = lambda label: 1 - label
    assert open_labeled(named, Options()).class_names is None


def test_a_sampler_of_a_part_keeps_to_it(net, data):
    loader = DataLoader(Rows(*data), 4, sampler=SubsetRandomSampler([9, 2, 5]))
    assert_same(net, loader, data[0], [2, 5, 9])


def test_a_weighted_sampler_is_not_used_and_that_is_said(net, data):
    loader = DataLoader(Rows(*data), 4, sampler=WeightedRandomSampler(torch.ones(N), 200))
    found = assert_same(net, loader, data[0])
    assert "WeightedRandomSampler is not used" in found.notes[0]


def test_random_transforms_are_the_same_in_each_pass_and_the_users_numbers_are_untouched(
    size, net, data
):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = unknot.extract(net, Noisy(*data), progress=False)
    assert torch.equal(before, torch.get_rng_state())
    second = unknot.extract(net, Noisy(*data), progress=False)
    np.testing.assert_array_equal(first["0"], second["0"])
    assert not np.allclose(first["0"], unknot.extract(net, data[0], progress=False)["0"])


def batches(x, y):
    return [(x[i : i + 7], y[i : i + 7]) for i in range(0, N, 7)]


@pytest.mark.parametrize(
    "kind",
    [
        lambda x, y: batches(x, y),
        lambda x, y: iter(batches(x, y)),
        lambda x, y: (batch for batch in batches(x, y)),
        lambda x, y: batches(x.numpy(), y.numpy()),
        lambda x, y: (part for part in x.split(9)),
        lambda x, y: [{"input": a, "labels": b} for a, b in batches(x, y)],
        lambda x, y: [{"input": a, "target": b} for a, b in batches(x, y)],
    ],
    ids=["list", "iterator", "generator", "arrays", "inputs only", "dicts", "dicts, target"],
)
def test_iterables_of_batches(size, net, data, kind):
    assert_same(net, kind(*data), data[0])


def test_a_generator_that_does_not_fit_is_kept_on_disk_and_then_removed(
    net, data, monkeypatch, tmp_path
):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys.modules["unknot.representations._extract"], "KEPT_BYTES", 100)
    assert_same(net, iter(batches(*data)), data[0])
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_changes_is_refused(net, data, monkeypatch):
    monkeypatch.setattr(sys.modules["unknot.representations._extract"], "KEPT_BYTES", 100)

    class Counting(Rows):
        count = 0

        def __getitem__(self, i):
            self.count += 1
            return self.x[i] + self.count, self.y[i]

    with pytest.raises(ValueError, match="a second iteration gives other batches"):
        unknot.extract(net, Counting(*data), progress=False)


def test_keras_and_tensorflow_data_sets(size, net, data):
    keras = pytest.importorskip("keras")
    x, y = (part.numpy() for part in data)

    class Sequence(keras.utils.PyDataset):
        def __len__(self):
            return len(batches(x, y))

        def __getitem__(self, i):
            return (*batches(x, y)[i], np.ones(7))

    assert_same(net, Sequence(), x)
    tf = pytest.importorskip("tensorflow")
    whole = tf.data.Dataset.from_tensor_slices((x, y))
    assert_same(net, whole.batch(7), x)
    assert_same(net, whole, x)
    with pytest.raises(ValueError, match=r"repeats without end; use \.take"):
        unknot.extract(net, whole.batch(7).repeat(), progress=False)


def test_hugging_face_data_sets(size, net, data):
    datasets = pytest.importorskip("datasets")
    x, y = (part.numpy() for part in data)
    columns = {"x": x.tolist(), "label": y.tolist(), "name": ["a"] * N}
    table = datasets.Dataset.from_dict(columns)
    assert_same(net, table, x)
    assert_same(net, table.with_format("torch", columns=["x", "label"]), x)
    both = datasets.DatasetDict({"train": table.select(range(5)), "test": table})
    assert_same(net, both["test"], x)
    with pytest.raises(ValueError, match="split must name one of the splits 'train', 'test'"):
        unknot.extract(net, both, progress=False)
    assert_same(net, both, x, split="test")
    with pytest.raises(ValueError, match=r"split must be one of .* did you mean 'test'"):
        unknot.extract(net, both, split="tset", progress=False)


class Ids(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 6, padding_idx=0)
        self.out = nn.Linear(6, 2)

    def forward(self, input_ids, attention_mask):
        weights = attention_mask[:, :, None] / attention_mask.sum(1)[:, None, None]
        return self.out((self.embedding(input_ids) * weights).sum(1))


def tokenizer(texts):
    width = max(map(len, texts))
    ids = [[ord(c) % 29 + 1 for c in text] + [0] * (width - len(text)) for text in texts]
    ids = np.array(ids)
    return {"input_ids": ids, "attention_mask": (ids > 0).astype(int)}


def test_texts_are_padded_batch_by_batch_and_pooled_under_the_mask():
    torch.manual_seed(0)
    model, texts = Ids().eval(), ["ab" * (1 + i % 5) for i in range(20)]
    found = unknot.extract(model, texts, tokenizer=tokenizer, batch_size=3, progress=False)
    for row, text in enumerate(texts):
        tokens = tokenizer([text])["input_ids"]
        mean = model.embedding(torch.tensor(tokens)).mean(1)[0].detach()
        np.testing.assert_allclose(found["embedding"][row], mean, atol=1e-6)
    assert "attention_mask" in found.reductions["embedding"]["pool"]


def test_texts_without_a_tokenizer_or_with_a_bad_one(net):
    with pytest.raises(ValueError, match="pass tokenizer="):
        unknot.extract(net, ["one", "two"], progress=False)
    with pytest.raises(ValueError, match="tokenizer: function fails for the texts 'one'"):
        unknot.extract(net, ["one", "two"], tokenizer=lambda texts: 1 / 0, progress=False)
    with pytest.raises(ValueError, match="rows of different lengths"):
        unknot.extract(
            net, ["one", "four"], tokenizer=lambda texts: {"x": [[1], [1, 2]]}, progress=False
        )
    with pytest.raises(ValueError, match="must return a dict"):
        unknot.extract(net, ["one", "two"], tokenizer=len, progress=False)


class Graph:
    def __init__(self, x, edges, y):
        self.x, self.edges, self.y = x, edges, y


class GraphNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 6), nn.Linear(6, 2)

    def encode(self, graph):
        return graph.edges @ self.one(graph.x)

    def forward(self, graph):
        return self.two(torch.relu(self.encode(graph)))


def test_one_graph_of_many_nodes(data):
    torch.manual_seed(0)
    model = GraphNet().eval()
    graph = Graph(data[0], torch.eye(N), data[1])
    found = unknot.extract(model, [graph], forward=lambda m, g: m(g), progress=False)
    np.testing.assert_allclose(found["one"], model.one(data[0]).detach(), atol=1e-6)
    only = unknot.extract(model, [graph], forward=lambda m, g: m.encode(g), progress=False)
    assert list(only) == ["one"]


def test_forward_calls_a_part_of_a_model(data):
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.image, self.text = nn.Linear(8, 4), nn.Linear(3, 4)

        def encode_image(self, x):
            return self.image(x)

        def forward(self, x, text):
            return self.image(x) @ self.text(text).T

    model = Towers()
    found = unknot.extract(model, data[0], forward=lambda m, x: m.encode_image(x), progress=False)
    np.testing.assert_allclose(found["image"], model.image(data[0]).detach(), atol=1e-6)
    with pytest.raises(TypeError, match="forward must be a callable"):
        unknot.extract(model, data[0], forward="encode_image", progress=False)


def test_forward_of_a_keras_model():
    pytest.importorskip("keras")
    model = unknot.networks.perceptron(n_classes=3, input_shape=(4, 4, 1), random_state=0)
    x = np.random.default_rng(0).random((20, 4, 4, 1), np.float32)
    found = unknot.extract(
        model, {"x": x, "k": np.ones(20)}, forward=lambda m, b: m(2 * b["x"]), progress=False
    )
    expected = unknot.extract(model, 2 * x, progress=False)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "sample"),
        (lambda: iter(()), "there is no sample"),
        (lambda: DataLoader([], 4), "there is no sample"),
        (lambda: [(torch.ones(3, 8), torch.ones(2))], "3 samples, and labels of the shape"),
        (lambda: [(torch.ones(3, 8), torch.ones(3)), (torch.ones(3, 8, 2), torch.ones(3))], "axes"),
        (lambda: [((torch.ones(3, 8), torch.ones(2, 8)), torch.ones(3))], "differ in their number"),
        (lambda: [(["a", "b"], torch.ones(2))], "must be arrays or tensors of numbers"),
        (lambda: [{"x": torch.ones(2, 8), "labels": [0, 1]}, (torch.ones(2, 8), [0, 1])], "other"),
    ],
)
def test_bad_batches_are_one_clear_error(net, given, message):
    with pytest.raises(ValueError, match=message):
        unknot.extract(net, given() if callable(given) else given, progress=False)


def test_an_unknown_key_of_labels_names_the_nearest(net, data):
    given = [{"x": data[0], "species": data[1]}]
    with pytest.raises(ValueError, match="did you mean 'species'"):
        unknot.extract(net, given, label_key="specie", progress=False)


def test_nothing_of_a_large_stream_is_kept(monkeypatch):
    """The memory of a stream does not grow with its length."""
    import tracemalloc

    x = np.zeros((1000, 256), np.float32)
    monkeypatch.setattr(stream, "KEPT_BYTES", 0)

    class Many(list):
        def __iter__(self):
            return ((x + i, np.zeros(1000, int)) for i in range(40))

    reader = sys.modules["unknot.representations._sources.batches"].BatchesReader(
        Many([0]), sys.modules["unknot.representations._sources.reader"].Options()
    )
    tracemalloc.start()
    found = stream.read(reader, 0).inputs
    total = sum(len(batch) for _, _, batch in found.batches(500))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 40_000
    assert peak < 5 * x.nbytes
