"""Saved files: atomic and reproducible."""

from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

from unknot.figures import learning_curves, save_figure
from unknot.figures._style import UnknotFigure


@pytest.fixture
def fig(histories):
    return learning_curves(histories, title="Curves")


@pytest.mark.parametrize(
    ("ending", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")]
)
def test_formats(fig, histories, tmp_path, ending, start):
    path = save_figure(fig, tmp_path / "new" / f"figure{ending}")
    content = path.read_bytes()
    assert content.startswith(start)
    again = learning_curves(histories, title="Curves")
    assert save_figure(again, tmp_path / f"again{ending}").read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_size_in_pixels(fig, tmp_path):
    width, height = fig.get_size_inches()
    pixels = plt.imread(save_figure(fig, tmp_path / "a.png"))
    assert pixels.shape[:2] == (round(height * 200), round(width * 200))
    assert plt.imread(save_figure(fig, tmp_path / "b.png", dpi=50)).shape[1] == round(width * 50)


def test_svg_carries_no_date(fig, tmp_path):
    text = save_figure(fig, tmp_path / "a.svg").read_text()
    ElementTree.fromstring(text)
    assert "dc:date" not in text


@pytest.mark.parametrize("name", ["figure", "figure.jpg", "figure.svgz"])
def test_unknown_format(fig, tmp_path, name):
    with pytest.raises(ValueError, match=rf"path must end in \.pdf, \.png, \.svg; got .*{name}"):
        save_figure(fig, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    broken = UnknotFigure(1.0, 1.0)
    broken.text(0.5, 0.5, "$unbalanced{$")
    with pytest.raises(ValueError, match="Expected"):
        save_figure(broken, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
