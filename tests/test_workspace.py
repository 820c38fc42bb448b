import json

import pytest

from unknot._io.cache import Workspace


@pytest.fixture
def work():
    """A step that writes a file and counts how often it is done."""

    class Work:
        times = 0

        def __call__(self, fingerprint):
            self.times += 1
            (self.folder / "made.txt").write_text(f"made {self.content}")
            return {"times": self.times}

    work = Work()
    work.content = "first"
    return work


def do(folder, work, settings=None, needs=()):
    work.folder = folder
    return Workspace(folder).do("step", settings or {"seed": 0}, needs, ["made.txt"], work)


def test_a_step_is_done_once(tmp_path, work):
    first, second = do(tmp_path, work), do(tmp_path, work)
    assert work.times == 1
    assert (first.reused, second.reused) == (False, True)
    assert first.result == second.result == {"times": 1}
    assert first.seconds == second.seconds


def test_a_changed_setting_does_it_again(tmp_path, work):
    do(tmp_path, work)
    do(tmp_path, work, {"seed": 1})
    assert work.times == 2


def test_a_changed_step_changes_those_that_build_on_it(tmp_path, work):
    workspace = Workspace(tmp_path)
    before = workspace.do("base", {"seed": 0}, [], [], lambda _: {})
    do(tmp_path, work, needs=[before])
    assert do(tmp_path, work, needs=[before]).reused
    changed = workspace.do("base", {"seed": 1}, [], [], lambda _: {})
    assert not do(tmp_path, work, needs=[changed]).reused


@pytest.mark.parametrize("damage", ["changed", None])
def test_a_damaged_or_missing_file_is_made_again(tmp_path, work, damage):
    do(tmp_path, work)
    made = tmp_path / "made.txt"
    if damage:
        made.write_text(damage)
    else:
        made.unlink()
    assert not do(tmp_path, work).reused
    assert made.read_text() == "made first"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"fingerprint": 1}'])
def test_a_damaged_record_does_the_step_again(tmp_path, work, content):
    do(tmp_path, work)
    (tmp_path / ".steps/step.json").write_text(content)
    assert not do(tmp_path, work).reused
    assert do(tmp_path, work).reused


def test_a_step_that_fails_is_not_recorded(tmp_path, work):
    do(tmp_path, work)

    def fail(_):
        (tmp_path / "made.txt").write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        Workspace(tmp_path).do("step", {"seed": 1}, [], ["made.txt"], fail)
    assert not do(tmp_path, work).reused
    assert json.loads((tmp_path / ".steps/step.json").read_text())["result"] == {"times": 2}
