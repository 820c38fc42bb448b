import numpy as np
import pytest

from unknot.metrics import measure
from unknot.metrics._table import as_text, number


@pytest.mark.parametrize("width", [72, 80, 110])
def test_no_number_is_ever_cut(width):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 30)
    points = (rng.normal(size=(90, 5)) + 3 * np.eye(5)[labels]).astype(np.float32)
    scores = measure(points, labels, points[:, :2], ["neighbourhood", "collapse", "shape"])
    text = as_text(scores, width)
    assert "…" not in text
    for score in scores.values():
        assert number(score.value) in text
    assert ("0 to 1" in text) == (width >= 96)
    assert max(map(len, text.splitlines())) <= width
