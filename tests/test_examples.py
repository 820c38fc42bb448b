"""The stored notebook shows what its cells do; that they run is `nox -s notebook`."""

import re
import runpy
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(EXAMPLES / "lab.ipynb", as_version=4)


@pytest.fixture(scope="module")
def cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_outputs_are_those_of_the_cells_as_they_stand(notebook, cells):
    fingerprint = runpy.run_path(str(EXAMPLES / "store.py"))["fingerprint"]
    assert notebook.metadata["sources"] == fingerprint(notebook), "run nox -s examples"
    cells[0].source += "\n"
    assert notebook.metadata["sources"] != fingerprint(notebook)  # the check can fail


def test_it_ran_from_the_first_cell_to_the_last(cells):
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_every_figure_is_there(cells):
    drawn = [cell for cell in cells if re.search(r"unknot\.figures\.|\.curves\(", cell.source)]
    assert len(drawn) == 7
    for cell in drawn:
        assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source


def test_it_is_read_in_a_moment():
    assert (EXAMPLES / "lab.ipynb").stat().st_size < 1.5e6
