"""Which part of a data set is to learn from, and which is held out."""

import re
import warnings
from typing import Final

HELD_OUT: Final = ("test", "val", "valid", "validation", "dev", "eval", "evaluation")
"""What is kept apart is called so; where there are several, the first is the test split."""

_NAME = re.compile(
    r"(?P<train>train|training)|(?P<test>test|testing)|"
    rf"(?P<other>{'|'.join(HELD_OUT[1:])})",
)
_SUFFIX = re.compile(r"[-_ ]?(set|split|data|images)$")


def part_of(name: str) -> str | None:
    """Return "train", "test" or another name of a part that a folder's name stands for.

    Examples
    --------
    >>> part_of("Training_set"), part_of("VAL"), part_of("cats")
    ('train', 'val', None)
    """
    match = _NAME.fullmatch(_SUFFIX.sub("", name.lower()))
    if match is None:
        return None
    return "train" if match["train"] else "test" if match["test"] else match["other"]


def tell_left_out(source: str, taken: str, left: list[str]) -> None:
    """Warn of parts that are not taken."""
    if left:
        instead = f"; {taken} is the test split" if taken else ""
        warnings.warn(
            f"{source}: {', '.join(left)} is left out{instead}. To use it, load it on its own",
            stacklevel=2,
        )
