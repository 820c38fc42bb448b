"""Data sets without download: MNIST from the package, digits from scikit-learn."""

import hashlib
import io
from importlib import resources

import numpy as np

from ._arrays import RawSplit, build_dataset
from ._dataset import Dataset, DatasetError, Split, stratified_indices

MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
DIGITS_TEST_SAMPLES = 360  # 20 % of the 1,797


def load_mnist() -> Dataset:
    """Load MNIST [LeCun1998], embedded in the package, after verifying its hash."""
    resource = resources.files(__package__) / "data" / "mnist.npz"
    content = resource.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != MNIST_SHA256:
        raise DatasetError(
            f"{resource} is not the MNIST that unknot was released with (SHA-256 {digest}, "
            f"expected {MNIST_SHA256}). Reinstall unknot"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        splits = [
            # One split at a time, so that only one raw array is in memory.
            build_dataset(
                "mnist",
                RawSplit(archive[f"x_{part}"], archive[f"y_{part}"], f"x_{part}", f"y_{part}"),
            ).train
            for part in ("train", "test")
        ]
    return Dataset("mnist", *splits)


def load_digits() -> Dataset:
    """Load scikit-learn's 8 × 8 digits, values 0..16 scaled to [0, 1].

    The test split is a stratified sample of 360 of the 1,797 images, drawn with seed 0;
    scikit-learn defines none.
    """
    from sklearn.datasets import load_digits as load

    bunch = load()
    inputs = (bunch.images[..., np.newaxis] / 16).astype(np.float32)
    both = Split(inputs, bunch.target.astype(np.int64), tuple("0123456789"))
    test = stratified_indices(both.labels, DIGITS_TEST_SAMPLES, random_state=0)
    train = np.setdiff1d(np.arange(len(both)), test)
    return Dataset("digits", both.take(train), both.take(test))


EMBEDDED = {"digits": load_digits, "mnist": load_mnist}
