"""Damaged files of every kind end in the error that is promised, short and with the file's name."""

import gzip
import io
import shutil
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import unknot
from unknot._keras import import_keras
from unknot.cli._files import read_array
from unknot.datasets import DatasetError
from unknot.representations import load_model
from unknot.training import save_model

POINTS = np.random.default_rng(0).random((6, 4)).astype(np.float32)
BYTES = (POINTS * 255).astype(np.uint8)
LABELS = np.arange(6) % 2

# What happens to a file: bytes are changed, it ends early, goes on, or is something else.
CHANGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=8)
DAMAGE = st.one_of(
    st.tuples(st.just("change"), CHANGES),
    st.tuples(st.just("cut"), st.integers(0, 2**20)),
    st.tuples(st.just("more"), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("other"), st.binary(max_size=200)),
    st.tuples(st.just("head"), st.binary(min_size=1, max_size=200)),
)


def damaged(content, damage):
    kind, how = damage
    if kind == "change":
        result = bytearray(content)
        for place, change in how:
            result[place % len(result)] ^= change
        return bytes(result)
    return {
        "cut": lambda: content[: how % len(content)],
        "more": lambda: content + how,
        "other": lambda: how,
        "head": lambda: how + content[len(how) :],
    }[kind]()


def ends_well(read, path, error):
    """Whether a file is read; if not, what is raised is short and names it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an optimizer that is damaged too
        try:
            read(path)
        except error as raised:
            text = str(raised)
            assert len(text) < 900, text
            assert path.name.split(".")[0] in text, text


def stored(write, *arguments, **options):
    stream = io.BytesIO()
    write(stream, *arguments, **options)
    return stream.getvalue()


def idx(array):
    axes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + axes + array.tobytes()


NPY = {
    "plain": stored(np.save, POINTS),
    "words": stored(np.save, np.array(["a", "bc"])),
    "columns": stored(np.save, np.asfortranarray(POINTS)),
}
NPZ = {
    "stored": stored(np.savez, x=POINTS, y=LABELS),
    "packed": stored(np.savez_compressed, x_train=BYTES, y_train=LABELS),
}


@pytest.mark.parametrize("content", NPY.values(), ids=NPY)
@given(damage=DAMAGE)
def test_npy(tmp_path_factory, content, damage):
    path = tmp_path_factory.mktemp("npy") / "points.npy"
    path.write_bytes(damaged(content, damage))
    ends_well(lambda each: read_array(each, "POINTS"), path, ValueError)


@pytest.mark.parametrize("content", NPZ.values(), ids=NPZ)
@given(damage=DAMAGE)
def test_npz(tmp_path_factory, content, damage):
    path = tmp_path_factory.mktemp("npz") / "data.npz"
    path.write_bytes(damaged(content, damage))
    ends_well(unknot.load_dataset, path, DatasetError)
    ends_well(load_model, path, ValueError)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@given(damage=DAMAGE)
def test_idx(tmp_path_factory, pack, damage):
    folder = tmp_path_factory.mktemp("idx")
    (folder / "train-images-idx3-ubyte").write_bytes(damaged(pack(idx(BYTES[..., None])), damage))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS.astype(np.uint8)))
    ends_well(unknot.load_dataset, folder, DatasetError)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
@given(damage=DAMAGE)
@settings(max_examples=30)
def test_images(tmp_path_factory, kind, damage):
    folder = tmp_path_factory.mktemp("images")
    content = stored(Image.fromarray(BYTES).save, format=kind)
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "0.png").write_bytes(content)
    (folder / "a" / "1.png").write_bytes(damaged(content, damage))
    ends_well(unknot.load_dataset, folder, DatasetError)


@given(
    names=st.lists(
        st.sampled_from(["train", "val", "test", "a", "b", ".hidden", "train/a", "train/b"]),
        max_size=6,
    ),
    inside=st.sampled_from(["", "x.png", "x.txt", "x.png/y"]),
)
@settings(max_examples=40)
def test_folders_in_odd_states(tmp_path_factory, names, inside):
    folder = tmp_path_factory.mktemp("odd")
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        if inside.endswith("/y"):
            (folder / name / "x.png").mkdir(exist_ok=True)
        elif inside:
            Image.fromarray(BYTES).save(folder / name / inside, format="PNG")
    ends_well(unknot.load_dataset, folder, DatasetError)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with one small model in every format."""
    keras = import_keras()
    layers = keras.layers
    folder = tmp_path_factory.mktemp("models")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])
    model.compile("adam", "mse")
    for ending in (".keras", ".h5", ".yaml"):
        save_model(model, folder / f"model{ending}")
    return folder


@pytest.mark.parametrize("ending", [".keras", ".h5", ".yaml", ".weights.h5"])
@given(damage=DAMAGE)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_keras(tmp_path_factory, models, ending, damage):
    folder = shutil.copytree(models, tmp_path_factory.mktemp("damaged") / "model")
    path = folder / f"model{ending}"
    path.write_bytes(damaged(path.read_bytes(), damage))
    ends_well(load_model, path, ValueError)


@given(damage=DAMAGE)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_the_configuration_of_an_archive(tmp_path_factory, models, damage):
    path = tmp_path_factory.mktemp("config") / "model.keras"
    with zipfile.ZipFile(models / "model.keras") as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, damaged(content, damage) if name == "config.json" else content)
    ends_well(load_model, path, ValueError)
