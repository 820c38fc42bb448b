"""What two studies of the same data have in common, carried from one to the other."""

from __future__ import annotations

import os
from pathlib import Path

from ..._io.cache import Parts
from .._store.format import PARTS
from .._store.saving import check_folder

_OF_THE_INPUTS = ("data-", "000-")


def share_inputs(made: str | os.PathLike[str], to_be_made: str | os.PathLike[str]) -> None:
    """Spare a study the work on its inputs that another study has done.

    The parts of the one are copied to the folder of the other. A part is known by all that it
    depends on: where data, settings or labels differ it is not used, and removed when the study is
    finished.

    Parameters
    ----------
    made : path
        The folder of a study.
    to_be_made : path
        The folder that `unknot.study` will be given, as `out`; it may be unfinished.
    """
    check_folder(Path(to_be_made))
    for part in sorted((Path(made) / PARTS).iterdir()):
        if part.name.startswith(_OF_THE_INPUTS):
            Parts(Path(to_be_made) / PARTS).adopt(part)
