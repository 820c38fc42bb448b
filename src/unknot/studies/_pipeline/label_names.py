"""The names of classes, and whether they stand in the order of a model's outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..._io.text import did_you_mean
from ..._typing import Array
from .labeling import Labeling

# Greater numbers are taken as names of classes, not as places among a model's outputs.
MOST_CLASSES: Final = 10_000

ClassNames = Sequence[str] | Mapping[Any, str]


def plain(value: Any) -> Any:
    """Return a key as labels are compared: an integer for a string of one, as in JSON."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str) and value.lstrip("-").isdecimal() and str(int(value)) == value:
        return int(value)
    return value


def checked_names(class_names: Any) -> tuple[str, ...]:
    if isinstance(class_names, str | bytes) or not isinstance(class_names, Iterable):
        raise ValueError(
            "class_names must be a sequence of names, in the order of the model's outputs; "
            f"got {class_names!r}"
        )
    names = tuple(str(each) for each in class_names)
    repeated = (
        sorted({each for each in names if names.count(each) > 1}) if len(names) < 5000 else []
    )
    if not names or repeated:
        raise ValueError(
            f"class_names must be distinct names, at least one; got {repeated[0]!r} twice"
            if repeated
            else "class_names must be distinct names, at least one; got none"
        )
    return names


def named_classes(
    own: Array, classes: Array, class_names: ClassNames | None, ordered: bool, name: str
) -> Labeling:
    """Return the classes of labeled samples, numbered in their order if it is known."""
    listed = classes.tolist()
    numbers = [plain(value) for value in listed]
    are_numbers = all(type(number) is int for number in numbers) and not ordered
    if isinstance(class_names, Mapping):
        return _by_mapping(own, listed, numbers, class_names, name)
    if class_names is not None:
        return _by_names(own, listed, numbers if are_numbers else None, class_names, name)
    if ordered:
        return Labeling(own, tuple(listed), order_known=True, named=True)
    if classes.dtype.kind == "b":
        # False and True are 0 and 1, whichever of them occurs.
        return Labeling(
            classes[own].astype(np.int64), ("False", "True"), order_known=True, named=True
        )
    if are_numbers and min(numbers) >= 0 and max(numbers) < MOST_CLASSES:
        # Labels number the model's outputs: numbers without a sample are classes as well.
        names = tuple(str(i) for i in range(max(numbers) + 1))
        codes = np.array(numbers, dtype=np.int64)[own]
        return Labeling(codes, names, order_known=True, named=False)
    return Labeling(own.astype(np.int64), tuple(map(str, listed)), order_known=False, named=True)


def _by_names(
    own: Array,
    listed: list[Any],
    numbers: list[int] | None,
    names: Sequence[str],
    name: str,
) -> Labeling:
    """Give labels the names of a list: by name, by number, or one after the other."""
    names = tuple(names)
    notes: tuple[str, ...] = ()
    texts = [str(value) for value in listed]
    if all(text in names for text in texts):
        codes = [names.index(text) for text in texts]
    elif isinstance(listed[0], bool):
        if len(names) != 2:
            raise ValueError(f"class_names must name False and True; got {len(names)} names")
        codes = [int(value) for value in listed]
    elif numbers is not None and min(numbers) >= 0 and max(numbers) < len(names):
        codes = numbers
    elif numbers is not None and len(numbers) == len(names):
        codes = list(range(len(names)))
        pairs = ", ".join(f"{a}: {b}" for a, b in list(zip(numbers, names, strict=True))[:5])
        notes = (
            f"class_names are taken in the order of the labels ({pairs}"
            f"{', ...' * (len(names) > 5)})",
        )
    elif numbers is not None:
        raise ValueError(
            f"class_names must name the labels 0..{len(names) - 1}, or each of the {len(numbers)} "
            f"labels in {name}, from {min(numbers)} to {max(numbers)}; got {len(names)} names. "
            "A dict names each: class_names={3: 'cat', ...}"
        )
    else:
        unknown = [text for text in texts if text not in names]
        raise ValueError(
            f"class_names must hold every label; {name} has {len(unknown)} others, such as "
            f"{unknown[0]!r}{did_you_mean(unknown[0], names)}"
        )
    return Labeling(
        np.array(codes, dtype=np.int64)[own], names, order_known=True, named=True, notes=notes
    )


def _by_mapping(
    own: Array,
    listed: list[Any],
    numbers: list[Any],
    class_names: Mapping[Any, str],
    name: str,
) -> Labeling:
    """Give labels the names of a mapping: of numbers in their order, of others in its own."""
    keys = list(class_names)
    if all(type(key) is int for key in keys):
        keys = sorted(keys)
    names = checked_names([class_names[key] for key in keys])
    if all(str(value) in names for value in listed) and not all(key in keys for key in numbers):
        codes = [names.index(str(value)) for value in listed]  # id2label, of labels that are names
    else:
        unknown = [value for value in numbers if value not in keys]
        if unknown:
            raise ValueError(
                f"class_names must name every label; {name} has {len(unknown)} others, such as "
                f"{unknown[0]!r}{did_you_mean(str(unknown[0]), map(str, keys))}"
            )
        codes = [keys.index(value) for value in numbers]
    return Labeling(np.array(codes, dtype=np.int64)[own], names, order_known=True, named=True)
