"""That types and shapes are checked while the tests run, and what is not."""

import jaxtyping
import numpy as np
import pytest

from unknot._parallel.thread_team import ThreadTeam
from unknot.datasets._dataset import stratified_indices


def test_a_wrong_argument_is_an_error():
    labels = np.repeat([0, 1], 5)
    assert len(stratified_indices(labels, 4, 0)) == 4
    with pytest.raises(jaxtyping.TypeCheckError):
        stratified_indices(labels.astype(np.float32), 4, 0)
    with pytest.raises(jaxtyping.TypeCheckError):
        ThreadTeam("two")


def test_only_what_is_defined_once_is_wrapped():
    def inner(number: int) -> int:
        return number

    assert jaxtyping.jaxtyped(typechecker=None)(inner) is inner
    assert hasattr(stratified_indices, "__wrapped__")
