"""The model of the control: one that the user gives or builds, or a copy with fresh weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...representations import Adapter, Fresh


def check_untrained(untrained: Any) -> None:
    """Raise an error for what is neither a choice, nor a model, nor a function that builds one.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if isinstance(untrained, bool) or callable(untrained) or _accepted(untrained) is not None:
        return
    raise TypeError(
        "untrained must be True, False, a model with fresh weights, or a function that builds one; "
        f"got {type(untrained).__name__}"
    )


def is_given(untrained: Any) -> bool:
    """Whether the user gives or builds the control."""
    return not isinstance(untrained, bool)


def given_control(adapter: Adapter, untrained: Any, inputs: Any) -> tuple[Adapter, str, str]:
    """Return the adapter of the user's control, how it was made, and its fingerprint.

    Raises
    ------
    TypeError
        If what the function returns is no model.
    ValueError
        If it is the trained model, or does not take the inputs.
    """
    from ...representations import find_adapter

    found, how = _accepted(untrained), "the model that was given"
    if found is None:
        name = getattr(untrained, "__name__", type(untrained).__name__)
        how = f"the model that {name} returned"
        try:
            found = find_adapter(untrained())
        except TypeError as error:
            raise TypeError(
                f"untrained: {name} must be called without arguments and return a model ({error})"
            ) from error
    found.forward = adapter.forward
    fingerprint = found.fingerprint(inputs)
    if found.model is adapter.model or fingerprint == adapter.fingerprint(inputs):
        raise ValueError(
            "untrained: this is the trained model itself, the same weights and values; pass one "
            "with fresh weights"
        )
    return found, how, fingerprint


def fresh_control(adapter: Adapter, random_state: int) -> tuple[Adapter, Fresh]:
    """Return the adapter of a copy with fresh weights, and how these were drawn.

    Raises
    ------
    ValueError
        If they cannot be drawn.
    """
    from ...representations import find_adapter

    fresh = adapter.untrained(random_state)
    found = find_adapter(fresh.model)
    found.forward = adapter.forward
    return found, fresh


def _accepted(untrained: Any) -> Adapter | None:
    """Return the adapter of what is a model itself; None for anything else."""
    from ...representations import find_adapter

    try:
        return find_adapter(untrained)
    except TypeError:
        return None
