"""Make Keras archives reproducible: the same bytes for the same model.

Keras stores the time, and identifies objects that several layers share, such as a dtype policy, by
their memory address.
"""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any, Final

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
SHARED_ID: Final = "shared_object_id"


def make_reproducible(file: Path) -> None:
    """Rewrite a ``.keras`` file without times and memory addresses."""
    rewritten = file.with_name(f"{file.name}.settled")
    try:
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(rewritten, "w") as new:
            for member in old.infolist():
                info = zipfile.ZipInfo(member.filename)  # dated 1980
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
        rewritten.replace(file)
    finally:
        rewritten.unlink(missing_ok=True)


def _renumber(node: Any, numbers: dict[Any, int]) -> None:
    """Assign numbers to shared objects in order of appearance."""
    if isinstance(node, dict):
        if (shared := node.get(SHARED_ID)) is not None:
            node[SHARED_ID] = numbers.setdefault(shared, len(numbers) + 1)
        for value in node.values():
            _renumber(value, numbers)
    elif isinstance(node, list):
        for value in node:
            _renumber(value, numbers)
