"""That types and shapes are checked while the tests run, and what is not."""

import inspect
from typing import TYPE_CHECKING

import jaxtyping
import numpy as np
import pytest

from checker import check
from unknot._parallel.thread_team import ThreadTeam, abandoned_when
from unknot._typing import Labels
from unknot.datasets._dataset import stratified_indices

if TYPE_CHECKING:
    from elsewhere import Nowhere


def test_a_wrong_argument_is_an_error():
    labels = np.repeat([0, 1], 5)
    assert len(stratified_indices(labels, 4, 0)) == 4
    with pytest.raises(jaxtyping.TypeCheckError):
        stratified_indices(labels.astype(np.float32), 4, 0)
    with pytest.raises(jaxtyping.TypeCheckError):
        ThreadTeam("two")


def test_what_yields_is_checked_when_it_is_called():
    with pytest.raises(jaxtyping.TypeCheckError), abandoned_when("never"):
        pass


# As functions of the package, which are not inside another.


def shaped(one: Labels, other: "Labels | None" = None) -> "Labels":
    return one


def unshaped(number: int, other: "Nowhere", *, scale: float = 1.0) -> "int":
    return str(number) if number == 0 else number


def yielding(number: int) -> "Nowhere":
    yield number


def wrapped(function):
    return jaxtyping.jaxtyped(function, typechecker=check)


def test_shapes_are_compared_within_a_call():
    checked = wrapped(shaped)
    assert checked(np.arange(3), np.arange(3)) is not None
    with pytest.raises(jaxtyping.TypeCheckError):
        checked(np.arange(3), np.arange(4))


def test_types_without_a_shape_are_checked_and_the_written_ones_stay():
    checked = wrapped(unshaped)
    assert checked(2, object(), scale=3) == 2  # what only type checkers import is anything
    for arguments, options in ((("2", 0), {}), ((2, 0), {"scale": "3"}), ((0, 0), {})):
        with pytest.raises(jaxtyping.TypeCheckError):
            checked(*arguments, **options)
    assert inspect.signature(checked) == inspect.signature(unshaped)
    assert checked.__annotations__ == unshaped.__annotations__
    assert list(wrapped(yielding)(1)) == [1]
    with pytest.raises(jaxtyping.TypeCheckError):
        list(wrapped(yielding)("1"))


def test_only_what_is_defined_once_is_wrapped():
    def inner(number: int) -> int:
        return number

    assert jaxtyping.jaxtyped(typechecker=None)(inner) is inner
    assert hasattr(stratified_indices, "__wrapped__")
