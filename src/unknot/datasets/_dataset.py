"""What every source of data becomes: inputs and labels, for training and for testing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._sampling import draw_stratified
from .._typing import Array, Float32, Int64, Labels, Shaped
from .._validation.arrays import on_host


class DatasetError(ValueError):
    """The data cannot be used; the message names the file or argument and says what to do."""


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Inputs with one label each.

    Attributes
    ----------
    inputs : ndarray of float32, (n_samples, ...)
        Images have the shape (n_samples, height, width, channels) and values in [0, 1]; vectors
        (n_samples, n_features).
    labels : ndarray of int64, (n_samples,)
        The class of each sample, in 0..C-1.
    class_names : tuple of str, (C,)
        The name of each class; the numbers ``"0"``, ``"1"``, ... where none are given.

    Raises
    ------
    TypeError
        If inputs are not float32 or labels not int64; `load_dataset` converts other types.
    DatasetError
        If there is not one label for each input, or a label has no class name.

    Examples
    --------
    >>> import numpy as np
    >>> split = Split(np.zeros((3, 2), np.float32), np.array([0, 1, 1]), ("cat", "dog"))
    >>> len(split), split.n_classes
    (3, 2)
    """

    inputs: Float32[Array, "samples ..."]
    labels: Shaped[Array, "..."]
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        on_host(self.inputs, "inputs")
        on_host(self.labels, "labels")
        if self.inputs.dtype != np.float32 or self.labels.dtype != np.int64:
            raise TypeError(
                "a Split holds float32 inputs and int64 labels; "
                f"got {self.inputs.dtype} and {self.labels.dtype}. "
                "Use unknot.load_dataset((inputs, labels)), which converts them"
            )
        if self.labels.shape != self.inputs.shape[:1]:
            raise DatasetError(
                f"labels must hold one label for each of the {len(self.inputs)} inputs; "
                f"got the shape {self.labels.shape}"
            )
        if not len(self.labels):
            raise DatasetError("a Split needs at least one sample; got none")
        top = int(self.labels.max())
        if not self.class_names:
            object.__setattr__(self, "class_names", tuple(str(i) for i in range(top + 1)))
        if self.labels.min() < 0 or top >= self.n_classes:
            raise DatasetError(
                f"labels must be in 0..{self.n_classes - 1}, as there are {self.n_classes} class "
                f"names; got {int(self.labels.min())}..{top}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = " x ".join(str(size) for size in self.inputs.shape[1:]) or "scalar"
        return f"Split({len(self)} samples of {shape}, {self.n_classes} classes)"

    @property
    def n_classes(self) -> int:
        """The number of classes C, whether or not each has a sample here."""
        return len(self.class_names)

    def take(self, indices: Sequence[int] | Array) -> "Split":
        """Return the samples at these indices, in their order, as a new split.

        Parameters
        ----------
        indices : array-like of int (n_chosen,), or of bool (n_samples,)
            Which samples; one may come several times.

        Raises
        ------
        IndexError
            If there is no sample at an index.
        """
        chosen = np.asarray(indices)
        return Split(self.inputs[chosen], self.labels[chosen], self.class_names)

    def sample(self, n: int, random_state: int | None = 0) -> "Split":
        """Draw samples at random, each class in the proportion it has here.

        Parameters
        ----------
        n : int
            How many samples, from one of each class present to all of them. No class present is
            lost.
        random_state : int or None, default 0
            The seed; the same seed draws the same samples. None draws anew each time.

        Returns
        -------
        Split
            In the order they have here.

        Raises
        ------
        ValueError
            If ``n`` is out of range.

        Examples
        --------
        >>> import unknot
        >>> unknot.load_dataset("digits").test.sample(50)
        Split(50 samples of 8 x 8 x 1, 10 classes)
        """
        return self.take(stratified_indices(self.labels, n, random_state))


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labeled data with a name: a training split and, where there is one, a test split.

    Attributes
    ----------
    name : str
        Such as ``"mnist"``, or the name of the file or folder it came from.
    train : Split
        The samples to learn from; all of them where the source has no test set.
    test : Split or None
        The samples kept apart, of the same shape and classes.

    Raises
    ------
    DatasetError
        If there are fewer than two classes, or the test split is of another shape or has other
        class names.
    """

    name: str
    train: Split
    test: Split | None = None

    def __post_init__(self) -> None:
        if len(np.unique(self.train.labels)) < 2:
            only = self.class_names[int(self.train.labels[0])]
            raise DatasetError(
                f"{self.name}: every training sample is of one class, {only!r}; "
                "separation needs at least two classes"
            )
        if self.test is None:
            return
        if self.test.inputs.shape[1:] != self.train.inputs.shape[1:]:
            raise DatasetError(
                f"{self.name}: training inputs have the shape {self.train.inputs.shape[1:]} "
                f"and test inputs {self.test.inputs.shape[1:]}; they must be the same"
            )
        if self.test.class_names != self.train.class_names:
            raise DatasetError(
                f"{self.name}: the training and test splits have different class names: "
                f"{self.train.class_names} and {self.test.class_names}"
            )

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, train={self.train!r}, test={self.test!r})"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class 0..C-1."""
        return self.train.class_names

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        return self.train.n_classes


def stratified_indices(labels: Labels, n: int, random_state: int | None) -> Int64[Array, " drawn"]:
    """Draw the indices of n samples, sorted, each class in its proportion and at least once."""
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not isinstance(n, int | np.integer) or not len(classes) <= n <= len(labels):
        raise ValueError(
            f"n must be an integer from {len(classes)} (one of each class) to {len(labels)} "
            f"(all samples); got {n!r}"
        )
    return draw_stratified(codes, _proportional_counts(counts, int(n)), random_state)


def _proportional_counts(counts: Labels, n: int) -> Labels:
    """Share n out in proportion to counts, at least 1 and at most count each.

    One each first, then the rest by largest remainder over what is left of each class.
    """
    spare = counts - 1
    if n == len(counts):
        return np.ones_like(counts)
    exact = spare * ((n - len(counts)) / spare.sum())
    shares = np.floor(exact).astype(np.int64)
    short = n - len(counts) - int(shares.sum())
    # Stable, so that equal remainders go to the classes in their order.
    for code in np.argsort(shares - exact, kind="stable")[:short]:
        shares[code] += 1
    result: Labels = shares + 1
    return result
