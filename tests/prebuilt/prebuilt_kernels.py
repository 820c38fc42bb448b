"""What the tests of prebuilt kernels share."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from unknot._prebuilt import library
from unknot._prebuilt.kernel import Kernel

ROOT = Path(__file__).parents[2]
AFFINITIES = "unknot.projection._kernels_affinities"


def variants(folder, name):
    every = (item for of in library.read(folder).values() for item in of.values())
    return [item for item in every if name in item.name]


def variant(folder, name):
    (found,) = variants(folder, name)
    return found


def columns_and_counts():
    return np.array([[0, 2], [2, 1], [2, 2]], np.int32), np.full(3, 9, np.int64)


def count_columns():
    return Kernel(AFFINITIES, "count_columns")


def run(folder, program, **environment):
    """Run a program in a new process that has the folder."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom unknot._prebuilt import library\n"
        f"library.FOLDER = Path({str(folder)!r})\n" + program
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=kept | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
