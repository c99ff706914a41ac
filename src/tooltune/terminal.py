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
from rich.text import Text

from tooltune.messages import ABILITIES

if TYPE_CHECKING:
    from tooltune.data.validate import Validation
    from tooltune.diagnose.finding import Finding
    from tooltune.verify.recheck import Verification

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


def print_stop(finding: "Finding") -> None:
    """Why --stop-on ended a run."""
    steps = f"steps {finding.first_step} to {finding.last_step}"
    log.print(f"Stopped by --stop-on {finding.code} ({steps}): {finding.evidence}.")
    log.print(f"{finding.cause} {finding.change} A checkpoint was saved; --resume goes on.")


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
    if found.preflight is not None:
        print_preflight(found.preflight, counts)
    print(f"\n{counts['conversations']} conversations, {len(found.issues)} issues")


def print_preflight(found: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
    """What exactly will be trained; what is wrong with it in red."""
    for example in found.get("examples", ()):
        console.print(f"\n[bold]As the model reads it: {example['ability']}[/bold] {example['id']}")
        for spans in example["sequences"]:
            console.print(_marked(spans), soft_wrap=True)
    if "training" in found:
        console.print("\nTokens between ⟦ and ⟧ are trained.")
        _print_lengths(counts["tokens"]["histogram"])
        print_table("What is trained", ["", ""], list_preflight_facts(found))
    else:
        console.print("\nTokens: not counted, without --model or its tokenizer on this machine.")
    _print_coverage(found["coverage"])
    for one in found["duplicates"]["shown"]:
        print(f"{one['where']}: nearly {one['first']} (similarity {one['similarity']})")
    print(f"{found['duplicates']['near']} near-duplicates; `tooltune dedupe` removes them")


def list_preflight_facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) in the words that terminal and report share."""
    training, stop, template = found["training"], found["stop_token"], found["template"]
    share, ratio = training["supervised_fraction"], training["sharing_ratio"]
    compared = template["why_not"] or (
        f"{template['equal']} of {template['compared']} prompts equal, token for token"
    )
    if template["first_difference"]:
        compared += f"; {template['first_difference']}"
    return [
        ("rows", f"{training['rows']:,}"),
        (
            f"rows over {training['max_sequence_tokens']:,} tokens, left out",
            f"{training['rows_over_limit']:,}",
        ),
        ("tokens", f"{training['tokens']:,}"),
        ("share of tokens trained", "-" if share is None else f"{100 * share:.1f} %"),
        ("different catalogs", f"{training['catalogs']:,}"),
        (
            f"tokens for each one computed ({training['examples_per_step']} rows a step)",
            "-" if ratio is None else f"{ratio:.2f}",
        ),
        (
            f"turns whose stop token {' or '.join(stop['tokens'])} is trained",
            f"{stop['trained']:,} of {stop['turns']:,}",
        ),
        ("template beside transformers'", compared),
    ]


def _marked(spans: Sequence[Mapping[str, Any]]) -> Text:
    text = Text()
    for span in spans:
        if span["is_trained"]:
            text.append(f"⟦{span['head']}⟧", style="green")
            continue
        text.append(span["head"], style="dim")
        if span["folded"]:
            text.append(f" … {len(span['folded']):,} more characters … ", style="dim italic")
            text.append(span["tail"], style="dim")
    return text


def _print_lengths(histogram: Mapping[int, int]) -> None:
    most = max(histogram.values(), default=1)
    rows = [
        (f"from {lower:,}", number, "█" * max(round(40 * number / most), 1))
        for lower, number in histogram.items()
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name in ("tokens", "sequences", ""):
        table.add_column(name, justify="left" if not name else "right")
    for row in rows:
        table.add_row(*map(str, row))
    console.print("\n[bold]Lengths[/bold]")
    console.print(table)


def _print_coverage(coverage: Mapping[str, Any], *, most: int = 40) -> None:
    abilities = coverage["abilities"]
    holes = [row for row in coverage["rows"] if 0 in row["counts"].values()]
    holes.sort(key=lambda row: any(row["counts"].values()))
    rows = [
        (
            f"{row['tool']} {row['part']}".strip(),
            row["kind"],
            *("[red]0[/red]" if row["counts"][name] == 0 else row["counts"][name]
              for name in abilities),
        )
        for row in holes[:most]
    ]  # fmt: skip
    if rows:
        print_table("Coverage: parts with holes", ["part", "kind", *abilities], rows)
    never = len(coverage["never_used"])
    print(
        f"{len(coverage['rows'])} parts of tools, {len(holes)} with a hole, {never} never used"
        + (f"; {len(holes) - most} more than shown (all with --json)" if len(holes) > most else "")
    )


def print_left_out(where: str, rows: Sequence[tuple[int, str]], *, most: int = 20) -> None:
    """The first `most` lines with their reasons, then how many there are."""
    for line, reason in rows[:most]:
        print(f"{where}:{line}: left out: {reason}")
    if rows:
        more = f", {len(rows) - most} more than shown (all of them with --json)"
        print(f"{len(rows)} rows left out{more if len(rows) > most else ''}")


def print_verification(found: "Verification", *, most: int = 20) -> None:
    for failure in found.failures[:most]:
        print(f"line {failure.line}: {failure.id}: {failure.check}: {failure.reason}")
    if len(found.failures) > most:
        print(f"... and {len(found.failures) - most} more (all of them with --json)")
    failed = len({failure.line for failure in found.failures})
    where = ", ".join(f"{kind} {count}" for kind, count in found.executed.items())
    print(
        f"{found.rows} rows with {found.calls} calls checked; of {found.checked} drawn "
        f"{sum(found.executed.values())} executed again ({where or 'none'}), "
        f"{found.nothing_to_execute} call nothing: {failed} failed"
    )


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
