"""Take the pictures of docs/gallery.md: the page of a LeNet on MNIST's test images, in Chromium.

python docs/gallery.py [STUDY]

STUDY is the folder of a study; without it the lab's LeNet is trained and studied, in minutes. Needs
the extras lab and browser, and Debian's Chromium.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import unknot
from unknot.report import write_report

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "report"))
from report_browser import Opened, chromium  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDE = {"viewport": {"width": 1280, "height": 860}}
DARK = {**WIDE, "color_scheme": "dark"}
NARROW = {"viewport": {"width": 360, "height": 780}}
# The name of a picture, the view, the window, and whether the whole page is in the picture.
VIEWS = (
    ("page", "layer=fc1", WIDE, True),
    ("inputs", "layer=inputs&overlays=peeled&point=2130", WIDE, False),
    ("compare", "layer=inputs&beside=fc1&colour=hit", WIDE, False),
    ("pair", "layer=pool2&classes=4,9&colour=correct", WIDE, False),
    ("mistakes", "layer=inputs&selection={wrong}", WIDE, False),
    ("dark", "layer=conv2&overlays=ellipses", DARK, False),
    ("narrow", "layer=fc1", NARROW, False),
)


def main() -> None:
    """Study the LeNet, or load what was studied, and take the pictures of its page."""
    if len(sys.argv) > 1:
        study = unknot.Study.load(sys.argv[1])
    else:
        mnist = unknot.load_dataset("mnist")
        model = unknot.networks.lenet()
        unknot.train(model, mnist, epochs=10)
        study = unknot.study(model, mnist.test)
    study = replace(study, name="LeNet on MNIST")
    assert study.predictions is not None
    wrong = ",".join(map(str, np.flatnonzero(study.predictions != study.labels)))
    with tempfile.TemporaryDirectory() as folder:
        report = write_report(study, Path(folder) / "report.html")
        with chromium() as browser:
            for name, view, window, whole in VIEWS:
                fragment = view.format(wrong=wrong)
                page = Opened(browser, report, fragment, reduced_motion="reduce", **window)
                page.page.wait_for_timeout(1500)
                page.page.screenshot(path=IMAGES / f"gallery-{name}.png", full_page=whole)
                page.check()
                page.close()
                print(f"Wrote gallery-{name}.png")


if __name__ == "__main__":
    main()
