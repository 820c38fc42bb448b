"""The whole lab, `unknot lab` against `lab_plain.py`, in turn: whole processes from start to end.

    python benchmarks/lab.py [--rounds 1]

The results go into `docs/benchmarks.md`.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"


def seconds_of(*arguments):
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *map(str, arguments)], check=True, stderr=subprocess.DEVNULL, cwd=HERE
    )
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    ours, plain = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(seconds_of("-m", "unknot", "lab", "--out", Path(folder) / "ours"))
            print(f"unknot lab: {ours[-1]:.1f} s", flush=True)
            plain.append(seconds_of("lab_plain.py", Path(folder) / "plain"))
            print(f"plain: {plain[-1]:.1f} s", flush=True)
    ratio = median(p / o for p, o in zip(plain, ours, strict=True))
    text = "\n".join(
        [
            "| | seconds, whole process | times `unknot lab`'s |",
            "|---|---|---|",
            f"| `unknot lab` | {median(ours):.0f} | 1 |",
            f"| plain Keras, scikit-learn, matplotlib and loops | {median(plain):.0f} "
            f"| {ratio:.1f} |",
        ]
    )
    pattern = r"(<!-- lab: begin -->\n).*?(<!-- lab: end -->)"
    page = PAGE.read_text()
    PAGE.write_text(re.sub(pattern, lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page, flags=re.S))


if __name__ == "__main__":
    main()
