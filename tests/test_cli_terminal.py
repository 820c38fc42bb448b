"""What the commands leave on a terminal of 80 columns."""

import re
import sys

import numpy as np
import pytest

from terminals import run_on_terminal, screen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two layers of 90 samples, and their labels in files of several kinds."""
    folder = tmp_path_factory.mktemp("terminal")
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    points = rng.normal(size=(90, 5)) + 4 * np.eye(3, 5)[labels]
    np.savez(folder / "layers.npz", fc1=points, fc2=points[:, ::-1])
    np.save(folder / "labels.npy", labels)
    np.save(folder / "points.npy", points)
    return folder


def test_the_screen_knows_what_rich_writes():
    """Positive controls: garbled lines are seen, erased ones are not."""
    assert screen(b"\r\x1b[2K* work 0:01  done, 0.3 s\r\n") == ["* work 0:01  done, 0.3 s", ""]
    assert screen(b"* work 0:01\r\x1b[2Kdone, 0.3 s\r\n") == ["done, 0.3 s", ""]
    assert screen(b"one\r\n* work\r\n\x1b[1A\r\x1b[2Ktwo") == ["one", "two", ""]
    assert screen(b"\x1b[32mgreen\x1b[0m thing") == ["green thing"]


@pytest.mark.slow
def test_lines_of_a_study_stand_alone(files):
    code, output = run_on_terminal(
        "study", "layers.npz", "labels.npy", "-o", "s", "-m", "neighborhood_hit",
        "--max-iter", 250, "--perplexity", 5, "--n-neighbors", 20, cwd=files,
    )  # fmt: skip
    lines = screen(output)
    assert code == 0, lines
    # The spinner ran, and nothing of it is left.
    assert any(mark in output.decode() for mark in SPINNER)
    assert not [line for line in lines if set(line) & set(SPINNER)]
    stages = [line for line in lines if re.search(r", [0-9.]+ s$", line)]
    # Data, extraction and answers; neighbors, map and scores of two layers; their coherence.
    assert len(stages) == 3 + 2 * 3 + 1
    for line in stages:
        assert re.fullmatch(r"  [\w ]+: [\w ]+, [0-9.]+ s", line), line
    assert [line for line in lines if line.startswith("arrays: 2 of 2 layers")]
    assert "fc1     0." not in lines[0]


@pytest.mark.slow
def test_the_bar_of_embed_is_full_at_the_end(files):
    code, output = run_on_terminal(
        "embed", "points.npy", "-o", "map.npy", "--perplexity", 10, "--max-iter", 250, cwd=files
    )
    lines = screen(output)
    assert code == 0, lines
    (bar,) = [line for line in lines if line.startswith("t-SNE")]
    done, total = re.search(r"(\d+)/(\d+)", bar).groups()
    assert done == total
    assert re.search(r"0:00:00 left", bar)


def test_warnings_are_one_line_without_source(files):
    code, output = run_on_terminal(
        "embed", "points.npy", "-o", "map.npy", "--perplexity", 500, "--max-iter", 250, cwd=files
    )
    text = " ".join(screen(output))
    assert code == 0
    assert "unknot: perplexity 500 is more than 90 samples allow" in text
    assert "UserWarning" not in text
    assert ".py" not in text.replace("points.npy", "").replace("map.npy", "")
