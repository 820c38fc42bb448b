"""The progress display of a training."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from .._console import supports_live_display
from .._io.text import shown as shown_text

_BAR = 12  # characters
SECONDS_BETWEEN_LINES = 10.0  # if the output is not a terminal


class TrainingProgress:
    """A bar over the epochs, or a line every few seconds if the output is not a terminal."""

    def __init__(self, name: str, epochs: int, done: int, *, shown: bool) -> None:
        self.console = Console(stderr=True, quiet=not shown)
        self.live = supports_live_display(self.console)
        self.name = shown_text(name)
        self.epochs = epochs
        self.done = done
        self.printed_at = time.perf_counter()
        # Name, bar, count of epochs and time left, with the gaps between them.
        used = len(self.name) + _BAR + len(f"epoch {epochs}/{epochs}") + len("0:00:00") + 5
        self.width = self.console.width - used
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=_BAR),
            TextColumn("epoch"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (shown and self.live),
        )
        self.task = self.bar.add_task(self.name, total=epochs, completed=done, numbers="")

    def __enter__(self) -> "TrainingProgress":
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def within(self, epoch: int, share: float) -> None:
        """Advance the bar within an epoch."""
        self.bar.update(self.task, completed=epoch - 1 + share)

    def finished(self, epoch: int, row: dict[str, float]) -> None:
        """Show the metrics of a completed epoch."""
        shown = [
            f"{shown_text(name)} {row[name]:.4f}"
            for name in row
            if name not in ("epoch", "seconds")
        ]
        validated = [each for each in shown if each.startswith("val_")]
        seconds = f"{row['seconds']:.2f} s/epoch"
        # On a narrow terminal, the validation metrics first.
        best = validated or shown
        choices = ["  ".join(each) for each in ([*shown, seconds], shown, best, best[-1:])]
        numbers = choices[0]
        fitting = next((each for each in choices if len(each) <= self.width), "")
        self.bar.update(self.task, completed=epoch, numbers=fitting)
        now = time.perf_counter()
        if not self.live and (
            epoch in (self.done + 1, self.epochs) or now - self.printed_at > SECONDS_BETWEEN_LINES
        ):
            self.printed_at = now
            left = row["seconds"] * (self.epochs - epoch)
            remaining = f"  about {left:.0f} s left" if epoch < self.epochs else ""
            self.console.print(
                f"{self.name}: epoch {epoch}/{self.epochs}  {numbers}{remaining}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def interrupted(self, epoch: int) -> None:
        """Report the state after Ctrl-C."""
        self.console.print(
            f"Interrupted: {self.name} is as it was after epoch {epoch} of {self.epochs}.",
            highlight=False,
            markup=False,
        )
