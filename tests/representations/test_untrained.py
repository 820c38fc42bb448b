"""Fresh weights are what the authors' code draws, and nothing of the trained ones is in them."""

import warnings

import numpy as np
import pytest

import unknot
from unknot.representations import untrained
from unknot.representations._adapters.base import find_adapter

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402


def made(model, seed=0):
    return find_adapter(model).untrained(seed)


def spoiled(build):
    """Return a model whose every weight, mean and variance is far from any that is drawn."""
    torch.manual_seed(0)
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(5, 0.37)
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.add_(3)
    return model


def check_as_built(fresh, build):
    """Compare each tensor's mean and spread with those of a model built by its authors' code."""
    torch.manual_seed(1)
    expected = build().state_dict()
    found = fresh.state_dict()
    assert set(found) == set(expected)
    for name, value in found.items():
        if not value.is_floating_point() or value.numel() < 32:
            assert value.float().abs().max() < 4, name  # the spoiled ones are about 5
            continue
        value, drawn, n = value.float(), expected[name].float(), value.numel()
        spread = float(drawn.std())
        assert abs(float(value.std()) - spread) <= max(0.12, 5 / n**0.5) * spread + 1e-7, name
        assert abs(float(value.mean() - drawn.mean())) <= 12 * spread / n**0.5 + 1e-6, name


class Net(nn.Module):
    """Its constructor is all that draws its token and its first weights."""

    def __init__(self, width, scale=0.02):
        super().__init__()
        self.width = width
        self.scale = scale
        self.token = nn.Parameter(torch.empty(1, width))
        self.first = nn.Linear(16, width)
        self.norm = nn.BatchNorm1d(width)
        nn.init.trunc_normal_(self.token, std=scale)
        nn.init.normal_(self.first.weight, std=scale)

    def forward(self, x):
        return self.norm(self.first(x)) + self.token


def torchvision_resnet():
    from torchvision.models import resnet18

    return resnet18(num_classes=7)


def with_a_new_head():
    from torchvision.models import resnet18

    model = resnet18()
    model.fc = nn.Sequential(nn.Dropout(0.1), nn.Linear(512, 64))
    return model


def timm_vit():
    import timm

    return timm.create_model(
        "vit_tiny_patch16_224", pretrained=False, img_size=32, patch_size=8, num_classes=5
    )


def bert_config():
    from transformers import BertConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return BertConfig(vocab_size=50, intermediate_size=64, **sizes)


def bert():
    from transformers import BertForSequenceClassification

    return BertForSequenceClassification(bert_config())


LIBRARIES = {
    torchvision_resnet: ("torchvision", "torchvision.models.resnet18(num_classes=7)"),
    with_a_new_head: ("torchvision", "torchvision.models.resnet18; fc.1 by reset_parameters"),
    timm_vit: ("timm", "timm.create_model('vit_tiny_patch16_224', num_classes=5"),
    bert: ("transformers", "transformers: BertForSequenceClassification(config)"),
}


@pytest.mark.parametrize("build", LIBRARIES)
def test_models_of_libraries(build):
    pytest.importorskip(LIBRARIES[build][0])
    model = spoiled(build)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh = made(model)
    check_as_built(fresh.model, build)
    assert LIBRARIES[build][1] in fresh.how
    assert fresh.certain


def test_a_sentence_transformer(tmp_path):
    modules = pytest.importorskip("sentence_transformers.models")
    transformers = pytest.importorskip("transformers")
    from sentence_transformers import SentenceTransformer

    transformers.BertModel(bert_config()).save_pretrained(tmp_path)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)

    def build():
        parts = [modules.Transformer(str(tmp_path)), modules.Pooling(32), modules.Dense(32, 16)]
        return SentenceTransformer(modules=parts, device="cpu")

    fresh = made(spoiled(build))
    values = torch.cat([value.flatten() for value in fresh.model.parameters()])
    assert values.abs().max() < 4
    assert "transformers: BertModel(config)" in fresh.how
    assert fresh.certain


def test_a_class_is_built_again_with_what_it_keeps():
    def build():
        return Net(64, scale=0.5)

    fresh = made(spoiled(build))
    check_as_built(fresh.model, build)
    assert fresh.how == "Net(width=64, scale=0.5)"


def test_arguments_that_are_not_kept_are_named():
    class Other(Net):
        def __init__(self, width, rate=0.5):
            super().__init__(width)
            self.dropout = nn.Dropout(rate)

    assert made(Other(8, 0.1)).how == "Other(width=8), rate by default"


def test_what_was_done_to_a_model_stays():
    model = Net(8).to(torch.bfloat16)
    model.first.register_forward_hook(lambda module, args, output: output + 1)
    model.last = model.first(torch.ones(2, 16, dtype=torch.bfloat16))  # with its history
    model.norm.eval()
    fresh = untrained(model)
    assert {value.dtype for value in fresh.parameters()} == {torch.bfloat16}
    assert fresh.training
    assert not fresh.norm.training
    assert len(fresh.first._forward_hooks) == 1


def test_the_model_and_all_random_states_are_left_alone():
    model = Net(8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (untrained(model, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(first["token"], again["token"])
    assert not torch.equal(first["token"], other["token"])


class Plain(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.attention = nn.MultiheadAttention(n, 2)
        self.head = nn.Linear(n, n)
        self.register_buffer("table", torch.arange(float(n)))

    def forward(self, x):
        return self.head(self.attention(x, x, x)[0]) + self.table


def test_resets_are_said_to_be_uncertain():
    fresh = made(spoiled(lambda: Plain(32)))
    assert not fresh.certain
    assert "uncertain" in fresh.how
    assert "kept as they are: table" in fresh.how
    attention = fresh.model.attention
    assert not attention.in_proj_bias.any()
    assert not attention.out_proj.bias.any()  # the outer module is reset after the inner one
    assert attention.out_proj.weight.abs().max() < 1


class Draws(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.linear = nn.Linear(n, n)
        self.start()

    def start(self):
        self.linear.weight.data.mul_(0.1)


class Holds(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(n))
        self.linear = nn.Linear(n, n)


class Learns(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.linear = nn.Linear(n, n)
        self.register_buffer("center", torch.zeros(n))

    def forward(self, x):
        self.center.lerp_(x.mean(0), 0.1)
        return self.linear(x)


class Loads(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(3))
        self.linear = nn.Linear(3, 3)
        self.linear.load_state_dict({"weight": torch.ones(3, 3), "bias": torch.ones(3)})


def overridden():
    model = Net(8)
    forward = model.first.forward
    model.first.forward = lambda x: forward(x) * 2
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Draws(4), r"Draws initializes its weights itself \(mul_\)"),
        (lambda: Holds(4), "Holds holds token, which nothing draws"),
        (lambda: Learns(4), "nothing draws center"),
        (Loads, "it loads weights"),
        (lambda: nn.LazyLinear(3), "call the model once"),
        (overridden, "uses the trained modules"),
        (lambda: nn.ParameterList([torch.zeros(2)]), "which nothing draws"),
    ],
)
def test_what_cannot_be_drawn_is_named(build, message):
    with pytest.raises(ValueError, match=message) as error:
        untrained(build())
    assert "untrained=a function that builds it" in str(error.value)


def test_parts_and_adapters_of_transformers():
    transformers = pytest.importorskip("transformers")
    model = transformers.BertModel(bert_config())
    with pytest.raises(ValueError, match="a part of a model of transformers"):
        untrained(model.encoder)
    peft = pytest.importorskip("peft")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PEFT calls
        adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["query"]))
    with pytest.raises(ValueError, match="merge_and_unload"):
        untrained(adapted)


def test_wrapped_models():
    wrapped = nn.DataParallel(Net(32, scale=0.5))
    fresh = made(wrapped)
    assert isinstance(fresh.model, Net)
    assert fresh.how == "Net(width=32, scale=0.5)"
    assert made(torch.compile(Net(8))).how == "Net(width=8, scale=0.02)"


def test_a_study_says_how_its_control_was_made():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    inputs = (rng.normal(size=(80, 16)) + labels[:, None]).astype(np.float32)
    options = {"measures": "neighborhood_hit", "max_iter": 250, "progress": False}

    def build():
        return nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 2))

    model = build()
    study = unknot.study(model, (inputs, labels), **options)
    assert study.settings["control"] == "reset_parameters of PyTorch's own modules"
    given = unknot.study(model, (inputs, labels), untrained=build, **options)
    assert given.settings["control"] == "the model that build returned"
    assert set(given.controls["untrained"]) == set(study.controls["untrained"])
    other = unknot.study(model, (inputs, labels), untrained=build(), **options)
    assert other.settings["control"] == "the model that was given"
    with pytest.raises(ValueError, match="the trained model itself"):
        unknot.study(model, (inputs, labels), untrained=lambda: model, **options)
    with pytest.raises(TypeError, match="untrained must be True, False, a model"):
        unknot.study(model, (inputs, labels), untrained="yes", **options)
    with pytest.raises(TypeError, match="without arguments and return a model"):
        unknot.study(model, (inputs, labels), untrained=lambda: 3, **options)
    uncertain = unknot.study(Plain(16), (inputs, labels), **options)
    assert any("uncertain" in note for note in uncertain.notes)
