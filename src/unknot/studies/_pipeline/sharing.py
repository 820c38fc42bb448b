"""Reuse of finished work on the same inputs in another study."""

from __future__ import annotations

import os
from pathlib import Path

from ..._io.cache import Parts
from .._store.format import PARTS
from .._store.saving import check_folder

_OF_THE_INPUTS = ("data-", "000-")


def share_inputs(made: str | os.PathLike[str], to_be_made: str | os.PathLike[str]) -> None:
    """Copy the finished work on the inputs from one study's folder to another's.

    A part's fingerprint covers all that it depends on: if data, settings or labels differ, it is
    not used, and removed when the study is finished.

    Parameters
    ----------
    made : path
        The folder of a finished study.
    to_be_made : path
        The folder that `unknot.study` will get as `out`; it may be unfinished.
    """
    check_folder(Path(to_be_made))
    for part in sorted((Path(made) / PARTS).iterdir()):
        if part.name.startswith(_OF_THE_INPUTS):
            Parts(Path(to_be_made) / PARTS).adopt(part)
