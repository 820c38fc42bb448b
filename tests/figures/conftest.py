import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA


@pytest.fixture(scope="session")
def digits():
    """A PCA map of real images with overlapping classes, and their labels."""
    data, labels = load_digits(return_X_y=True)
    map_ = PCA(2, svd_solver="full").fit_transform(data)
    # The sign of a principal component depends on the linear algebra library.
    map_ *= np.sign(map_[np.abs(map_).argmax(axis=0), [0, 1]])
    return map_.astype(np.float32), labels.astype(np.int64)


@pytest.fixture(scope="session")
def histories():
    """Three synthetic training histories of different lengths."""

    def history(n, start, end, best):
        epochs = np.arange(1, n + 1)
        fall = epochs**-1.5
        loss = end + (start - end) * fall
        val_loss = end * 1.3 + (start - end) * fall
        return {
            "epoch": epochs.tolist(),
            "loss": loss.tolist(),
            "accuracy": (1 - (1 - best) * loss / end).tolist(),
            "val_loss": val_loss.tolist(),
            "val_accuracy": (1 - (1 - best) * val_loss / end).tolist(),
            "seconds": [0.5] * n,
        }

    return {
        "Logistic regression": history(20, 0.6, 0.25, 0.93),
        "Perceptron": history(100, 0.8, 0.05, 0.98),
        "LeNet": history(10, 0.5, 0.03, 0.995),
    }


@pytest.fixture(scope="session")
def mistakes():
    """Twelve synthetic images, five of them misclassified."""
    rng = np.random.default_rng(0)
    images = (rng.random((12, 8, 8)) > 0.7) * rng.random((12, 8, 8))
    labels = np.arange(12) % 3
    predictions = labels.copy()
    predictions[[1, 4, 5, 8, 10]] = [2, 0, 1, 0, 0]
    probabilities = np.full((12, 3), 0.1)
    confidence = np.linspace(0.4, 0.9999, 12)
    probabilities[np.arange(12), predictions] = confidence
    return images, labels, predictions, probabilities
