"""One row for each sample: every pooling against its arithmetic, masks, and what is refused."""

import numpy as np
import pytest

import unknot
from unknot import extract

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

LENGTHS = (5, 3, 4, 1, 5, 2)
"""So many tokens has each of the six texts; the others, of five, are padding."""
IDS = np.random.default_rng(0).integers(1, 20, (6, 5))
RIGHT = (np.arange(5) < np.array(LENGTHS)[:, None]).astype(np.int64)
LEFT = RIGHT[:, ::-1].copy()


class Encoder(torch.nn.Module):
    """Tokens to two linear layers, and one vector a text in a way that is given."""

    def __init__(self, pooling="none", width=4):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(20, width)
        self.first = torch.nn.Linear(width, width)
        self.second = torch.nn.Linear(width, width)
        self.head = torch.nn.Linear(width, 3)
        self.pooling = pooling

    def forward(self, input_ids, attention_mask=None):
        x = self.second(torch.tanh(self.first(self.embedding(input_ids))))
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if self.pooling == "none":
            return self.head(x)
        if self.pooling == "first":
            return self.head(x[:, 0])
        if self.pooling == "last":
            place = mask.shape[1] - 1 - mask.flip(1).argmax(1)
            return self.head(x[torch.arange(len(x)), place])
        if self.pooling == "rest":
            return self.head(x[:, 1:].mean(1))
        weights = mask / mask.sum(1, keepdim=True)
        return self.head(torch.einsum("npc,np->nc", x, weights.to(x.dtype)))


def texts(mask=RIGHT):
    return {"input_ids": IDS, "attention_mask": mask}


def tokens_of(model, layer="second"):
    found = {}
    hook = model.get_submodule(layer).register_forward_hook(
        lambda _, given, output: found.update(value=output.detach().numpy())
    )
    with torch.no_grad():
        model(torch.tensor(IDS), torch.tensor(RIGHT))
    hook.remove()
    return found["value"]


def by_hand(values, how, mask):
    """The slow twin: text by text."""
    rows = []
    for tokens, kept in zip(values, mask.astype(bool), strict=True):
        own = tokens[kept]
        rows.append(
            {
                "mean": lambda own=own: own.mean(0),
                "max": lambda own=own: own.max(0),
                "cls": lambda tokens=tokens: tokens[0],
                "last": lambda own=own: own[-1],
                "cls+mean": lambda own=own, tokens=tokens: np.append(tokens[0], own.mean(0)),
                "flatten": lambda tokens=tokens: tokens,
            }[how]()
        )
    return np.stack(rows)


@pytest.mark.parametrize("mask", [RIGHT, LEFT], ids=["right", "left"])
@pytest.mark.parametrize("how", ["mean", "max", "cls", "last", "cls+mean", "flatten"])
def test_every_pooling_is_its_arithmetic_whatever_the_side_of_the_padding(how, mask):
    model = Encoder()
    found = extract(model, texts(mask), ["first", "second"], pool=how, progress=False)
    for layer in ("first", "second"):
        expected = by_hand(tokens_of(model, layer), how, mask)
        np.testing.assert_allclose(found[layer], expected, atol=1e-6, err_msg=layer)


@pytest.mark.parametrize(
    ("pooling", "how", "said"),
    [
        ("first", "cls", "the first token, as the model itself takes it"),
        ("last", "last", "the last token that attention_mask keeps, as the model itself takes it"),
        ("mean", "mean", "attention_mask keeps, as the model itself takes it"),
        ("none", "mean", "attention_mask keeps"),
    ],
)
@pytest.mark.parametrize("mask", [RIGHT, LEFT], ids=["right", "left"])
def test_auto_is_what_the_model_itself_does(pooling, how, said, mask):
    model = Encoder(pooling)
    found = extract(model, texts(mask), progress=False)
    np.testing.assert_allclose(found["second"], by_hand(tokens_of(model), how, mask), atol=1e-6)
    assert found.reductions["second"]["pool"].endswith(said)


def test_a_mean_that_leaves_out_the_first_token_is_found():
    model = Encoder("rest")
    found = extract(model, IDS, progress=False)
    np.testing.assert_allclose(found["second"], tokens_of(model)[:, 1:].mean(1), atol=1e-6)


def test_texts_of_one_length_do_not_hide_where_the_last_token_is():
    """The first three have three tokens each, so that the last one is also the third."""
    mask = np.ones((6, 5), np.int64)
    mask[:3, 3:] = 0
    model = Encoder("last")
    found = extract(model, texts(mask), progress=False)
    np.testing.assert_allclose(found["second"], by_hand(tokens_of(model), "last", mask), atol=1e-6)


def test_several_poolings_are_rows_of_their_own():
    model = Encoder()
    found = extract(model, texts(), ["second"], pool=["cls", "mean"], progress=False)
    assert list(found) == ["second@cls", "second@mean"]
    values = tokens_of(model)
    for how in ("cls", "mean"):
        np.testing.assert_allclose(
            found[f"second@{how}"], by_hand(values, how, RIGHT), atol=1e-6, err_msg=how
        )


def test_a_mapping_of_patterns_and_a_callable():
    def spread(values):
        return values.std(axis=1)

    model = Encoder("first")
    pool = {"fir*": "max", "second": spread}
    found = extract(model, texts(), ["embedding", "first", "second"], pool=pool, progress=False)
    np.testing.assert_allclose(
        found["first"], by_hand(tokens_of(model, "first"), "max", RIGHT), atol=1e-6
    )
    np.testing.assert_allclose(found["second"], tokens_of(model).std(1), atol=1e-6)
    assert found.reductions["second"]["pool"] == "spread, the user's own"
    assert found["embedding"].shape == (6, 4)  # auto


class Wide(torch.nn.Module):
    """A convolution, and a layer norm over channels that come last."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 5, 3, padding=1)
        self.norm = torch.nn.LayerNorm(5)

    def forward(self, x):
        return self.norm(self.conv(x).permute(0, 2, 3, 1))


@pytest.mark.parametrize("size", [(6, 8), (5, 5)], ids=["other", "as many as channels"])
def test_channels_are_never_averaged(size):
    images = np.random.default_rng(0).normal(size=(4, 3, *size)).astype(np.float32)
    model = Wide()
    flat = extract(model, images, pool="flatten", progress=False)
    found = extract(model, images, pool="mean", progress=False)
    np.testing.assert_allclose(found["conv"], flat["conv"].mean((2, 3)), atol=1e-6)
    np.testing.assert_allclose(found["norm"], flat["norm"].mean((1, 2)), atol=1e-6)
    grid = extract(model, images, pool=2, progress=False)
    assert grid["conv"].shape == (4, 5, 2, 2)
    assert grid["norm"].shape == (4, 2, 2, 5)
    half = size[0] // 2 + size[0] % 2
    across = size[1] // 2 + size[1] % 2
    np.testing.assert_allclose(
        grid["conv"][:, :, 0, 0], flat["conv"][:, :, :half, :across].mean((2, 3)), atol=1e-6
    )


class Turned(torch.nn.Module):
    """A square of numbers of which nothing tells which axis is which."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Identity()

    def forward(self, x):
        return self.inner(x.reshape(len(x), 6, 6).transpose(1, 2))


def test_what_is_not_known_is_left_out_and_said_or_given():
    points = np.random.default_rng(0).normal(size=(5, 36)).astype(np.float32)
    with pytest.raises(ValueError, match=r'inner left out: .* pass channels=\{"inner": "last"\}'):
        extract(Turned(), points, pool="mean", progress=False)
    values = points.reshape(5, 6, 6).transpose(0, 2, 1)
    for where, axis in (("first", 2), ("last", 1), (0, 2), (-1, 1)):
        found = extract(Turned(), points, pool="mean", channels={"inn*": where}, progress=False)
        np.testing.assert_allclose(found["inner"], values.mean(axis), atol=1e-6)
    kept = extract(Turned(), points, progress=False)
    assert kept["inner"].shape == (5, 6, 6)  # small, so that it is kept whole


def test_a_mask_beside_the_inputs():
    model = Encoder()
    found = extract(model, IDS, ["second"], mask=RIGHT, pool="mean", progress=False)
    np.testing.assert_allclose(found["second"], by_hand(tokens_of(model), "mean", RIGHT), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": RIGHT[:, :4]}, r"mask must have as many columns .* got the shape \(6, 4\)"),
        ({"mask": RIGHT[:5]}, r"mask must have the shape \(n_samples, length\) with the 6 samples"),
        ({"mask": 2 * RIGHT}, "mask must hold 1 or True"),
        ({"pool": "mena"}, "got 'mena'; did you mean 'mean'"),
        ({"pool": {}}, "pool must map at least one name"),
        ({"pool": []}, "pool must name at least one pooling"),
        ({"pool": ["cls", "cls"]}, "pool must name each pooling once; got cls, cls"),
        ({"pool": {"sekond": "cls"}}, "no layer taken is named 'sekond'; did you mean 'second'"),
        ({"pool": lambda values: values.mean()}, "must return one row of numbers"),
        ({"channels": {"third": "last"}}, "channels: no layer taken is named 'third'"),
        ({"channels": {"second": "middle"}}, "must be 'first', 'last' or an axis"),
        ({"channels": {"second": 2}}, "must be 'first', 'last' or an axis"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        extract(Encoder(), IDS, ["first", "second"], progress=False, **options)


def test_a_text_that_is_all_padding_is_named():
    mask = RIGHT.copy()
    mask[4] = 0
    with pytest.raises(ValueError, match="sample 4 is all padding"):
        extract(Encoder(), texts(mask), ["second"], pool="mean", progress=False)


def test_arrays_of_the_user_are_kept_whole():
    points = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(extract({"a": points}, None)["a"], points)
    np.testing.assert_allclose(
        extract({"a": points}, None, pool="mean")["a"], points.mean(1), atol=1e-6
    )


class Resizing(torch.nn.Module):
    """Windows that become smaller with the first small image and stay so, as Swin's do."""

    def __init__(self):
        super().__init__()
        self.window = 4
        self.seen = []
        self.register_buffer("count", torch.zeros(1))
        self.conv = torch.nn.Conv2d(3, 6, 1)
        self.pool = torch.nn.Identity()

    def forward(self, x):
        self.window = min(self.window, x.shape[-1] // 2)
        self.seen.append(x.shape[-1])
        self.count += 1
        return self.pool(torch.nn.functional.avg_pool2d(self.conv(x), self.window))


def test_images_of_other_sizes_leave_the_model_as_it_was():
    images = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
    model = Resizing()
    found = extract(model, images, pool="mean", progress=False)
    with torch.no_grad():
        expected = torch.nn.functional.avg_pool2d(model.conv(torch.tensor(images)), 4)
    np.testing.assert_allclose(found["pool"], expected.mean((2, 3)).numpy(), atol=1e-6)
    assert model.window == 4
    assert set(model.seen) == {8}
    assert int(model.count) == len(model.seen)


class PaddingMask(nn.Module):
    """A model of PyTorch, whose mask is True for padding."""

    def __init__(self, obeys=True, inverted=False):
        super().__init__()
        self.obeys, self.inverted = obeys, inverted
        self.embedding = nn.Embedding(30, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, ids, padding_mask):
        padding = padding_mask.bool()
        if self.inverted:
            padding = ~padding
        return self.encoder(
            self.embedding(ids), src_key_padding_mask=padding if self.obeys else None
        )


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("first_batch_is_padded", [False, True])
def test_which_value_of_a_mask_is_padding_is_seen(inverted, first_batch_is_padded):
    torch.manual_seed(0)
    model = PaddingMask(inverted=inverted).eval()
    ids = torch.randint(1, 30, (12, 8))
    padding = torch.zeros(12, 8, dtype=torch.bool)
    padding[0 if first_batch_is_padded else 6 :, 5:] = True
    given = ~padding if inverted else padding
    found = unknot.extract(
        model, {"ids": ids, "padding_mask": given}, ["encoder"], pool="mean", progress=False
    )
    with torch.no_grad():
        tokens = model(ids, given)
    kept = (~padding).float()[:, :, None]
    expected = (tokens * kept).sum(1) / kept.sum(1)
    np.testing.assert_allclose(found["encoder"], expected, atol=1e-5)


def test_a_mask_that_tells_nothing_is_not_used_and_that_is_said():
    torch.manual_seed(0)
    model = PaddingMask(obeys=False).eval()
    inputs = {"ids": torch.randint(1, 30, (12, 8)), "padding_mask": torch.zeros(12, 8, dtype=int)}
    found = unknot.extract(model, inputs, ["encoder"], pool="mean", progress=False)
    assert any("which value of padding_mask marks it is not seen" in note for note in found.notes)
