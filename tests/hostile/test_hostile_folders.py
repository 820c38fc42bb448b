"""Folders and checkpoints that attack: whatever they name, nothing is imported, run or fetched."""

import json
import os
import random
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from unknot.representations import load_model
from unknot.representations._loading.offline import OfflineError, offline

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "representations"))
import hub_models  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    hub_models.bert().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def sentences(tmp_path):
    hub_models.sentence_transformer(tmp_path / "sentences")
    return tmp_path / "sentences"


@pytest.fixture
def code(marker, tmp_path, monkeypatch):
    """Modules that leave the marker when they are imported, where Python would find them."""
    place = tmp_path / "code"
    place.mkdir()
    text = f"open({str(marker.path)!r}, 'w')\n\n\nclass Model:\n    pass\n"
    (place / "unknot_evil.py").write_text(text)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.chdir(place)
    return text


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refuse(path, match, **options):
    with pytest.raises(ValueError, match=match) as error:
        load_model(path, **options)
    assert len(str(error.value)) < 700


CONFIGURATIONS = {
    "auto_map": ({"auto_map": {"AutoModel": "modeling_evil.Model"}}, "auto_map"),
    "auto_map of a module": ({"auto_map": {"AutoConfig": "unknot_evil.Model"}}, "auto_map"),
    "auto_map inside": ({"text_config": {"auto_map": {"AutoModel": "a--b.C"}}}, "auto_map"),
    "trust": ({"trust_remote_code": True}, "trust_remote_code"),
    "kernel": ({"attn_implementation": "evil/kernel"}, "kernel"),
    "kernel of a revision": ({"_attn_implementation": {"": "evil/kernel:f"}}, "kernel"),
    "class": ({"architectures": ["unknot_evil.Model"]}, "does not have"),
    "no class": ({"architectures": ["logging"]}, "does not have"),
    "no list": ({"architectures": [7]}, "does not have"),
    "type": ({"model_type": "unknot_evil", "architectures": None}, "cannot be loaded"),
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_configurations_that_name_code(kind, folder, code, marker):
    changes, message = CONFIGURATIONS[kind]
    (folder / "modeling_evil.py").write_text(code)
    (folder / "configuration_evil.py").write_text(code)
    changed(folder / "config.json", lambda content: content.update(changes))
    for trusted in (False, True):
        refuse(folder, message, trust_pickle=trusted)


def test_python_files_beside_a_model_are_not_run(folder, code, marker):
    for name in ("modeling_bert.py", "__init__.py", "sitecustomize.py"):
        (folder / name).write_text(code)
    assert type(load_model(folder)).__name__ == "BertForSequenceClassification"


@pytest.mark.parametrize(
    "kind",
    [
        "unknot_evil.Model",
        "os.system",
        "sentence_transformers.util.import_from_string",
        "sentence_transformers.base.modules.router.Router",
        "modeling_evil.Transformer",
    ],
)
def test_modules_that_would_be_imported(kind, sentences, code, marker):
    (sentences / "modeling_evil.py").write_text(code)
    changed(sentences / "modules.json", lambda content: content[1].update(type=kind))
    refuse(sentences, "which would be imported")


@pytest.mark.parametrize("value", ["unknot_evil.Model", "os.getcwd", "torch.hub.load"])
def test_functions_that_would_be_imported(value, sentences, code, marker):
    path = sentences / "2_Dense" / "config.json"
    changed(path, lambda content: content.update(activation_function=value))
    refuse(sentences, "a function to be imported")


def test_configurations_below_a_sentence_transformer(sentences, code, marker):
    (sentences / "modeling_evil.py").write_text(code)
    evil = {"auto_map": {"AutoTokenizer": ["modeling_evil.Model", None]}}
    changed(sentences / "tokenizer_config.json", lambda content: content.update(evil))
    refuse(sentences, "auto_map")


def test_modules_outside_the_folder(sentences):
    changed(sentences / "modules.json", lambda content: content[1].update(path="../elsewhere"))
    refuse(sentences, "outside its folder")


def test_pickles_beside_a_model(folder, sentences, marker):
    (folder / "model.safetensors").unlink()
    torch.save({"weights": marker.payload}, folder / "pytorch_model.bin")
    refuse(folder, "can run any code")
    torch.save({"weights": marker.payload}, sentences / "2_Dense" / "pytorch_model.bin")
    refuse(sentences, "can run any code")


def test_a_checkpoint_of_a_trainer(marker, tmp_path):
    state = torch.nn.Linear(3, 2).state_dict()
    checkpoint = {"state_dict": state, "callbacks": {"evil": marker.payload}}
    torch.save(checkpoint, tmp_path / "last.ckpt")
    refuse(tmp_path / "last.ckpt", "can run any code", factory=lambda: torch.nn.Linear(3, 2))


@pytest.mark.parametrize("ending", [".pkl", ".pickle", ".joblib"])
def test_pickles_of_other_libraries(ending, marker, tmp_path):
    path = tmp_path / f"model{ending}"
    path.write_bytes(marker.pickled)
    for trusted in (False, True):
        refuse(path, "is not opened here", trust_pickle=trusted)


@pytest.mark.parametrize("name", ["../outside/precious.txt", "/etc/passwd", 7, "a\\b"])
def test_an_index_that_leaves_the_folder(name, folder, outside):
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {"classifier.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refuse(folder, "not in its folder|cannot be loaded")


def test_weights_that_are_no_ordinary_file(folder):
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    refuse(folder, "pipe or a device")


def test_damaged_weights(folder, tmp_path):
    whole = (folder / "model.safetensors").read_bytes()
    rng = random.Random(0)
    for number in range(12):
        content = bytearray(whole)
        if number % 2:
            del content[rng.randrange(len(content)) :]
        else:
            place = rng.randrange(200)
            content[place : place + 8] = bytes(rng.randrange(256) for _ in range(8))
        (folder / "model.safetensors").write_bytes(content)
        path = tmp_path / "alone.safetensors"
        path.write_bytes(content)
        for target in (folder, path):
            options = {"factory": hub_models.bert} if target == path else {}
            with suppress(ValueError):  # some bytes are only other numbers
                load_model(target, **options)
    for text in (b"", b"[]", b"{", b'{"a": ' * 5000, b"\xff\xfe"):
        (folder / "config.json").write_bytes(text)
        refuse(folder, r"config\.json")


def test_a_saved_model_is_a_program(marker, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    refuse(tmp_path, "a program that can read and write files")


def test_no_connection_is_opened():
    with offline(), socket.socket() as opened, pytest.raises(OfflineError):
        opened.connect(("127.0.0.1", 9))
    assert "connect" not in vars(socket.socket)
