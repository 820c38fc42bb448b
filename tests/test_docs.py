"""Every block of code in the README and the documentation runs.

The blocks of a page run one after another in one namespace, in a folder of their own. A comment
``<!-- setup ... -->`` holds Python that runs as well but is not shown, and
``<!-- not run: why -->`` before a block says why it does not run.
"""

import importlib
import importlib.util
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import unknot

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in sorted(DOCS.rglob("*.md"))
        if not {"_build", "api"} & set(path.relative_to(DOCS).parts)
    ),
]
SHELLS = ("sh", "bash", "console", "shell")
# Pages whose text is also written by programs, which would remove a comment with the setup.
SETUPS = {
    "docs/measures.md": (
        "import numpy as np\n"
        "labels = np.repeat([0, 1, 2], 60)\n"
        "points = np.random.default_rng(0).normal(size=(180, 5)) + labels[:, None]\n"
        "map_ = points[:, :2]\n"
    )
}
# What is not in the tests' own extra.
OPTIONAL = ("torch", "transformers", "lightning")


@dataclass(frozen=True)
class Block:
    """A block of code, or a hidden setup: its language, first line and text."""

    language: str
    line: int
    code: str
    not_run: str | None = None


def blocks_of(text):
    """Return the blocks of a page that could be run, in order."""
    found, not_run = [], None
    pattern = re.compile(
        r"^<!-- setup\n(?P<setup>.*?)^-->$|^<!-- not run: *(?P<why>[^\n]*?) *-->$"
        r"|^(?P<fence>`{3,})(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=fence)$",
        re.DOTALL | re.MULTILINE,
    )
    for match in pattern.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        if match["setup"] is not None:
            found.append(Block("python", line, match["setup"]))
        elif match["why"] is not None:
            not_run = match["why"]
        else:
            language = match["language"].strip()
            if language in ("python", *SHELLS):
                found.append(Block(language, line, match["code"], not_run))
            not_run = None
    return found


def commands_of(code):
    """Return the commands of a block for a shell, as lists of words."""
    lines = code.replace("\\\n", " ").splitlines()
    found = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [words for words in found if words]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def needs_of(path):
    text = path.read_text(encoding="utf-8")
    return [name for name in OPTIONAL if re.search(rf"^(?:import|from) .*\b{name}\b", text, re.M)]


@pytest.fixture
def few_images(monkeypatch):
    """Let MNIST be a few of its images: the README trains on all of them."""
    load_dataset = unknot.datasets.load_dataset
    # These take the function when they are imported.
    importlib.import_module("unknot.lab")
    importlib.import_module("unknot.studies")

    def load_few(source, *args, **options):
        data = load_dataset(source, *args, **options)
        if source != "mnist":
            return data
        train, test = (
            replace(split, inputs=split.inputs[:n], labels=split.labels[:n])
            for split, n in ((data.train, 2000), (data.test, 500))
        )
        return replace(data, train=train, test=test)

    monkeypatch.setattr(unknot.datasets, "load_dataset", load_few)
    monkeypatch.setattr(unknot, "load_dataset", load_few, raising=False)


def test_blocks_and_setups_are_found():
    text = (
        "<!-- setup\nx = 1\n-->\ntext\n```python\ny = x\n```\n"
        "<!-- not run: no network -->\n```sh\npip install x\n```\n"
        "```text\nno code\n```\n```sh\n$ unknot show \\\n  'a b'  # why\n```\n"
    )
    found = blocks_of(text)
    assert [block.not_run for block in found] == [None, None, "no network", None]
    assert [block.code.strip() for block in found[:2]] == ["x = 1", "y = x"]
    assert [block.line for block in found[:2]] == [2, 6]
    assert commands_of(found[3].code) == [["unknot", "show", "a b"]]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_block_that_is_not_run_says_why(path):
    for block in blocks_of(path.read_text(encoding="utf-8")):
        if block.not_run is not None:
            assert len(block.not_run.split()) >= 2, f"{name_of(path)}:{block.line}"


@pytest.mark.slow
@pytest.mark.frameworks
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if blocks_of(path.read_text(encoding="utf-8"))],
    ids=name_of,
)
@pytest.mark.filterwarnings("ignore:.*Trying to unpickle estimator")
def test_every_block_runs(path, tmp_path, monkeypatch, call, request):
    if path.name == "README.md":
        request.getfixturevalue("few_images")
    for package in needs_of(path):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "docs"}
    exec(SETUPS.get(name_of(path), ""), namespace)
    for block in blocks_of(path.read_text(encoding="utf-8")):
        if block.not_run is not None:
            continue
        if block.language == "python":
            # Blank lines before it, so that an error names the line of the page.
            code = compile("\n" * (block.line - 1) + block.code, str(path), "exec")
            exec(code, namespace)
            continue
        for command, *arguments in commands_of(block.code):
            where = f"{name_of(path)}:{block.line}"
            assert command == "unknot", f"{where}: say why {command} is not run"
            code, _, error = call(*arguments)
            assert code == 0, f"{where}: {error}"


def test_every_public_name_has_a_place_in_the_reference():
    for room in sorted(set(unknot._PUBLIC) & {path.stem for path in DOCS.glob("reference/*.md")}):
        text = (DOCS / "reference" / f"{room}.md").read_text(encoding="utf-8")
        listed = {name.split(".")[-1] for name in re.findall(r"^   ~([\w.]+)$", text, re.M)}
        assert listed == set(importlib.import_module(f"unknot.{room}").__all__), room
    text = (DOCS / "reference" / "unknot.md").read_text(encoding="utf-8")
    top = {name for name, room in unknot._PUBLIC.items() if name != room}
    assert set(re.findall(r"^   ~([\w.]+)$", text, re.M)) == top


def test_every_citation_of_the_pages_is_in_the_references():
    references = (DOCS / "references.md").read_text(encoding="utf-8")
    known = set(re.findall(r"\*\*\[([\w.]+)\]\*\*", references))
    for path in PAGES:
        cited = set(re.findall(r"\[([A-Za-z]+\d{4}[a-z]?)\]", path.read_text("utf-8")))
        assert cited <= known, name_of(path)
