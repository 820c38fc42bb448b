"""Recognize the training and held-out parts of a data set by their names."""

import re
import warnings
from typing import Final

HELD_OUT: Final = ("test", "val", "valid", "validation", "dev", "eval", "evaluation")
"""Names of held-out parts; of several, the first in this order is the test split."""

_NAME = re.compile(
    r"(?P<train>train|training)|(?P<test>test|testing)|"
    rf"(?P<other>{'|'.join(HELD_OUT[1:])})",
)
_SUFFIX = re.compile(r"[-_ ]?(set|split|data|images)$")


def part_of(name: str) -> str | None:
    """Return the part, such as "train" or "test", that a folder's name stands for, or None.

    Examples
    --------
    >>> part_of("Training_set"), part_of("VAL"), part_of("cats")
    ('train', 'val', None)
    """
    match = _NAME.fullmatch(_SUFFIX.sub("", name.lower()))
    if match is None:
        return None
    return "train" if match["train"] else "test" if match["test"] else match["other"]


def warn_left_out(source: str, taken: str, left: list[str]) -> None:
    """Warn about parts that are not loaded."""
    if left:
        instead = f"; {taken} is the test split" if taken else ""
        warnings.warn(
            f"{source}: {', '.join(left)} is left out{instead}. To use it, load it on its own",
            stacklevel=2,
        )
