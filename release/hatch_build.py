"""Takes prebuilt kernels into the wheel; off unless ``nox -s wheel`` turns it on."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PrebuiltKernels(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = Path(os.environ["UNKNOT_PREBUILT"])
        if not (folder / "kernels.json").is_file():
            raise FileNotFoundError(
                "UNKNOT_PREBUILT must name a folder written by unknot._prebuilt.build; got "
                f"{folder}: run nox -s wheel"
            )
        build_data["force_include"][str(folder)] = "unknot/_prebuilt/bitcode"
