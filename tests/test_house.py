"""The order of the rooms: each imports only rooms before it, and no private file of another."""

import ast
from pathlib import Path

import pytest

import unknot

PACKAGE = Path(unknot.__file__).parent
# What every room may use. Among themselves these import in this order too.
SHARED = (
    "_typing",
    "_sampling",
    "_console",
    "_extras",
    "_keras",
    "_validation",
    "_parallel",
    "_prebuilt",
    "_io",
    "_cluster",
)
ROOMS = (
    *SHARED,
    "datasets",
    "networks",
    "training",
    "representations",
    "neighbors",
    "projection",
    "metrics",
    "figures",
    "studies",
    "report",
    "lab",
    "cli",
)
# The methods of a result that hand it on to a later room; the import stands in the method.
HANDED_ON = {("metrics", "figures"), ("studies", "report")}


def room_of(module):
    return module.split(".")[1]


def imports_of(path):
    """Yield the modules of the package that a file imports, and the line of each."""
    package = ["unknot", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            for name in node.names:
                yield f"{module}.{name.name}", node.lineno


def violations(path, room):
    for module, line in imports_of(path):
        parts = module.split(".")
        # What stands in the package's own file: its version, and its public names.
        if parts[0] != "unknot" or len(parts) < 2 or parts[1] == "__version__":
            continue
        other = room_of(module)
        where = f"{path.relative_to(PACKAGE)}:{line} imports {module}"
        if other == room:
            continue
        if other not in ROOMS:
            yield f"{where}, which is no room"
        elif ROOMS.index(other) > ROOMS.index(room) and (room, other) not in HANDED_ON:
            yield f"{where}, of a later room"
        elif other not in SHARED and any(part.startswith("_") for part in parts[2:]):
            yield f"{where}, a private file of another room"


FILES = {
    path: path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE or path.stem not in ("__init__", "__main__")
}


def test_every_file_is_in_a_room():
    assert set(FILES.values()) == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it_and_nothing_private(room):
    found = [each for path, of in FILES.items() if of == room for each in violations(path, room)]
    assert found == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("from ..metrics import measure", "of a later room"),
        ("from ..metrics._suite import registry", "of a later room"),
        ("from ..datasets._dataset import Dataset", "a private file of another room"),
        ("def f():\n    from ..datasets._load import load_dataset", "a private file"),
        ("import unknot.report", "of a later room"),
        ("from ..nowhere import nothing", "no room"),
    ],
)
def test_the_check_can_fail(source, message, monkeypatch, tmp_path):
    monkeypatch.setattr("test_house.PACKAGE", tmp_path)
    path = tmp_path / "neighbors" / "_new.py"
    path.parent.mkdir()
    path.write_text(source)
    (found,) = violations(path, "neighbors")
    assert message in found
