"""The classes of labeled data: `Split`, and `Dataset` of a training and a test split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._sampling import draw_stratified
from .._typing import Array, Float32, Int64, Labels, Shaped
from .._validation.arrays import on_host
from .._validation.numbers import is_integer


class DatasetError(ValueError):
    """The data cannot be used; the message names the file or argument and a remedy.

    See Also
    --------
    load_dataset : Load labeled data.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Inputs with one label each.

    Attributes
    ----------
    inputs : ndarray of float32, shape (n_samples, ...)
        Images (n_samples, height, width, channels) with values in [0, 1], or vectors
        (n_samples, n_features).
    labels : ndarray of int64, shape (n_samples,)
        The class of each sample, in 0..C-1.
    class_names : tuple of str, length C
        The name of each class; by default the numbers ``"0"``, ``"1"``, ...
    order_known : bool
        Whether the classes are known to stand in the order of a model's outputs. They are not where
        labels are strings, which `load_dataset` sorts: then a study has no accuracy.

    Raises
    ------
    TypeError
        If inputs are not float32 or labels not int64; `load_dataset` converts other types.
    DatasetError
        If there is not one label per input, or a label has no class name.

    See Also
    --------
    Dataset : A training and a test split.
    load_dataset : Load labeled data.

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
    order_known: bool = True

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
        """The number of classes C, including those without samples in this split."""
        return len(self.class_names)

    def take(self, indices: Sequence[int] | Array) -> "Split":
        """Return the samples at these indices as a new split.

        Parameters
        ----------
        indices : array-like of int, or boolean mask of shape (n_samples,)
            The samples, in this order; indices may repeat.

        Returns
        -------
        Split
            With the same class names.

        Raises
        ------
        IndexError
            If an index is out of range.

        See Also
        --------
        sample : Draw a stratified random sample.

        Examples
        --------
        >>> import unknot
        >>> unknot.load_dataset("digits").test.take([0, 1, 2])
        Split(3 samples of 8 x 8 x 1, 10 classes)
        """
        rows = np.asarray(indices)
        return Split(self.inputs[rows], self.labels[rows], self.class_names, self.order_known)

    def sample(self, n: int, random_state: int | None = 0) -> "Split":
        """Draw a stratified random sample: classes keep their proportions.

        Parameters
        ----------
        n : int
            The number of samples, from the number of classes present to all samples. Every class
            present keeps at least one sample.
        random_state : int or None, default=0
            The seed; the same seed draws the same samples. None draws different ones each time.

        Returns
        -------
        Split
            The drawn samples, in their original order.

        Raises
        ------
        ValueError
            If `n` is out of range.

        See Also
        --------
        take : Select samples by index.

        Examples
        --------
        >>> import unknot
        >>> unknot.load_dataset("digits").test.sample(50)
        Split(50 samples of 8 x 8 x 1, 10 classes)
        """
        return self.take(stratified_indices(self.labels, n, random_state))


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labeled data: a training split and, if there is one, a test split.

    Attributes
    ----------
    name : str
        A name such as ``"mnist"``, or that of the file or folder.
    train : Split
        The training samples; all samples if the source has no test set.
    test : Split or None
        The test samples, of the same shape and classes.

    Raises
    ------
    DatasetError
        If there are fewer than two classes, or the splits differ in shape or class names.

    See Also
    --------
    load_dataset : Load labeled data.
    Split : Inputs with one label each.

    Examples
    --------
    >>> import unknot
    >>> digits = unknot.load_dataset("digits")
    >>> digits.n_classes, len(digits.train), len(digits.test)
    (10, 1437, 360)
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
        """The name of each class, 0..C-1."""
        return self.train.class_names

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        return self.train.n_classes


def stratified_indices(
    labels: Labels, n: int, random_state: int | None, name: str = "n"
) -> Int64[Array, " drawn"]:
    """Draw n sorted indices; classes keep their proportions, and at least one sample each."""
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not is_integer(n) or not len(classes) <= n <= len(labels):
        raise ValueError(
            f"{name} must be an integer from {len(classes)} (one of each class) to {len(labels)} "
            f"(all samples); got {n!r}"
        )
    return draw_stratified(codes, _proportional_counts(counts, int(n)), random_state)


def _proportional_counts(counts: Labels, n: int) -> Labels:
    """Distribute n in proportion to counts, at least 1 and at most count each.

    One each first, then the others by largest remainder over the remaining counts.
    """
    spare = counts - 1
    if n == len(counts):
        return np.ones_like(counts)
    exact = spare * ((n - len(counts)) / spare.sum())
    shares = np.floor(exact).astype(np.int64)
    missing = n - len(counts) - int(shares.sum())
    # Stable: ties go to the first classes.
    for code in np.argsort(shares - exact, kind="stable")[:missing]:
        shares[code] += 1
    result: Labels = shares + 1
    return result
