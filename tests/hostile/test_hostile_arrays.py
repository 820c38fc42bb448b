"""Arrays and images from strangers: read only as far as they hold what they announce."""

import gzip
import io
import os
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

import unknot
from unknot._io import npy as _npy
from unknot.cli._files import read_array
from unknot.datasets import DatasetError
from unknot.datasets._idx import read_idx
from unknot.representations import load_model

PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the file system has no pipes")


def npy(shape, dtype="<f8", content=b"\0" * 72):
    """The bytes of an array that declares a shape and holds something else."""
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + content


def npz(path, parts, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(f"{name}.npy", content)
    return path


def short(caught, path):
    text = str(caught.value)
    assert path.name in text
    assert len(text) < 900
    return text


HUGE = npy((2_000_000, 1000))


def test_a_header_that_declares_more_than_the_file(tmp_path, call):
    path = tmp_path / "p.npy"
    path.write_bytes(HUGE)
    for reader in (lambda: read_array(path, "POINTS"), lambda: _npy.read_npy(path)):
        with pytest.raises(ValueError, match=r"is truncated: its header declares 16,000,000,000"):
            reader()
    np.save(tmp_path / "labels.npy", np.arange(4))
    for arguments in (
        ["embed", path, "-o", tmp_path / "map.npy"],
        ["measure", path, tmp_path / "labels.npy"],
    ):
        code, _, said = call(*arguments)
        assert code != 0
        assert "is truncated" in said
        assert "16,000,000,000" in " ".join(said.split())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_so_do_archives(tmp_path, method):
    parts = {"x": HUGE, "y": npy((3,), "<i8", b"\0" * 24)}
    path = npz(tmp_path / "huge.npz", parts, method)
    with pytest.raises(DatasetError, match=r"x cannot be unpacked: it is truncated.*16,000,000"):
        unknot.load_dataset(path)
    with pytest.raises(ValueError, match=r"huge\.npz .* it is truncated: .*16,000,000,000"):
        load_model(path)


def test_what_is_packed_must_fit_into_memory(tmp_path, monkeypatch):
    zeros = npy((1000, 1000), content=b"\0" * 8_000_000)
    parts = {"x": zeros, "y": npy((1000,), "<i8", b"\0" * 8000)}
    path = npz(tmp_path / "bomb.npz", parts, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 5_000_000}.get)
    with pytest.raises(DatasetError, match="declares 8,000,000 bytes of values; this machine"):
        unknot.load_dataset(path)
    with pytest.raises(ValueError, match=r"bomb\.npz .*declares 8,000,000 bytes"):
        load_model(path)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 8_004_000}.get)
    with pytest.raises(ValueError, match="declares 8,008,000 bytes"):  # both together
        load_model(path)


def test_a_size_in_the_archive_that_is_not_true(tmp_path):
    path = npz(tmp_path / "lie.npz", {"x": npy((3, 3)), "y": npy((3,), "<i8", b"\0" * 24)})
    content = path.read_bytes()
    size = struct.pack("<I", len(npy((3, 3))))
    path.write_bytes(content.replace(size, struct.pack("<I", 2**32 - 2)))
    with pytest.raises(DatasetError) as caught:
        unknot.load_dataset(path)
    short(caught, path)


def test_two_arrays_of_one_name(tmp_path):
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy((3, 3)))
        archive.writestr("x", npy((3, 3)))
    for reader in (unknot.load_dataset, load_model):
        with pytest.raises(ValueError, match=r"twice\.npz.* has two arrays called 'x'"):
            reader(path)


def test_pickles_are_not_read(tmp_path, marker):
    array = np.array([marker.payload] * 2, dtype=object)
    np.save(tmp_path / "p.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=r"p\.npy .* holds pickled Python objects"):
        read_array(tmp_path / "p.npy", "POINTS")
    np.savez(tmp_path / "p.npz", x=array, y=[0, 1])
    with pytest.raises(DatasetError, match="holds pickled Python objects"):
        unknot.load_dataset(tmp_path / "p.npz")
    with pytest.raises(ValueError, match="holds pickled Python objects"):
        load_model(tmp_path / "p.npz")
    (tmp_path / "raw.npy").write_bytes(marker.pickled)
    with pytest.raises(ValueError, match=r"raw\.npy is not a whole"):
        read_array(tmp_path / "raw.npy", "POINTS")


@pytest.mark.parametrize(
    "content",
    [
        npy((-3, 4)),
        npy((2**62, 2**62)),
        npy((0, 2**70), content=b""),
        npy((1,) * 60),
        npy((10**12,), "|V0", b""),
        b"\x93NUMPY\x01\x00\x40\x00" + b"(" * 64,
        b"\x93NUMPY\x09\x00\x06\x00{'a':}",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        b"\x93NUMPY\x03\x00\x04\x00\x00\x00\xff\xff\xff\xff",
    ],
)
def test_headers_that_say_nothing_sensible(content, tmp_path):
    path = tmp_path / "odd.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_array(path, "POINTS")
    short(caught, path)
    path = npz(tmp_path / "odd.npz", {"x": content, "y": content})
    for reader in (unknot.load_dataset, load_model):
        with pytest.raises(ValueError) as caught:
            reader(path)
        short(caught, path)


@PIPES
def test_only_ordinary_files_are_read(tmp_path):
    for name in ("p.npy", "p.npz", "p.onnx"):
        path = tmp_path / name
        os.mkfifo(path)
        readers = [unknot.load_dataset, lambda each: read_array(each, "POINTS")]
        for reader in [*readers, load_model][: 3 if name != "p.npy" else 2]:
            with pytest.raises(ValueError, match="pipe"):
                reader(path)
    with pytest.raises(DatasetError, match=r"/dev/zero is a pipe, a socket or a device"):
        unknot.load_dataset("/dev/zero")
    with pytest.raises(ValueError, match="cannot be read"):
        read_array(tmp_path, "POINTS")


def idx(*axes, kind=8, content=b""):
    return bytes([0, 0, kind, len(axes)]) + struct.pack(f">{len(axes)}I", *axes) + content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (idx(60000, 28, 28), "declares 47,040,000 bytes"),
        (idx(*[2**32 - 1] * 3, kind=14), "is truncated"),
        (idx(*[1] * 255, content=b"x"), "declares 255 axes"),
        (gzip.compress(idx(2**31, 28, 28), mtime=0), "is truncated"),
        (gzip.compress(idx(100, 10, 10), mtime=0)[:12], "truncated"),
        (b"\x1f\x8b\x08\xff" + b"x" * 50, "images"),
    ],
)
def test_idx_headers(content, said, tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=said) as caught:
        read_idx(path)
    short(caught, path)


def test_idx_that_does_not_fit_into_memory(tmp_path, monkeypatch):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(1000, 100, 100, content=bytes(10**7))))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 10**6}.get)
    with pytest.raises(DatasetError, match=r"ubyte\.gz declares 10,000,000 bytes"):
        read_idx(path)


def test_emnist_letters_that_are_none(tmp_path):
    for name, content in (("images-idx3", idx(2, 1, 1, content=b"ab")), ("labels-idx1", idx(2))):
        (tmp_path / f"emnist-x-train-{name}-ubyte").write_bytes(content)
    (tmp_path / "emnist-x-train-labels-idx1-ubyte").write_bytes(idx(2, content=b"\0\1"))
    (tmp_path / "emnist-x-mapping.txt").write_text(f"0 {10**30}\n1 66\n")
    with pytest.raises(DatasetError, match=r"mapping\.txt does not give"):
        unknot.load_dataset(tmp_path)


@pytest.fixture
def pictures(tmp_path):
    """A folder of two classes with two gray images each."""
    for name in ("cat", "dog"):
        (tmp_path / "d" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(np.full((8, 8), 40 * i, np.uint8)).save(tmp_path / f"d/{name}/{i}.png")
    return tmp_path / "d"


def chunk(kind, data):
    import zlib

    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bomb(60_000), "declares more than 89,478,485 pixels"),
        (bomb(10_000), "declares more than 89,478,485 pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n", "not a readable"),
        (b"", "not a readable"),
        (b"hello", "not a readable"),
    ],
)
def test_images_that_are_none(content, said, pictures):
    path = pictures / "cat" / "2.png"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=said) as caught:
        unknot.load_dataset(pictures)
    short(caught, path)


def test_an_animation_is_not_taken_for_its_first_image(pictures):
    frames = [Image.fromarray(np.full((8, 8), 90 * i, np.uint8)) for i in range(3)]
    frames[0].save(pictures / "cat" / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(DatasetError, match=r"a\.gif holds several images"):
        unknot.load_dataset(pictures)


def test_pixels_keep_their_range(pictures):
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    cyan.save(pictures / "cat" / "2.tif")
    data = unknot.load_dataset(pictures).train
    assert data.inputs.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(data.inputs[2, 0, 0], [0, 1, 1])
    Image.fromarray(np.full((8, 8), 10**6, np.int32)).save(pictures / "dog" / "2.tif")
    with pytest.raises(DatasetError, match=r"2\.tif has 32-bit pixels beyond"):
        unknot.load_dataset(pictures)


@PIPES
def test_what_only_looks_like_an_image(pictures):
    path = pictures / "cat" / "2.png"
    os.mkfifo(path)
    with pytest.raises(DatasetError, match=r"2\.png is a broken link, a pipe or a device"):
        unknot.load_dataset(pictures)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(DatasetError, match=r"2\.png is a broken link"):
        unknot.load_dataset(pictures)
    path.unlink()
    (pictures / "cat" / "again").symlink_to(pictures)  # a loop of folders
    (pictures / "cat" / "3.png").mkdir()  # a folder of that name
    assert len(unknot.load_dataset(pictures).train) == 4


def test_images_that_do_not_fit_into_memory(pictures, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 500}.get)
    with pytest.raises(DatasetError, match=r"4 images of 8 × 8 pixels do not fit .*image_size"):
        unknot.load_dataset(pictures)
