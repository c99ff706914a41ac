"""How results look in a terminal: tables for people, one JSON value for programs."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tooltune.messages import ABILITIES

if TYPE_CHECKING:
    from tooltune.data.validate import Validation

console = Console(highlight=False)
"""Standard output."""
log = Console(stderr=True, highlight=False)
"""Progress and notes, so that standard output stays what was asked for."""


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """First column to the left, the others to the right; None is shown as a dash."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=index == 0)
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    console.print(f"\n[bold]{title}[/bold]")
    console.print(table)


def print_counts(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Conversations by ability and split; `counts` maps a split to its abilities' numbers."""
    rows = [
        (ability, *(by_ability.get(ability, 0) for by_ability in counts.values()))
        for ability in ABILITIES
    ]
    total = ("all", *(sum(by_ability.values()) for by_ability in counts.values()))
    print_table("Conversations", ["ability", *counts], [*rows, total])


def print_synthesis(
    counts: Mapping[str, Mapping[str, int]],
    rejected: Mapping[str, int],
    left_out: Mapping[str, str] | Sequence[str],
) -> None:
    """What was written, then what was thrown away or left out, and why."""
    print_counts(counts)
    for reason, attempts in rejected.items():
        print(f"thrown away: {attempts} attempts, {reason}")
    for one in left_out.values() if isinstance(left_out, Mapping) else left_out:
        print(f"left out: {one}")


def print_validation(found: "Validation", *, most: int = 20) -> None:
    """The first `most` issues in full, then how many there are of each kind, then what is there."""
    for issue in found.issues[:most]:
        print(f"{issue.where}: {issue.message}. {issue.fix} [{issue.code}]")
    if len(found.issues) > most:
        print(f"... and {len(found.issues) - most} more issues (all of them with --json)")
    counts = found.counts
    if counts["issues"]:
        print_table("Issues", ["code", "number"], counts["issues"].items())
    print_table("Conversations", ["ability", "number"], counts["abilities"].items())
    print_table("Calls", ["tool", "number"], counts["calls_by_tool"].items())
    if tokens := counts.get("tokens"):
        rows = [(name, value) for name, value in tokens.items() if name != "histogram"]
        print_table("Tokens", ["of the sequences", "number"], rows)
    print(f"\n{counts['conversations']} conversations, {len(found.issues)} issues")


def print_evaluation(summary: Mapping[str, Any]) -> None:
    """Share done right per ability, base beside tuned, then what went wrong how often."""
    from tooltune.evaluate.summary import count_failures

    models = [name for name in ("base", "tuned") if name in summary["overall"]]
    groups = {**summary["abilities"], "all": summary["overall"]}
    groups["harmless refused (less is better)"] = summary["wrongly_refused"]
    rows = [
        (name, group["n"], *(_rate(group[model]) for model in models))
        for name, group in groups.items()
    ]
    print_table(
        "Done right on held-out cases, with 95 % intervals", ["ability", "n", *models], rows
    )
    failures = {model: count_failures(summary, model) for model in models}
    kinds = dict.fromkeys(kind for counts in failures.values() for kind in counts)
    if kinds:
        rows = [(kind, *(failures[model].get(kind, 0) for model in models)) for kind in kinds]
        print_table("What went wrong", ["failure", *models], rows)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per name on standard error while inside, fed with (name, done, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=log, disable=not log.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            bars.update(tasks[name], completed=done, total=total)

        yield show


def _rate(value: Mapping[str, Any]) -> str | None:
    """`97.5 % (91.3 to 99.3)`."""
    if value["rate"] is None:
        return None
    return f"{100 * value['rate']:.1f} % ({100 * value['low']:.1f} to {100 * value['high']:.1f})"
