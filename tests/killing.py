"""Commands that are killed, and what they leave behind, but for the times it took."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

# Times that stand among numbers for people to read.
NUMBER = re.compile(r"\d+(\.\d+)?")


def settled(folder):
    """Return what every file says, but for times and the checksums of files that hold times."""
    return {
        path.relative_to(folder).as_posix(): _content(path)
        for path in sorted(Path(folder).rglob("*"))
        if not path.is_dir() and path.name != "seconds.json"
    }


def differing(folder, other):
    """Return the files that one of two folders lacks, or that say something else there."""
    found, expected = settled(folder), settled(other)
    return [
        name
        for name in sorted(found.keys() | expected.keys())
        if name not in found or name not in expected or found[name] != expected[name]
    ]


def _content(path):
    if path.suffix == ".html":
        page = path.read_text(encoding="utf-8")
        head, _, rest = page.partition('id="unknot-data">')
        data, _, tail = rest.partition("</script>")
        return head, _without_seconds(json.loads(data)), tail
    if ".steps" in path.parts and path.suffix == ".json":
        record = _without_seconds(json.loads(path.read_bytes()))
        # What comes after a file that holds times depends on its checksum, and so on times.
        return {key: record[key] for key in record.keys() - {"files", "fingerprint"}}
    if path.name == "results.json":
        return _without_seconds(json.loads(path.read_bytes()))
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        return [_without_seconds(row) for row in rows]
    if path.name == "summary.txt":
        return NUMBER.sub("0", re.sub(r" +", " ", path.read_text(encoding="utf-8")))
    return path.read_bytes()


def _without_seconds(value):
    if isinstance(value, dict):
        return {key: _without_seconds(part) for key, part in value.items() if "seconds" not in key}
    return [_without_seconds(part) for part in value] if isinstance(value, list) else value


class Command:
    """A command of Python in a process of its own, with what it writes in place of ``OUT``."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.seconds = 0.0

    def start(self, out):
        command = [str(part).replace("OUT", str(out)) for part in self.arguments]
        return subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"COLUMNS": "100"},
            text=True,
        )

    def run(self, out):
        started = time.perf_counter()
        process = self.start(out)
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 0, said
        self.seconds = time.perf_counter() - started

    def kill(self, out, after):
        """Kill it after so many seconds; it may have ended before."""
        process = self.start(out)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
