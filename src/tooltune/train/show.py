"""What a person sees of a run: a progress bar, and the recipe's line above it now and then."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


@contextmanager
def progress_bar(console: Console, total: int, done: int) -> Iterator[Any]:
    """A progress bar, and the recipe's line above it for each logged step."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("train", total=total, completed=done, rate="")

        def show(row: dict[str, Any]) -> None:
            rate = f"{row['tokens_per_second']:.0f} tokens/s"
            bar.update(task, completed=row["step"], rate=rate)
            if row["step"] % 10 == 0 or "validation_loss" in row or row["step"] == total:
                bar.console.print(step_line(row, total))

        yield show


def step_line(row: dict[str, Any], total: int) -> str:
    """`Step 10/245: loss=2.847, learning_rate=2.0e-05`, and what validation found."""
    line = f"Step {row['step']}/{total}: loss={row['loss']:.3f}"
    line += f", learning_rate={row['learning_rate']:.1e}"
    if "validation_loss" in row:
        line += f", validation_loss={row['validation_loss']:.3f}"
        if row["validation_accuracy"] is not None:
            line += f", validation_accuracy={row['validation_accuracy']:.3f}"
        if row["validation_abstention_accuracy"] is not None:
            line += f", validation_abstention_accuracy={row['validation_abstention_accuracy']:.3f}"
    return line
