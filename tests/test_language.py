"""Names and docstrings: American spelling, the field's terms, numpydoc with a See Also."""

import inspect
import re
import subprocess
from pathlib import Path

import pytest

import unknot

ROOT = Path(__file__).parents[1]
ROOMS = [name for name in unknot.__all__ if inspect.ismodule(getattr(unknot, name))]
PUBLIC = sorted(
    {f"{room}.{name}" for room in ROOMS for name in getattr(unknot, room).__all__}
    | {f"unknot.{name}" for name in unknot.__all__ if name not in (*ROOMS, "__version__")}
)
# Minutes of training.
NEEDS_NO_EXAMPLE = ("lab.run_lab",)
BRITISH = re.compile(
    r"neighbour|colour|centre(?!d\b)|behaviour|labelled(?!by)|labelling|modelling|grey(?!s\b)"
    r"|licence|\blearnt\b|(?:optim|minim|maxim|normal|summar|vector|synchron|initial)is(?:e|ing|ation)",
    re.IGNORECASE,
)
# Former names, which a reader had to translate.
FORMER = re.compile(
    r"\bHeaps\b|\bMeeting\b|\bkeep_apart\b|\bamong_themselves\b|\.together\(|\bempty_into\b"
    r"|\bmoves\(console|\b_Room\b|\bto_frame\b|import _uncertainty as|Whoever asked|to oneself"
)
# Where a former or British name is what the text is about.
ALLOWED = (
    "tests/test_language.py",
    "tests/studies/data/",
    "src/unknot/report/static/",
    "CHANGELOG.md",
    "src/unknot/datasets/data/LICENSE-MNIST.md",
)
# Spellings that files of the first release have, and names whose error suggests the new one.
OLD_ON_PURPOSE = {
    ("scores.py", "neighbour"),
    ("scores.py", "centre"),
    ("capacity.py", "centre"),
    ("test_package.py", "centre"),
    ("scores.py", "to_frame"),
    ("test_studies_store.py", "neighbour"),
    ("test_metrics_suite.py", "to_frame"),
}


def documented(name):
    room, _, leaf = name.partition(".")
    return getattr(unknot if room == "unknot" else getattr(unknot, room), leaf)


def texts():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        is_text = path.suffix in (".py", ".md", ".ts", ".toml", ".yml", ".css")
        if is_text and path.is_file() and not name.startswith(ALLOWED):
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    thing = documented(name)
    text = inspect.getdoc(thing) or ""
    if inspect.ismodule(thing):
        assert text
        return
    assert "See Also\n--------" in text, "it has siblings: name them"
    if inspect.isfunction(thing) and inspect.signature(thing).parameters:
        assert "Parameters\n----------" in text
    if (inspect.isfunction(thing) or hasattr(thing, "fit")) and name not in NEEDS_NO_EXAMPLE:
        assert ">>>" in text or ".. code-block::" in text or "::\n\n" in text, "show its use"


@pytest.mark.parametrize("pattern", [BRITISH, FORMER], ids=["british", "former"])
def test_no_text_has_them(pattern):
    found = [
        f"{name}: {match[0]}"
        for name, text in texts()
        for match in pattern.finditer(text)
        if (Path(name).name, match[0]) not in OLD_ON_PURPOSE
    ]
    assert found == []
