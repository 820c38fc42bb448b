"""Architectures with random weights: which layers are taken, and that they are right.

Every value is compared with hooks written by hand. Nothing is downloaded.
"""

import numpy as np
import pytest

import unknot

torch = pytest.importorskip("torch")

VOCABULARY = 60
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 32, "pad_token_id": 1,
    "bos_token_id": 2, "eos_token_id": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.manual_seed(0)


def images(n, size, channels=3):
    return np.random.default_rng(0).normal(size=(n, channels, size, size)).astype(np.float32)


def texts(n, *, left=False, length=10):
    ids = np.random.default_rng(0).integers(5, VOCABULARY, (n, length))
    kept = np.arange(length) < length - np.arange(n)[:, None] % (length - 3)
    kept = kept[:, ::-1] if left else kept
    return {"input_ids": np.where(kept, ids, 1), "attention_mask": kept.astype(np.int64)}


def hooked(model, inputs):
    """What each module returns, by its name; the first call and the first tensor only."""
    values, hooks = {}, []

    def keep(name):
        def hook(module, given, output):
            while isinstance(output, tuple):
                output = output[0]
            if isinstance(output, torch.Tensor):
                values.setdefault(name, output.detach().clone().numpy())

        return hook

    for name, module in model.named_modules():
        hooks.append(module.register_forward_hook(keep(name)))
    with torch.no_grad():
        if isinstance(inputs, dict):
            model(**{key: torch.tensor(part) for key, part in inputs.items()})
        else:
            model(torch.tensor(inputs))
    for hook in hooks:
        hook.remove()
    return values


def check_values(model, inputs, n_least):
    """Compare each layer taken, whole and as means under the mask, with the hooks' values."""
    values = hooked(model, inputs)
    n = len(next(iter(inputs.values()))) if isinstance(inputs, dict) else len(inputs)
    whole = unknot.extract(model, inputs, pool="flatten", progress=False)
    means = unknot.extract(model, inputs, pool="mean", progress=False)
    compared = 0
    for name in whole:
        expected = values.get(name.removesuffix("[0]"))
        if expected is None:
            continue  # an input, or a functional value
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            np.asarray(whole[name]).reshape(n, -1), expected.reshape(n, -1), atol=1e-5 * scale
        )
        compared += 1
        if expected.ndim == 3 and name in means:
            mask = np.ones(expected.shape[:2])
            if isinstance(inputs, dict) and "attention_mask" in inputs:
                mask = inputs["attention_mask"]
            weights = mask / mask.sum(1, keepdims=True)
            expected = np.einsum("npc,np->nc", expected, weights)
            np.testing.assert_allclose(means[name], expected, atol=1e-5 * scale)
        elif expected.ndim == 4:
            channels = 1 if expected.shape[1] == means[name].shape[1] else 3
            axes = tuple({1, 2, 3} - {channels})
            np.testing.assert_allclose(
                np.asarray(means[name]).reshape(n, -1), expected.mean(axes), atol=1e-5 * scale
            )
    assert compared >= n_least
    return whole


RESNET18 = [f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)]
VISION = {
    "resnet18": ["maxpool", *RESNET18, "avgpool", "fc"],
    "mobilenet_v3_small": [
        *(f"features.{i}" for i in range(13)),
        "avgpool",
        "classifier.1",
        "classifier",
    ],
    "squeezenet1_1": [
        "features.2",
        "features.3",
        "features.4",
        "features.6",
        "features.7",
        "features.9",
        "features.10",
        "features.11",
        "features.12",
        "classifier",
    ],
}


@pytest.mark.parametrize("name", VISION)
def test_torchvision(name):
    torchvision = pytest.importorskip("torchvision")
    model = getattr(torchvision.models, name)(weights=None).eval()
    found = check_values(model, images(4, 64), len(VISION[name]) - 1)
    assert list(found) == VISION[name]


def test_swins_channels_are_last():
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.swin_transformer.SwinTransformer(
        [4, 4], 12, [2, 2, 2], [2, 2, 2], [4, 4], num_classes=3
    ).eval()
    found = check_values(model, images(3, 64), 8)
    assert list(found)[:3] == ["features.0", "features.1.0", "features.1.1"]
    means = unknot.extract(model, images(3, 64), pool="mean", progress=False)
    assert means["features.1.0"].shape == (3, 12)
    assert means["features.0"].shape == (3, 12)


ENCODER = [f"encoder.layer.{i}" for i in range(4)]
TRANSFORMERS = {
    "BertModel": ("BertConfig", {}, ["embeddings", *ENCODER, "pooler"], "the first token"),
    "DistilBertModel": (
        "DistilBertConfig",
        {"dim": 16, "hidden_dim": 24, "n_heads": 2, "n_layers": 4},
        ["embeddings", *(f"transformer.layer.{i}" for i in range(4))],
        "mean over",
    ),
    "RobertaForSequenceClassification": (
        "RobertaConfig",
        {"num_labels": 3},
        [
            "roberta.embeddings",
            *(f"roberta.{name}" for name in ENCODER),
            "classifier.dropout:2",
            "classifier",
        ],
        "the first token",
    ),
    "GPT2ForSequenceClassification": (
        "GPT2Config",
        {"n_embd": 16, "n_layer": 4, "n_head": 2, "n_positions": 32, "num_labels": 3},
        [
            "transformer.drop",
            *(f"transformer.h.{i}" for i in range(4)),
            "transformer.ln_f",
            "(model)[logits]",
        ],
        "the last token",
    ),
    "LlamaForCausalLM": (
        "LlamaConfig",
        {"num_key_value_heads": 1},
        ["model.embed_tokens", *(f"model.layers.{i}" for i in range(4)), "model.norm", "lm_head"],
        "mean over",
    ),
}


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_on_texts(name, left):
    transformers = pytest.importorskip("transformers")
    config, given, names, pool = TRANSFORMERS[name]
    kind = getattr(transformers, config)
    model = getattr(transformers, name)(kind(**{**SIZES, **given})).eval()
    found = check_values(model, texts(6, left=left), len(names) - 3)
    assert list(found) == names
    auto = unknot.extract(model, texts(6, left=left), progress=False)
    assert auto.reductions[names[1]]["pool"].startswith(pool)
    assert ("as the model itself takes it" in auto.reductions[names[1]]["pool"]) == (
        pool != "mean over"
    )


@pytest.mark.parametrize("decoder_mask", [False, True])
def test_t5s_masks_are_those_of_each_side(decoder_mask):
    """Both sides have ten tokens, so that the length does not tell which mask is whose."""
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=8, d_ff=24, num_layers=3, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    model = transformers.T5ForConditionalGeneration(config).eval()
    inputs = texts(5)
    other = np.random.default_rng(1).integers(5, VOCABULARY, (5, 10))
    inputs["decoder_input_ids"] = other
    kept = np.arange(10) < np.array([10, 4, 5, 6, 7])[:, None]
    if decoder_mask:
        inputs["decoder_attention_mask"] = kept.astype(np.int64)
    values = hooked(model, inputs)
    means = unknot.extract(
        model, inputs, ["encoder.block.2*", "decoder.block.2*"], pool="mean", progress=False
    )
    masks = {
        "encoder.block.2": inputs["attention_mask"],
        "decoder.block.2": kept if decoder_mask else np.ones((5, 10)),
    }
    for name, mask in masks.items():
        weights = mask / mask.sum(1, keepdims=True)
        expected = np.einsum("npc,np->nc", values[name], weights)
        np.testing.assert_allclose(means[f"{name}[0]"], expected, rtol=1e-5, atol=1e-5)


def test_clips_image_tokens_have_no_text_mask_and_each_tower_its_pooling():
    transformers = pytest.importorskip("transformers")
    side = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    side["intermediate_size"] = 24
    config = transformers.CLIPConfig(
        text_config={
            **side,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 16,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
        vision_config={**side, "image_size": 24, "patch_size": 8},
        projection_dim=8,
    )
    model = transformers.CLIPModel(config).eval()
    inputs = texts(5)  # ten tokens, as the image has nine patches and one token more
    inputs["input_ids"][np.arange(5), inputs["attention_mask"].sum(1) - 1] = 3
    inputs["pixel_values"] = images(5, 24)
    values = hooked(model, inputs)
    layers = ["vision_model.encoder.layers.2", "text_model.encoder.layers.2"]
    means = unknot.extract(model, inputs, layers, pool="mean", progress=False)
    expected = values[layers[0]].mean(1)
    np.testing.assert_allclose(means[layers[0]], expected, rtol=1e-4, atol=1e-5)
    auto = unknot.extract(model, inputs, progress=False)
    np.testing.assert_allclose(auto[layers[0]], values[layers[0]][:, 0], rtol=1e-4, atol=1e-5)
    last = inputs["attention_mask"].sum(1) - 1
    expected = values[layers[1]][np.arange(5), last]
    np.testing.assert_allclose(auto[layers[1]], expected, rtol=1e-4, atol=1e-5)


def test_a_swin_of_transformers_is_as_it_was_after_smaller_images():
    transformers = pytest.importorskip("transformers")
    config = transformers.SwinConfig(
        image_size=64, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=8, num_labels=3
    )
    model = transformers.SwinForImageClassification(config).eval()
    inputs = {"pixel_values": images(3, 64)}
    with torch.no_grad():
        model(torch.tensor(inputs["pixel_values"]))
        before = [vars(m).get("window_size") for m in model.modules()]
        expected = model(torch.tensor(inputs["pixel_values"])).logits.numpy()
    found = unknot.extract(model, inputs, progress=False)
    assert [vars(m).get("window_size") for m in model.modules()] == before
    np.testing.assert_allclose(found["classifier"], expected, rtol=1e-5, atol=1e-6)


TIMM = {
    "vit_tiny_patch16_224": (
        ["pos_drop", *(f"blocks.{i}" for i in range(2)), "norm", "fc_norm", "head"],
        {"depth": 2},
        "the first token",
    ),
    "eva02_tiny_patch14_224": (
        ["pos_drop", *(f"blocks.{i}" for i in range(2)), "fc_norm"],
        {"depth": 2, "num_classes": 0},
        "the first 1 left out",
    ),
}


@pytest.mark.parametrize("name", TIMM)
def test_timm(name):
    timm = pytest.importorskip("timm")
    names, given, pool = TIMM[name]
    size = 56 if "patch14" in name else 64
    model = timm.create_model(name, pretrained=False, img_size=size, **given).eval()
    found = check_values(model, images(3, size), 3)
    assert list(found) == names
    auto = unknot.extract(model, images(3, size), progress=False)
    assert pool in auto.reductions["blocks.1"]["pool"]


def test_a_recurrent_layers_state_is_no_layer_of_its_own():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(20, 6)
            self.rnn = torch.nn.GRU(6, 5, num_layers=2)  # (length, samples, features)
            self.head = torch.nn.Linear(5, 3)

        def forward(self, x):
            return self.head(self.rnn(self.embed(x).transpose(0, 1))[0][-1])

    model = Net().eval()
    ids = np.random.default_rng(0).integers(0, 20, (6, 7))
    found = unknot.extract(model, ids, progress=False)
    assert list(found) == ["embed", "rnn[0]", "head"]
    np.testing.assert_allclose(found["rnn[0]"], hooked(model, ids)["rnn"][-1], atol=1e-6)


@pytest.mark.parametrize("kind", ["traced", "program"])
def test_graphs_of_a_model_have_its_blocks(kind):
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.resnet18(weights=None).eval()
    given = torch.zeros(2, 3, 64, 64)
    if kind == "traced":
        with pytest.warns(FutureWarning):
            other = torch.jit.trace(model, given)
    else:
        dynamic = ({0: torch.export.Dim("n", min=2, max=32)},)
        other = torch.export.export(model, (given,), dynamic_shapes=dynamic)
    expected = unknot.extract(model, images(4, 64), progress=False)
    found = unknot.extract(other, images(4, 64), progress=False)
    assert list(found) == list(expected) == VISION["resnet18"]
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (
            lambda nn: nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(), nn.Linear(4 * 576, 3)),
            (4, 24, 24),
        ),
        (lambda nn: nn.Sequential(nn.Linear(7, 5), nn.ReLU()), (5,)),
        (lambda nn: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(1), nn.LazyLinear(3)), None),
        (lambda nn: nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)), (16, 4)),
        (lambda nn: nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU()), (4, 14)),
    ],
)
def test_layers_are_listed_without_inputs(build, shape):
    model = build(torch.nn).eval()
    if shape is None:
        with pytest.raises(ValueError, match="takes its shapes from the first inputs"):
            unknot.list_layers(model)
        return
    assert unknot.list_layers(model)[0].shape == shape


def test_a_model_that_does_not_say_what_it_takes_asks_for_samples():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(3, 2)

        def forward(self, left, right):
            return self.inner(left + right)

    with pytest.raises(ValueError, match=r"'Two' does not say what it takes.*pass a few samples"):
        unknot.list_layers(Two())
    points = np.ones((4, 3), np.float32)
    assert unknot.list_layers(Two(), (points, points))[0].name == "inner"
