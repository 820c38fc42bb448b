import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from unknot._io.atomic import atomic_path, write_array, write_json, write_text


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "text.txt"
    write_text(path, "naïve")
    assert path.read_bytes() == "naïve".encode()
    assert [file.name for file in path.parent.iterdir()] == ["text.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]


def test_the_temporary_file_ends_as_the_target_and_lies_beside_it(tmp_path):
    with atomic_path(tmp_path / "model.weights.h5") as temporary:
        assert temporary.name.endswith(".weights.h5")
        assert temporary.parent == tmp_path
        temporary.write_text("content")


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("x")
    write_text(tmp_path / "ours", "x")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_json_and_arrays_come_back(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, 2.5, None]}
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "nan.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    kept, link = tmp_path / "kept.txt", tmp_path / "link.txt"
    kept.write_text("kept")
    link.symlink_to(kept)
    write_text(link, "new")
    assert (kept.read_text(), link.read_text(), link.is_symlink()) == ("kept", "new", False)


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "pipe"])
def test_a_device_or_a_pipe_is_not_replaced(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    if not hasattr(os, "mkfifo"):
        pytest.skip("no such things on this system")
    if name == "pipe":
        os.mkfifo(name)
    if not Path(name).exists():
        pytest.skip(f"this system has no {name}")
    with pytest.raises(OSError, match="is a device or a pipe"):
        write_text(name, "text")
    assert not Path(name).is_file()


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        write_text(tmp_path, "text")
    with pytest.raises(OSError, match=r"a\.txt"):
        write_text(tmp_path / "a.txt" / ("long" * 100 + ".txt"), "text")
    assert not list(tmp_path.rglob(".unknot*"))
