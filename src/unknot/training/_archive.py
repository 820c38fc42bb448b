"""Keras archives that are the same bytes for the same model.

Keras writes the time into them, and numbers objects that several layers share, such as a dtype
policy, by where they lie in memory.
"""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any, Final

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
SHARED: Final = "shared_object_id"


def without_traces(file: Path) -> None:
    """Rewrite a ``.keras`` file without the time and the process that it was written in."""
    settled = file.with_name(f"{file.name}.settled")
    try:
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(settled, "w") as new:
            for member in old.infolist():
                info = zipfile.ZipInfo(member.filename)  # of 1980
                info.compress_type = member.compress_type
                if member.filename in (CONFIG, METADATA):
                    content = json.loads(old.read(member))
                    content.pop("date_saved", None)
                    _renumber(content, {})
                    new.writestr(info, json.dumps(content))
                else:
                    large = member.file_size >= 2**31
                    with old.open(member) as source, new.open(info, "w", force_zip64=large) as copy:
                        shutil.copyfileobj(source, copy, 2**20)
        settled.replace(file)
    finally:
        settled.unlink(missing_ok=True)


def _renumber(node: Any, numbers: dict[Any, int]) -> None:
    """Give shared objects numbers in the order in which they come."""
    if isinstance(node, dict):
        if (shared := node.get(SHARED)) is not None:
            node[SHARED] = numbers.setdefault(shared, len(numbers) + 1)
        for value in node.values():
            _renumber(value, numbers)
    elif isinstance(node, list):
        for value in node:
            _renumber(value, numbers)
