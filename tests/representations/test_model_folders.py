"""Folders of Hugging Face and others, and weights as trainers save them, give the same model."""

import json
import shutil
import sys

import numpy as np
import pytest

from unknot.representations import extract, load_model

torch = pytest.importorskip("torch")
sys.path.insert(0, __file__.rpartition("/")[0])
import hub_models  # noqa: E402

TOKENS = {"input_ids": np.random.default_rng(0).integers(0, 50, (4, 7))}


def same(found, expected):
    state = expected.state_dict()
    assert set(found.state_dict()) == set(state)
    return all(torch.equal(value, state[name]) for name, value in found.state_dict().items())


def edited(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def saved(tmp_path):
    model = hub_models.bert()
    model.save_pretrained(tmp_path / "bert")
    return model, tmp_path / "bert"


def test_transformers(saved):
    model, folder = saved
    found = load_model(folder)
    assert type(found) is type(model)
    assert not found.training
    assert same(found, model)
    values = extract(found, TOKENS, progress=False)
    np.testing.assert_allclose(
        values.output["logits"] if isinstance(values.output, dict) else values.output,
        model(**{key: torch.tensor(part) for key, part in TOKENS.items()}).logits.detach(),
        atol=1e-6,
    )


def test_parts_half_precision_and_pickled_weights(saved, tmp_path):
    model, _ = saved
    model.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    assert (tmp_path / "parts" / "model.safetensors.index.json").exists()
    assert same(load_model(tmp_path / "parts"), model)
    model.save_pretrained(tmp_path / "bin")
    (tmp_path / "bin" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "bin" / "pytorch_model.bin")
    assert same(load_model(tmp_path / "bin"), model)
    half = model.to(torch.bfloat16)
    half.save_pretrained(tmp_path / "half")
    assert load_model(tmp_path / "half").dtype == torch.bfloat16


def test_weights_that_are_lacking_are_no_random_numbers(saved):
    safetensors = pytest.importorskip("safetensors.torch")
    _, folder = saved
    path = folder / "model.safetensors"
    state = safetensors.load_file(path)
    weight = state.pop("classifier.weight")
    safetensors.save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks weights .*: classifier\.weight"):
        load_model(folder)
    state |= {"classifier.weight": weight, "other.weight": weight.clone()}
    safetensors.save_file(state, path, metadata={"format": "pt"})
    with pytest.warns(UserWarning, match=r"not used, such as other\.weight"):
        load_model(folder)
    path.unlink()
    with pytest.raises(ValueError, match="holds no weights"):
        load_model(folder)


def test_a_class_that_is_not_there(saved):
    edited(saved[1], architectures=["NoSuchModel"])
    with pytest.raises(ValueError, match="'NoSuchModel', which the installed transformers"):
        load_model(saved[1])


def test_a_sentence_transformer(tmp_path):
    model = hub_models.sentence_transformer(tmp_path / "sentences")
    found = load_model(tmp_path / "sentences")
    assert same(found, model)
    np.testing.assert_allclose(found.encode(["a b", "c"]), model.encode(["a b", "c"]), atol=1e-6)


def test_timm(tmp_path):
    timm = pytest.importorskip("timm")
    safetensors = pytest.importorskip("safetensors.torch")
    model = timm.create_model("resnet18", num_classes=5).eval()
    safetensors.save_file(model.state_dict(), tmp_path / "model.safetensors")
    config = {"architecture": "resnet18", "num_classes": 5, "pretrained_cfg": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert same(load_model(tmp_path), model)
    edited(tmp_path, model_args={"checkpoint_path": "/etc/passwd"})
    with pytest.raises(ValueError, match="checkpoint_path, which loads files"):
        load_model(tmp_path)


def small():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).eval()


def factory():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "_orig_mod.", "net.encoder."])
def test_prefixes_of_trainers(prefix, tmp_path):
    weights = {f"{prefix}{name}": value for name, value in small().state_dict().items()}
    loss = {} if not prefix else {"loss.weight": torch.ones(4)}
    checkpoint = {"state_dict": weights | loss, "epoch": 3, "hyper_parameters": {"lr": 0.1}}
    torch.save(checkpoint, tmp_path / "last.ckpt")
    assert same(load_model(tmp_path / "last.ckpt", factory=factory), small())


def test_weights_that_are_there_twice(tmp_path):
    state = small().state_dict()
    twice = {
        f"{prefix}{name}": value for prefix in ("net.", "ema.") for name, value in state.items()
    }
    torch.save({"state_dict": twice}, tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"2 times, under 'ema\.' and 'net\.'"):
        load_model(tmp_path / "last.ckpt", factory=factory)


def test_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.SAFETENSORS"
    safetensors.save_file(small().state_dict(), path)
    assert same(load_model(path, factory=factory), small())
    with pytest.raises(ValueError, match="contains weights and no model"):
        load_model(path)
    safetensors.save_file({"0.weight": torch.ones(4, 3)}, path)
    with pytest.raises(ValueError, match=r"does not fit .*0\.bias"):
        load_model(path, factory=factory)


def test_weights_that_share_their_memory(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")

    def tied():
        model = torch.nn.Sequential(torch.nn.Embedding(5, 4), torch.nn.Linear(4, 5, bias=False))
        model[1].weight = model[0].weight
        return model

    model = tied()
    safetensors.save_file({"0.weight": model[0].weight.detach()}, tmp_path / "m.safetensors")
    assert same(load_model(tmp_path / "m.safetensors", factory=tied), model)


def test_folders_without_a_model(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ValueError, match=r"neither config\.json .* but notes\.txt"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="merge_and_unload"):
        load_model(tmp_path)
    shutil.copyfile(tmp_path / "notes.txt", tmp_path / "model.joblib")
    with pytest.raises(ValueError, match=r"model\.joblib is a pickle"):
        load_model(tmp_path / "model.joblib")
    with pytest.raises(ValueError, match="factory is for PyTorch weights"):
        load_model(tmp_path, factory=factory)
