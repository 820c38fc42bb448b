"""The output of a running fit: verbose lines, a progress bar, and the callback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._typing import Array
from ._descent import Report

Callback = Callable[[int, float, Array], Any]


class Watcher:
    """Passes each report of the descent to the output, its map in the order of the samples."""

    def __init__(
        self,
        verbose: int,
        callback: Callback | None,
        in_order: Callable[[Array], Array],
        bar: Any,
        planned: int,
    ) -> None:
        self._verbose = verbose
        self._callback = callback
        self._in_order = in_order
        self._bar = bar
        self._task = bar.add_task("t-SNE", total=planned, kl="") if bar is not None else None
        self._iteration = 0
        self._since = time.perf_counter()
        self.stopped = False

    def __call__(self, report: Report) -> bool:
        """Output a report; return whether the callback requests a stop."""
        now = time.perf_counter()
        if self._verbose:
            say(
                f"Iteration {report.iteration}: KL divergence = {report.kl_divergence:.4f}, "
                f"gradient norm = {report.gradient_norm:.3g} "
                f"({report.iteration - self._iteration} iterations in {now - self._since:.3f} s)"
            )
        self._iteration, self._since = report.iteration, now
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, completed=report.iteration, kl=f"KL {report.kl_divergence:.4f}"
            )
        if self._callback is not None:
            answer = self._callback(
                report.iteration, report.kl_divergence, self._in_order(report.map_)
            )
            self.stopped = _is_true(answer)
        return self.stopped

    def finish(self, report: Report) -> None:
        """Fill the bar, also after fewer iterations than planned."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=report.iteration, completed=report.iteration)


def _is_true(answer: Any) -> bool:
    """Return the truth value of a callback's result."""
    try:
        if getattr(answer, "ndim", 0) == 0:
            return bool(answer)
        error = None
    except (TypeError, ValueError, RuntimeError) as raised:
        error = raised
    raise TypeError(
        "callback must return True to stop, or False or None to continue; got "
        f"{type(answer).__name__}, whose truth value is ambiguous. Reduce it, for example by .any()"
    ) from error


def say(line: str) -> None:
    """Print a line of a verbose fit."""
    print(f"[t-SNE] {line}", flush=True)


@contextmanager
def progress_bar(shown: bool) -> Iterator[Any]:
    """Show a progress bar of Rich while the block runs, if ``shown``; else yield None."""
    if not shown:
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[kl]}"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    ) as bar:
        try:
            yield bar
        except BaseException:
            # A bar left on the screen would look like a running fit.
            for task in bar.task_ids:
                bar.update(task, visible=False)
            raise
