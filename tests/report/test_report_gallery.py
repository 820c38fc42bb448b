"""The pictures of docs/gallery.md: the page of a LeNet on MNIST's test images, in Chromium.

They are taken of a LeNet that has learned for a moment, and looked at. With ``UNKNOT_GALLERY=1``
they are those of the lab's LeNet, trained and studied in full, and are written to docs/images;
``UNKNOT_GALLERY=DIR`` takes the study of that network in DIR instead.
"""

import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_browser import Opened

import unknot
from unknot.report import write_report
from unknot.studies import EpochRecorder

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE = {"viewport": {"width": 1280, "height": 860}}
DARK = {**WIDE, "color_scheme": "dark"}
NARROW = {"viewport": {"width": 360, "height": 780}}
# The name of a picture, the view, the window, and how much of the page is in the picture: what the
# window shows, all of it, or so many pixels from its top.
VIEWS = (
    ("page", "layer=fc1", WIDE, True),
    ("inputs", "layer=inputs&overlays=peeled&point={point}", WIDE, False),
    ("compare", "layer=inputs&beside=fc1&color=hit", WIDE, False),
    ("pair", "layer=pool2&color=correct&classes=4,9", WIDE, False),
    ("mistakes", "layer=inputs&selection={wrong}", WIDE, False),
    ("dark", "layer=conv2&overlays=ellipses", DARK, False),
    ("narrow", "layer=fc1", NARROW, False),
    ("epochs", "layer=fc1&epoch=1", WIDE, 1340),
)
RECORDED = (0, 1, 2, 5, 10)
QUICK = {
    "measures": ["neighborhood_hit", "map_neighborhood_hit"],
    "max_iter": 250,
    "untrained": False,
}


def lenet_of(mnist, **options):
    model = unknot.networks.lenet()
    unknot.train(model, mnist, **options)
    return model


@pytest.fixture(scope="module")
def few():
    mnist = unknot.load_dataset("mnist")
    return replace(mnist, train=mnist.train.sample(3000), test=mnist.test.sample(500))


@pytest.fixture(scope="module")
def study(few):
    """The LeNet of the lab, or one that has seen a few images only."""
    wanted = os.environ.get("UNKNOT_GALLERY")
    mnist = unknot.load_dataset("mnist")
    if wanted and wanted != "1":
        found = unknot.Study.load(wanted)
    elif wanted:
        found = unknot.study(lenet_of(mnist, epochs=10), mnist.test)
    else:
        model = lenet_of(few, epochs=1)
        found = unknot.study(model, few.test, layers=["conv2", "pool2", "fc1"], **QUICK)
    return replace(found, name="LeNet on MNIST")


@pytest.fixture(scope="module")
def page_of_epochs(few, tmp_path_factory):
    """The page of a training: that of the lab's LeNet, or of a few images."""
    if os.environ.get("UNKNOT_GALLERY"):
        mnist = unknot.load_dataset("mnist")
        recorder = EpochRecorder(mnist.test, epochs=RECORDED)
        lenet_of(mnist, epochs=RECORDED[-1], callbacks=[recorder])
    else:
        recorder = EpochRecorder(few.test, epochs=(0, 1), layers=["conv2", "fc1"], **QUICK)
        lenet_of(few, epochs=1, callbacks=[recorder])
    found = replace(recorder.study(), name="LeNet on MNIST")
    return write_report(found, tmp_path_factory.mktemp("epochs") / "report.html")


@pytest.fixture(scope="module")
def values(study):
    """What the views leave open: the wrong predictions, and a 4 among nines that is one of them."""
    wrong = np.flatnonzero(study.predictions != study.labels)
    fours = [i for i in wrong if (study.labels[i], study.predictions[i]) == (4, 9)]
    near = study.labels[study.layers["inputs"].graph.indices[:, :6]]
    point = max(fours or wrong, key=lambda i: (near[i] == study.predictions[i]).sum())
    return {"wrong": ",".join(map(str, wrong)), "point": point}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return IMAGES if os.environ.get("UNKNOT_GALLERY") else tmp_path_factory.mktemp("gallery")


@pytest.fixture(scope="module")
def page_of_lab(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("lab") / "report.html")


@pytest.mark.parametrize(("name", "view", "window", "whole"), VIEWS, ids=[v[0] for v in VIEWS])
def test_a_picture_of_the_gallery(browser, request, values, folder, name, view, window, whole):
    report = request.getfixturevalue("page_of_epochs" if "epoch" in view else "page_of_lab")
    page = Opened(browser, report, view.format(**values), reduced_motion="reduce", **window)
    for pane in ("map", "other-map") if "beside" in view else ("map",):
        page.settled(pane)
    if "epoch" in view:
        page.page.get_by_test_id("epoch-grid").locator("summary").click()
        page.page.evaluate("scrollTo(0, 0)")
    page.page.wait_for_timeout(300)
    path = folder / f"gallery-{name}.png"
    width, height = window["viewport"].values()
    from_top = (
        None if isinstance(whole, bool) else {"x": 0, "y": 0, "width": width, "height": whole}
    )
    page.page.screenshot(path=path, full_page=bool(whole), clip=from_top)
    with Image.open(path) as image:
        assert image.width == width
        if from_top is None:
            assert image.height > 1.5 * height if whole else image.height == height
        else:
            assert image.height == whole
        box = page.page.get_by_test_id("map-canvas").bounding_box()
        corners = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
        shown = np.array(image.convert("RGB").crop(tuple(map(int, corners)))).astype(int)
    ground = np.array([20, 23, 26] if window is DARK else [255, 255, 255])
    drawn = np.abs(shown - ground).sum(axis=2) > 60
    assert 0.002 < drawn.mean() < 0.7
    # Points all over the map, and not only its tools in a corner.
    assert all(
        part.any() for half in np.array_split(drawn, 2) for part in np.array_split(half, 2, 1)
    )
    page.check()
    page.close()


def test_the_pictures_are_those_that_the_gallery_shows():
    shown = (IMAGES.parent / "gallery.md").read_text(encoding="utf-8")
    for name, *_ in VIEWS:
        assert f"(images/gallery-{name}.png)" in shown
        with Image.open(io.BytesIO((IMAGES / f"gallery-{name}.png").read_bytes())) as image:
            assert image.width in (360, 1280)
