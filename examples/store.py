"""Run lab.ipynb in full and store what it shows: python examples/store.py, or nox -s examples."""

import base64
import hashlib
import io
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

NOTEBOOK = Path(__file__).with_name("lab.ipynb")
WIDGET = "application/vnd.jupyter.widget-view+json"


def fingerprint(notebook: nbformat.NotebookNode) -> str:
    """Tell whether the stored outputs are those of the cells as they stand."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Leave results and figures: bars that moved, and widgets without a kernel, show nothing."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for output in cell.outputs
                if output.output_type != "display_data"
                and output.get("name") != "stderr"
                and WIDGET not in output.get("data", {})
            ]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = smaller(output.data["image/png"])
    notebook.metadata.pop("widgets", None)
    notebook.metadata["sources"] = fingerprint(notebook)


def smaller(image: str) -> str:
    """Write an image with 256 colors, which takes a quarter of the room."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(image))) as opened:
        opened.convert("RGB").quantize(256).save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


if __name__ == "__main__":
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=1200).execute()
    tidy(notebook)
    nbformat.write(notebook, NOTEBOOK)
