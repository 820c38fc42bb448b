"""Progress on a terminal: the current layer and stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..._console import supports_live_display
from ..._io.text import shown
from .stages import OnPlan, OnStage

# Columns that the spinner and the time take.
_BESIDE = 12


def plan_printer(progress: bool) -> Callable[[object], None]:
    """Return a function that prints a plan on a terminal."""
    from rich.console import Console

    console = Console(stderr=True)

    def show(plan: object) -> None:
        if progress and supports_live_display(console):
            console.print(shown(str(plan)), highlight=False, markup=False)

    return show


@contextmanager
def stage_callbacks(
    progress: bool, on_stage: OnStage | None, on_plan: OnPlan | None = None
) -> Iterator[tuple[Callable[[str, str], None], OnStage, OnPlan]]:
    """Yield the callbacks for the start and the end of a stage, and for a plan.

    What the caller's own callbacks print stands on lines of its own: the spinner is erased before.
    """
    from rich.console import Console

    console = Console(stderr=True)
    tell_plan = on_plan or plan_printer(progress)

    def done(layer: str, stage: str, seconds: float, reused: bool) -> None:
        if on_stage is not None:
            on_stage(layer, stage, seconds, reused)

    if not (progress and supports_live_display(console)):
        yield lambda layer, stage: None, done, tell_plan
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    running: list[tuple[str, str]] = []
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("")

        @contextmanager
        def erased() -> Iterator[None]:
            if console.is_jupyter:  # it shows output and widget apart
                yield
                return
            bar.stop()
            yield
            bar.start()

        def describe() -> None:
            bar.update(task, description=_running(running, console.width - _BESIDE))

        def start(layer: str, stage: str) -> None:
            running.append((layer, stage))
            describe()

        def done_alone(layer: str, stage: str, seconds: float, reused: bool) -> None:
            if (layer, stage) in running:
                running.remove((layer, stage))
            describe()
            if on_stage is not None:
                with erased():
                    on_stage(layer, stage, seconds, reused)

        def tell_plan_alone(plan: object) -> None:
            with erased():
                tell_plan(plan)

        yield start, done_alone, tell_plan_alone


def _running(stages: Sequence[tuple[str, str]], width: int) -> str:
    """Return the stages that run now, cut to a width."""
    text = shown("; ".join(f"{layer}: {stage}" for layer, stage in stages))
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
