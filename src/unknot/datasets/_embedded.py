"""The data sets that need no download: MNIST in the package, digits in scikit-learn."""

import hashlib
import io
from importlib import resources

import numpy as np

from ._arrays import RawSplit, build_dataset
from ._dataset import Dataset, DatasetError, Split, stratified_indices

MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
DIGITS_TEST_SAMPLES = 360  # 20 % of the 1,797


def load_mnist() -> Dataset:
    """Load the MNIST database [LeCun1998], embedded in the package, after checking its hash."""
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
            # One array at a time: the bytes of one are dropped before the next is unpacked.
            build_dataset(
                "mnist",
                RawSplit(archive[f"x_{part}"], archive[f"y_{part}"], f"x_{part}", f"y_{part}"),
            ).train
            for part in ("train", "test")
        ]
    return Dataset("mnist", *splits)


def load_digits() -> Dataset:
    """Load scikit-learn's 8 × 8 digits, values 0..16 scaled to [0, 1].

    360 of the 1,797 images, stratified and drawn with seed 0, are the test split; scikit-learn
    has no split of its own.
    """
    from sklearn.datasets import load_digits as load

    bunch = load()
    inputs = (bunch.images[..., np.newaxis] / 16).astype(np.float32)
    both = Split(inputs, bunch.target.astype(np.int64), tuple("0123456789"))
    test = stratified_indices(both.labels, DIGITS_TEST_SAMPLES, random_state=0)
    train = np.setdiff1d(np.arange(len(both)), test)
    return Dataset("digits", both.take(train), both.take(test))


EMBEDDED = {"digits": load_digits, "mnist": load_mnist}
