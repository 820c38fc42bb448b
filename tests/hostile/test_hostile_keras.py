"""Keras files from strangers: nothing in them is run, and no other file is read."""

import json
import os
import shutil
import stat
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import yaml

from unknot._keras import import_keras
from unknot.representations import load_model
from unknot.training import save_model

ENDINGS = [".keras", ".h5", ".yaml"]


@pytest.fixture(scope="module")
def keras():
    return import_keras()


@pytest.fixture(scope="module")
def made(keras, tmp_path_factory):
    """A folder with one small model in every format."""
    folder = tmp_path_factory.mktemp("made")
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])
    for ending in ENDINGS:
        save_model(model, folder / f"model{ending}")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "models")


def refused(path, *said):
    """Loading ends in one short ValueError that names the file and says this."""
    with pytest.raises(ValueError) as caught:
        load_model(path)
    text = str(caught.value)
    assert path.name.split(".")[0] in text
    assert len(text) < 900
    assert text.count("\n") < 3
    for each in ("safe_mode", "custom_object", "unsafe_deserialization"):
        assert each not in text
    for each in said:
        assert each in text
    return text


def members(path):
    with zipfile.ZipFile(path) as archive:
        return [(info, archive.read(info)) for info in archive.infolist()]


def write_archive(path, parts):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # about two members of one name
        for info, content in parts:
            archive.writestr(info, content)


def change_config(path, change):
    """Change the configuration in a file of any format."""
    if path.suffix == ".yaml":
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config))
    elif path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
    else:
        parts = []
        for info, content in members(path):
            if info.filename == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            parts.append((info.filename, content))
        write_archive(path, parts)


@pytest.mark.parametrize("nested", [False, True], ids=["outside", "nested"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_lambda_is_refused_and_never_run(keras, ending, nested, marker, tmp_path):
    def inner():
        made = keras.layers.Lambda(
            lambda x, path=str(marker.path): (open(path, "w").close(), x)[1],  # noqa: PTH123
            output_shape=(3,),
        )
        return [keras.Input((3,)), made, keras.layers.Dense(2)]

    model = keras.Sequential(inner())
    if nested:
        model = keras.Sequential([keras.Input((3,)), model])
    model(np.ones((1, 3), np.float32))
    path = tmp_path / f"code{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras advises against it
        save_model(model, path)
    marker.path.unlink()
    refused(path, "would run code", "rebuild that layer in Python")


FUNCTION = {"class_name": "function", "registered_name": None}
NODES = {
    "a function of Python": FUNCTION | {"module": "os", "config": "system"},
    "a builtin": FUNCTION | {"module": "builtins", "config": "eval"},
    "a download": FUNCTION | {"module": "keras.utils", "config": "get_file"},
    "a class of Python": {"module": "subprocess", "class_name": "Popen", "config": {"args": "ls"}},
    "a module inside Keras": {
        "module": "keras.src.saving.saving_lib.zipfile",
        "class_name": "ZipFile",
        "config": {"file": "/etc/passwd"},
    },
    "a class without a module": {"module": None, "class_name": "__loader__", "config": {}},
    "a saved graph": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"filepath": "/tmp"},
    },
    "a wrapped pickle": {
        "module": "keras.src.utils.torch_utils",
        "class_name": "TorchModuleWrapper",
        "config": {"module": "gASVAA=="},
    },
    "a type": {"class_name": "__typespec__", "config": [], "spec_name": "x", "module": "os"},
    "a file of words": {
        "module": "keras.layers",
        "class_name": "StringLookup",
        "config": {"name": "words", "vocabulary": "/etc/passwd"},
    },
}


@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_only_keras_own_classes_and_functions_are_made(ending, node, folder):
    path = folder / f"model{ending}"
    change_config(path, lambda config: config["config"]["layers"][1]["config"].update(wrong=node))
    refused(path)


@pytest.mark.parametrize("node", list(NODES.values())[:4], ids=list(NODES)[:4])
def test_how_it_was_built_names_nothing_else_either(node, folder):
    path = folder / "model.keras"
    change_config(path, lambda config: config.update(build_config={"input_shape": node}))
    refused(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_layer_of_ones_own_is_named_with_the_remedy(keras, ending, folder):
    path = folder / f"model{ending}"
    change_config(path, lambda config: config["config"]["layers"][1].update(class_name="MyLayer"))
    refused(path, "'MyLayer' is not a layer", "register_keras_serializable")


@pytest.mark.parametrize("ending", ENDINGS)
def test_more_units_than_the_file_has_weights_for(ending, folder):
    path = folder / f"model{ending}"
    change_config(path, lambda config: config["config"]["layers"][1]["config"].update(units=10**8))
    refused(path, "declares", "bytes")


def linked(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("config.json", b"{}"), "two members"),
        (("Config.JSON", b"{}"), "two members"),
        (("assets/../../out.txt", b"out"), "assets/../../out.txt"),
        (("/etc/out.txt", b"out"), "/etc/out.txt"),
        (("assets/a\\..\\b", b"out"), "which no model has"),
        ((linked("assets/words"), b"/etc/passwd"), "is a link"),
        (("payload.pkl", b"x"), "payload.pkl"),
    ],
)
def test_members_that_no_model_has(more, said, folder):
    path = folder / "model.keras"
    write_archive(path, [*members(path), more])
    refused(path, said)


def test_a_packed_configuration_is_not_unpacked_without_limit(folder):
    path = folder / "model.keras"
    kept = [part for part in members(path) if part[0].filename != "config.json"]
    write_archive(path, kept)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 2**25)
    assert path.stat().st_size < 2**17
    refused(path, "33,554,432 bytes", "at most 16,777,216")


def external_link(file, _):
    file["extra"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file, _):
    file["extra"] = h5py.SoftLink("/nowhere")


def external_values(file, folder):
    (folder / "secret").write_bytes(b"secret--" * 4)
    file.create_dataset("extra", (4,), "f8", external=[(str(folder / "secret"), 0, 32)])


def virtual_values(file, folder):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", (4,))
    file.create_virtual_dataset("extra", layout)


def huge_values(file, _):
    file.create_dataset("extra", (10**6, 10**6), "f4", chunks=(1000, 1000))


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (external_link, "is a link"),
        (soft_link, "is a link"),
        (external_values, "in other files"),
        (virtual_values, "in other files"),
        (huge_values, "declares 4,000,000,000,000 bytes"),
    ],
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_hdf5_reads_no_other_file_and_only_what_is_stored(ending, add, said, folder):
    path = folder / f"model{ending}"
    weights = path if ending == ".h5" else folder / "model.weights.h5"
    if ending == ".keras":
        with zipfile.ZipFile(path) as archive:
            archive.extract("model.weights.h5", folder)
    with h5py.File(weights, "r+") as file:
        add(file, folder)
    if ending == ".keras":
        parts = [part for part in members(path) if part[0].filename != weights.name]
        write_archive(path, [*parts, (weights.name, weights.read_bytes())])
    refused(path, said)


LAUGHS = "a0: &a0 [1, 1]\n" + "".join(
    f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS + "class_name: Sequential\nconfig: {layers: *a59}\n",
        MERGED + "class_name: Sequential\nconfig: *a59\n",
        "class_name: Sequential\nconfig: &c {layers: [*c]}\n",
        "class_name: Sequential\nconfig: " + "[" * 50_000,
        "class_name: !!python/object/apply:os.system ['true']\nconfig: {}\n",
        "class_name: !!python/name:os.system\nconfig: {}\n",
        "class_name: Sequential\nconfig: \x00\n",
        "? [1, 2]\n: class_name\n",
        "class_name: Sequential\nconfig: 2001-99-99\n",
    ],
    ids=["laughs", "merged", "itself", "deep", "call", "name", "null", "key", "date"],
)
def test_yaml_ends_in_one_error(text, folder):
    path = folder / "model.yaml"
    path.write_text(text)
    refused(path)


def test_a_longer_yaml_is_not_read(folder):
    path = folder / "model.yaml"
    path.write_text("#" * (2**22 + 1))
    refused(path, "4,194,305 bytes of YAML")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in the file system")
@pytest.mark.parametrize("ending", [*ENDINGS, ".weights.h5"])
def test_only_ordinary_files_are_opened(ending, folder):
    path = folder / f"model{ending}"
    path.unlink()
    os.mkfifo(path)
    refused(path, "is a pipe, a socket or a device")
    path.unlink()
    path.mkdir()
    refused(path, "is a folder")
    path.rmdir()
    path.symlink_to("/dev/zero")
    refused(path, "is a pipe, a socket or a device")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_link_to_a_model_is_followed(ending, made, tmp_path):
    path = tmp_path / f"model{ending}"
    try:
        path.symlink_to(made / path.name)
        (tmp_path / "model.weights.h5").symlink_to(made / "model.weights.h5")
    except OSError:
        pytest.skip("links may not be made here")
    assert [weight.shape for weight in load_model(path).get_weights()] == [
        (3, 4),
        (4,),
        (4, 2),
        (2,),
    ]


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" * 9])
@pytest.mark.parametrize("ending", [*ENDINGS, ".weights.h5"])
def test_what_is_no_model_is_named(ending, content, folder):
    path = folder / f"model{ending}"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[1]", b'{"class_name": 1}', b"[" * 60_000])
def test_a_damaged_configuration_is_named(text, folder):
    path = folder / "model.keras"
    parts = [(i, text if i.filename == "config.json" else content) for i, content in members(path)]
    write_archive(path, parts)
    refused(path)
    with h5py.File(folder / "model.h5", "r+") as file:
        file.attrs["model_config"] = np.void(text)
    refused(folder / "model.h5")
