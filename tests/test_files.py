import json
import stat

import numpy as np
import pytest

from unknot._files import atomic_path, write_array, write_json, write_text


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
