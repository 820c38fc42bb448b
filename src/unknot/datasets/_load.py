"""Load labeled data from any source."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .._io.text import did_you_mean
from ._arrays import RawSplit, build_dataset, check_class_names
from ._dataset import Dataset, DatasetError
from ._embedded import EMBEDDED
from ._idx import is_idx_folder, is_idx_name, load_idx_folder
from ._images import load_image_folder
from ._npz import find_pairs, load_npz


def load_dataset(
    source: object,
    *,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
    subset: str | None = None,
    transpose: bool | None = None,
    image_size: tuple[int, int] | None = None,
) -> Dataset:
    """Load labeled data from a name, a file, a folder or arrays.

    Parameters
    ----------
    source : str, path, mapping or tuple
        One of:

        - ``"mnist"``: the 60,000 training and 10,000 test images of [LeCun1998], embedded in the
          package.
        - ``"digits"``: scikit-learn's 1,797 images of 8 × 8 pixels; the test split is a
          stratified sample of 360, drawn with seed 0.
        - a folder of IDX files, plain or gzip, under their published names
          (``train-images-idx3-ubyte.gz``, ``t10k-labels-idx1-ubyte``,
          ``emnist-letters-test-images-idx3-ubyte.gz``, ...). EMNIST's mapping file, if present,
          provides the class names.
        - an ``.npz`` file with the keys ``x_train`` and ``y_train`` (and ``x_test`` and
          ``y_test``, or ``x_val`` and ``y_val``), ``inputs`` and ``labels``, or ``x`` and ``y``.
          Pickled objects are refused.
        - a folder of images with one sub-folder per class, optionally under ``train/`` and
          ``test/`` (or ``val/``, ``valid/``, ``validation/``, ``dev/``, ``eval/``; case is
          ignored). There is one channel if all images are gray, else three; transparent pixels
          get a white background.
        - arrays in memory: ``(inputs, labels)``, ``((x_train, y_train), (x_test, y_test))``, or a
          mapping with the keys of an ``.npz`` file.

        If there are both a test and a validation part, the test part becomes the test split. Names
        take precedence over paths: load a folder named mnist as ``"./mnist"``.
    name : str, optional
        The name of the data set. By default that of the source, the file or the folder, or
        ``"arrays"``.
    class_names : sequence of str, optional
        One for each of the sorted distinct labels; by default the labels themselves. Pass them if
        labels are numbers, so that figures and tables show names.
    subset : str, optional
        The subset of an IDX folder that holds several, by the prefix of its files, such as
        ``"emnist-letters"`` or ``"letters"``.
    transpose : bool, optional
        Whether to swap the rows and columns of IDX images. By default only for files whose name
        begins with ``emnist``, which are published transposed.
    image_size : (int, int), optional
        Resize the images of a folder to this height and width in pixels. Required if they differ
        in size.

    Returns
    -------
    Dataset
        Float32 inputs and labels 0..C-1. Unsigned 8- and 16-bit integers are divided by their
        maximum (255 or 65,535), so that pixels are in [0, 1]; floats are kept as they are. Other
        integers raise an error: their type does not say what the values mean. Arrays (n_samples,
        height, width) are gray images and get a channel axis.

    Raises
    ------
    DatasetError
        If the source is not found, or its content cannot be used; the message names the file or
        argument and a remedy.

    Warns
    -----
    UserWarning
        If a part of the source is left out.

    See Also
    --------
    Dataset : The result: a training and a test split.
    unknot.train : Train a model on a data set.
    unknot.study : Study a model on a data set.

    Examples
    --------
    >>> import unknot
    >>> unknot.load_dataset("digits")
    Dataset('digits', train=Split(1437 samples of 8 x 8 x 1, 10 classes),
            test=Split(360 samples of 8 x 8 x 1, 10 classes))

    >>> import numpy as np
    >>> data = unknot.load_dataset((np.zeros((4, 28, 28), np.uint8), ["cat", "dog", "dog", "cat"]))
    >>> data.train.inputs.shape, data.class_names
    ((4, 28, 28, 1), ('cat', 'dog'))
    """
    if isinstance(source, str) and source in EMBEDDED:
        _refuse_options("an embedded data set", subset, transpose, image_size)
        return _renamed(EMBEDDED[source](), name, class_names)
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        try:
            found = path.exists()
        except (OSError, ValueError) as error:  # too long, or with a null character
            raise DatasetError(f"{str(path)[:200]!r} cannot be a path ({error})") from error
        if path.is_dir() and is_idx_folder(path):
            _refuse_options("a folder of IDX files", image_size=image_size)
            dataset = load_idx_folder(
                path, subset=subset, transpose=transpose, class_names=class_names
            )
        elif path.is_dir():
            _refuse_options("a folder of images", subset, transpose)
            dataset = load_image_folder(path, image_size=image_size, class_names=class_names)
        elif found:
            if is_idx_name(path.name):
                raise DatasetError(
                    f"{path} is one IDX file of several; give the folder that holds the images "
                    f"and the labels: {str(path.parent)!r}"
                )
            _refuse_options("a file", subset, transpose, image_size)
            dataset = load_npz(path, class_names=class_names)
        else:
            raise _not_found(os.fspath(source))
        return _renamed(dataset, name)
    _refuse_options("arrays in memory", subset, transpose, image_size)
    return build_dataset(name or "arrays", *_from_memory(source), class_names=class_names)


def _from_memory(source: object) -> list[RawSplit]:
    if isinstance(source, Mapping):
        pairs = find_pairs(list(source), "the mapping")
        return [RawSplit(source[x], source[y], x, y) for x, y in pairs]
    if isinstance(source, tuple | list) and len(source) == 2:
        # Only tuples are pairs: a list of length 2 is two samples.
        if all(isinstance(pair, tuple) and len(pair) == 2 for pair in source):
            (x_train, y_train), (x_test, y_test) = source
            return [
                RawSplit(x_train, y_train, "x_train", "y_train"),
                RawSplit(x_test, y_test, "x_test", "y_test"),
            ]
        inputs, labels = source
        return [RawSplit(inputs, labels, "inputs", "labels")]
    raise DatasetError(
        "source must be a name, a path, (inputs, labels), ((x_train, y_train), (x_test, y_test)) "
        f"or a mapping; got {_described(source)}"
    )


def _described(source: object) -> str:
    kind = type(source).__name__
    if isinstance(source, tuple | list):
        return f"a {kind} of {len(source)}"
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind}, without labels" if hasattr(source, "shape") else f"{article} {kind}"


def _renamed(
    dataset: Dataset, name: str | None, class_names: Sequence[str] | None = None
) -> Dataset:
    train, test = dataset.train, dataset.test
    if class_names is not None:
        names = check_class_names(class_names, dataset.class_names)
        train = replace(train, class_names=names)
        test = test and replace(test, class_names=names)
    return Dataset(name or dataset.name, train, test)


def _refuse_options(
    kind: str,
    subset: str | None = None,
    transpose: bool | None = None,
    image_size: tuple[int, int] | None = None,
) -> None:
    """Raise an error for options that would be silently ignored."""
    options = {"subset": subset, "transpose": transpose, "image_size": image_size}
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise DatasetError(f"{' and '.join(given)} cannot be used with {kind}; leave it out")


def _not_found(source: str) -> DatasetError:
    hint = did_you_mean(source, EMBEDDED)
    return DatasetError(
        f"no data set and no file or folder is called {source!r}{hint or '.'} "
        f"The names are {' and '.join(map(repr, EMBEDDED))}"
    )
