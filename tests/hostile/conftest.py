"""What the tests of hostile files share: a marker that any code which runs would leave."""

import pickle

import pytest


class _Opens:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


class Marker:
    """A path that hostile content creates if it runs; nothing else may create it."""

    def __init__(self, path):
        self.path = path

    @property
    def payload(self):
        """An object whose unpickling creates the marker."""
        return _Opens(self.path)

    @property
    def pickled(self):
        """The payload as a plain pickle."""
        return pickle.dumps(self.payload)

    def made(self):
        return self.path.exists()


@pytest.fixture
def marker(tmp_path):
    """The marker; the test fails if it exists when the test ends."""
    found = Marker(tmp_path / "marker")
    yield found
    assert not found.made(), "hostile content was run"


@pytest.fixture
def outside(tmp_path):
    """A folder beside those that are opened; the test fails if anything in it changes."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious.txt").write_text("precious")
    yield folder
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    assert set(found) == {"precious.txt"}, f"something was made or removed outside: {found}"
    assert found["precious.txt"].read_text() == "precious"
