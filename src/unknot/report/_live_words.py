"""What is said of a live page, in words."""

from typing import Final

from ..studies import LiveState

# A larger payload was not written by a recorder.
MOST_BYTES: Final = 2**29


def words_of(state: LiveState) -> str:
    """Say how a live page stands, in one line."""
    shown = f"epoch {state.epochs[-1]}" if state.epochs else "no epoch yet"
    waiting = [epoch for epoch in state.captured if epoch not in state.epochs]
    if state.status == "finished":
        parts = [shown, "the training has ended"]
    elif state.status == "stopped":
        parts = [shown, "the training stopped without an end"]
    else:
        parts = [shown, "recording"]
        if waiting:
            several = f"epochs {waiting[0]} to {waiting[-1]}"
            parts.append(f"working on {several if len(waiting) > 1 else f'epoch {waiting[0]}'}")
    if state.message:
        parts.append(f"not up to date: {state.message}")
    return " · ".join(parts)
