"""Folders are ours by their marker, and nothing in them leads outside."""

import json
import os
import threading

import numpy as np
import pytest

import unknot
from unknot._io.cache import Parts
from unknot._io.folders import LinkError, claim, inside, marker_of, read_regular
from unknot._io.lock import locked

KIND = "unknot study"


def make(parts, name="step", content="made", seed=0):
    def work(folder):
        (folder / "made.json").write_text(json.dumps(content))
        return {}

    return parts.do(name, {"seed": seed}, [], work)


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("there", [None, "empty", "killed before the marker", "killed in it"])
def test_a_new_or_empty_folder_becomes_ours(tmp_path, there):
    folder = tmp_path / "a" / "b"
    if there is not None:
        folder.mkdir(parents=True)
    if there == "killed before the marker":
        (folder / ".lock").touch()
    if there == "killed in it":
        (folder / ".unknot").touch()
    claim(folder, KIND)
    claim(folder, KIND)
    assert marker_of(folder) == {"format": KIND, "version": 1}


@pytest.mark.parametrize(
    "name", ["study.json", "parts", ".lock", "report.html", ".steps", ".unknot", ".git", "parts/x"]
)
def test_a_folder_of_somebody_else_stays_as_it_is(tmp_path, name):
    """Whatever is in it has the name of something that we write."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if name in ("parts", ".steps", ".git"):
        path.mkdir()
    else:
        path.write_text("precious")
    before = tree(tmp_path)
    with pytest.raises(FileExistsError, match="holds something else than an unknot study; name a"):
        claim(tmp_path, KIND)
    assert tree(tmp_path) == before


def test_a_folder_of_another_kind_or_version_is_refused(tmp_path):
    claim(tmp_path / "lab", "unknot lab")
    with pytest.raises(FileExistsError, match="holds an unknot lab, not an unknot study"):
        claim(tmp_path / "lab", KIND)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".unknot").write_text(json.dumps({"format": KIND, "version": 2}))
    with pytest.raises(FileExistsError, match=r"newer unknot\. Upgrade"):
        claim(tmp_path / "new", KIND)


def test_what_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="file is a file; name a folder"):
        claim(tmp_path / "file", KIND)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(FileExistsError, match="dangling is a link to nothing; name a folder"):
        claim(tmp_path / "dangling", KIND)
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    claim(tmp_path / "link", KIND)  # the user's word
    assert marker_of(tmp_path / "real")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "C:x", "a\\..\\b", "a\0b"],
)
def test_no_name_leads_outside(tmp_path, name):
    with pytest.raises(LinkError, match="is not the name of a place inside the folder"):
        inside(tmp_path, name)


def test_no_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("/")
    for name in ("link", "link/etc", "link/etc/passwd"):
        with pytest.raises(LinkError, match=r"link is a link; unknot follows none"):
            inside(tmp_path, name)
    assert inside(tmp_path, "a/b.json") == tmp_path / "a" / "b.json"


def test_only_ordinary_files_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(ValueError, match="it has 5 bytes, more than 4"):
        read_regular(tmp_path / "file", 4)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for path in (tmp_path / "link", tmp_path):
        with pytest.raises(ValueError, match="not an ordinary file"):
            read_regular(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="not an ordinary file"):
            read_regular(tmp_path / "pipe")


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_lock_that_is_no_file(tmp_path, kind):
    if kind == "link":
        (tmp_path / ".lock").symlink_to(tmp_path / "outside")
    else:
        (tmp_path / ".lock").mkdir()
    with (
        pytest.raises(OSError, match="is not an ordinary file, as a lock must be"),
        locked(tmp_path),
    ):
        pass
    assert not (tmp_path / "outside").exists()


def test_other_parts_are_removed_and_nothing_else(tmp_path):
    parts = Parts(tmp_path)
    kept, old = make(parts), make(parts, seed=1)
    for foreign in ("gearbox", "gearbox-0123456789abcdef", ".unfinished-gearbox"):
        (tmp_path / foreign).mkdir()
        (tmp_path / foreign / "part.json").write_text('{"fingerprint": "0"}')
    (tmp_path / "notes-0123456789abcdef").write_text("a file")
    (tmp_path / "link-0123456789abcdef").symlink_to(kept.path)
    parts.keep_only([kept.path])
    assert not old.path.exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        kept.path.name,
        "gearbox",
        "gearbox-0123456789abcdef",
        ".unfinished-gearbox",
        "notes-0123456789abcdef",
        "link-0123456789abcdef",
    }
    assert make(parts).reused


def test_a_file_that_somebody_put_into_a_part_stays(tmp_path):
    parts = Parts(tmp_path)
    made = make(parts)
    (made.path / "notes").mkdir()
    (made.path / "notes" / "mine.txt").write_text("precious")
    assert make(parts).reused
    (made.path / "made.json").write_text("damaged")
    again = make(parts)
    assert not again.reused
    assert sorted(tree(again.path)) == ["made.json", "part.json", "seconds.json"]
    (aside,) = (path for path in tmp_path.iterdir() if path != again.path)
    assert (aside / "notes" / "mine.txt").read_text() == "precious"
    parts.keep_only([])
    assert [path.name for path in tmp_path.iterdir()] == [aside.name]


def test_a_part_without_its_record_is_made_anew_in_its_place(tmp_path):
    parts = Parts(tmp_path)
    made = make(parts)
    for damage in ("", "{", "[]", '{"fingerprint": 3}', "[" * 100_000):
        (made.path / "part.json").write_text(damage)
        assert not make(parts).reused
        assert [path.name for path in tmp_path.iterdir()] == [made.path.name]


def test_a_link_in_the_place_of_a_part(tmp_path):
    made = make(Parts(tmp_path / "one"))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / made.path.name).symlink_to(made.path)
    with pytest.raises(LinkError, match="is a link; unknot follows none"):
        make(Parts(tmp_path / "two"))
    assert make(Parts(tmp_path / "one")).reused


def test_two_that_make_the_same_part(tmp_path):
    """Both are at work when the first is done; the second finds the part, and leaves nothing."""
    parts, barrier, found = Parts(tmp_path), threading.Barrier(2), []

    def work(folder):
        (folder / "made.json").write_text("{}")
        barrier.wait(timeout=60)
        return {"value": 1}

    def run():
        found.append(parts.do("step", {}, [], work))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(part.reused for part in found) == [False, True]
    assert len({part.path for part in found}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [found[0].path.name]
    added = [parts.add("same", lambda folder: {"value": 1}) for _ in range(2)]
    assert [part.reused for part in added] == [False, True]


def test_what_a_killed_run_left_is_removed(tmp_path):
    left = tmp_path / ".unfinished-000-map-0123456789ab"
    left.mkdir()
    (left / "zarr.json").touch()
    (tmp_path / ".unfinished-mine").mkdir()
    (tmp_path / ".unfinished-link-0123456789ab").symlink_to(tmp_path / ".unfinished-mine")
    Parts(tmp_path).remove_unfinished()
    assert {path.name for path in tmp_path.iterdir()} == {
        ".unfinished-mine",
        ".unfinished-link-0123456789ab",
    }


@pytest.mark.parametrize("url", ["s3://bucket/run", "gs://b/x", "https://host/x", "file:///tmp/x"])
def test_a_url_is_no_folder(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    points, labels = np.eye(8, 4), [0, 1] * 4
    for write in (
        lambda: unknot.study({"fc1": points}, (None, labels), out=url, progress=False),
        lambda: unknot.studies.EpochRecorder((None, labels), out=url),
        lambda: unknot.study_many({"a": {"fc1": points}}, (None, labels), out=url),
    ):
        with pytest.raises(ValueError, match="is a URL; name a folder"):
            write()
    assert list(tmp_path.iterdir()) == []
