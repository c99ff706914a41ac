"""Rows of any trainer's log -> the columns of a TrainingLog, with everything unreadable counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from tooltune.diagnose.log import (
    EMPTY,
    BoolArray,
    Disorder,
    FloatArray,
    IntArray,
    Series,
    TrainingLog,
)
from tooltune.errors import DataError

Row = dict[str, Any]

ALIASES: dict[str, tuple[str, ...]] = {
    "step": ("step", "global_step", "train/global_step", "iteration", "iter", "current_steps"),
    "loss": ("loss", "train_loss", "train/loss", "training_loss"),
    "grad_norm": ("grad_norm", "train/grad_norm", "gradient_norm", "grad_norm_before_clip"),
    "learning_rate": ("learning_rate", "lr", "train/learning_rate"),
    "throughput": (
        "tokens_per_second",
        "train/tokens_per_second",
        "samples_per_second",
        "steps_per_second",
        "tps",
    ),
    "seconds": ("step_seconds", "seconds_per_step", "step_time"),
    "validation": ("validation_loss", "eval_loss", "val_loss", "eval/loss", "val/loss"),
    "skill": ("validation_accuracy", "eval_accuracy", "eval_skill"),
    "calls_right": ("validation_call_accuracy",),
    "num_calls": ("validation_calls",),
    "abstentions_right": ("validation_abstention_accuracy",),
    "num_abstentions": ("validation_abstentions",),
    "base_loss": ("base_loss", "base_validation_loss"),
    "total_steps": ("total_steps", "max_steps", "steps_total"),
    "vocab": ("vocab_size", "vocab"),
    "max_grad_norm": ("max_grad_norm",),
}
"""Column -> the names trainers give it; the first that occurs in a row is taken."""
_SUMMARY = "train_runtime"  # transformers' last row: averages over the run, not a step


@dataclass(slots=True)
class Rows:
    """What a reader found: rows, the line each came from, and what it skipped."""

    where: str
    parts: Iterable["Part"]
    """Read in order and once, so that a long log is never in memory as rows."""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    """Columns that hold one value for the whole run."""
    checkpoints: tuple[int, ...] = ()
    unreadable: int = 0
    """Rows that hold no loss or no place because they could not be read; notes name them."""


@dataclass(slots=True)
class Part:
    """Neighbouring rows of a log, with their line numbers."""

    rows: list[Row]
    lines: Sequence[int]


@dataclass(slots=True)
class _Columns:
    """The cells of all rows: per column the values, and which rows have one."""

    values: dict[str, FloatArray]
    present: dict[str, BoolArray]
    lines: IntArray
    examples: dict[int, FloatArray]
    """Row -> loss of each validation example."""


def build_log(found: Rows) -> TrainingLog:
    """Raises DataError where there is no loss at all."""
    columns = _read_columns(found)
    has_loss = columns.present["loss"]
    steps = _steps(columns.values["step"], columns.present["step"], has_loss)
    first = _last_run_start(steps, columns, found)
    steps, window = steps[first:], slice(first, None)
    series = {
        name: _series(steps, columns.values[name][window], columns.present[name][window])
        for name in ALIASES
    }
    logged = has_loss[window]
    return TrainingLog(
        where=found.where,
        loss=series["loss"],
        grad_norm=series["grad_norm"],
        learning_rate=series["learning_rate"],
        throughput=_throughput(series),
        validation=series["validation"],
        skill=series["skill"],
        calls_right=series["calls_right"],
        abstentions_right=series["abstentions_right"],
        num_calls=_whole(found, series, "num_calls"),
        num_abstentions=_whole(found, series, "num_abstentions"),
        validation_examples={
            int(steps[row - first]): losses
            for row, losses in columns.examples.items()
            if row >= first
        },
        base_loss=_base_loss(found, series),
        vocab=_whole(found, series, "vocab"),
        total_steps=_whole(found, series, "total_steps"),
        max_grad_norm=found.facts.get("max_grad_norm", _single(series["max_grad_norm"])),
        checkpoints=found.checkpoints,
        disorder=_disorder(steps[logged], columns.values["loss"][window][logged]),
        unreadable=found.unreadable,
        notes=tuple(found.notes),
    )


def _read_columns(found: Rows) -> _Columns:
    """Part by part; a run's closing summary is left out. Raises DataError without any loss."""
    cells: dict[str, list[tuple[FloatArray, BoolArray]]] = {name: [] for name in ALIASES}
    names: set[str] = set()
    examples: dict[int, FloatArray] = {}
    lines: list[IntArray] = []
    bad: dict[str, list[tuple[int, Any]]] = {}
    count = 0
    for part in found.parts:
        part_names = set().union(*part.rows)
        if _SUMMARY in part_names:
            part = _without_summary(part)
        names |= part_names
        for column in ALIASES:
            cells[column].append(_column(column, part, part_names, bad))
        if "validation_losses" in part_names:
            examples |= _per_example(part.rows, count)
        lines.append(np.asarray(part.lines, dtype=np.int64))
        count += len(part.rows)
    _note_bad_cells(found, bad)
    values = {name: _join([pair[0] for pair in pairs]) for name, pairs in cells.items()}
    present = {name: _join([pair[1] for pair in pairs]) > 0 for name, pairs in cells.items()}
    all_lines = np.concatenate([np.empty(0, dtype=np.int64), *lines])
    # A row whose step cannot be read has no place; a row without a step is beside the one before.
    unplaced = np.isin(all_lines, [line for line, _ in bad.get("step", [])])
    present = {name: flags & ~unplaced for name, flags in present.items()}
    found.unreadable += len(bad.get("loss", [])) + int(unplaced.sum())
    if not present["loss"].any():
        shown = ", ".join(sorted(map(str, names))[:12]) or "nothing"
        raise DataError(
            f"{found.where}: no training loss in {count} rows (found {shown}; expected one of "
            f"{', '.join(ALIASES['loss'])}). Name the log of a training run."
        )
    return _Columns(values, present, all_lines, examples)


def _join(parts: list[Any]) -> FloatArray:
    return np.concatenate(parts) if parts else np.empty(0)


def _without_summary(part: Part) -> Part:
    kept = [index for index, row in enumerate(part.rows) if _SUMMARY not in row]
    return Part([part.rows[index] for index in kept], [part.lines[index] for index in kept])


def _base_loss(found: Rows, series: dict[str, Series]) -> float | None:
    """As logged, or the validation loss measured at step 0."""
    base = found.facts.get("base_loss", _single(series["base_loss"]))
    validation = series["validation"]
    if base is None and len(validation) and validation.steps[0] == 0:
        base = float(validation.values[0])
    return base


def _column(
    column: str, part: Part, names: set[str], bad: dict[str, list[tuple[int, Any]]]
) -> tuple[FloatArray, BoolArray]:
    """(values, which rows have one); NaN that was logged is a value."""
    rows = part.rows
    present_names = [name for name in ALIASES[column] if name in names]
    if not present_names:
        return np.full(len(rows), np.nan), np.zeros(len(rows), dtype=bool)
    first = present_names[0]
    try:  # most columns stand in every row: three times faster than the general way below
        values = np.fromiter(map(itemgetter(first), rows), dtype=np.float64, count=len(rows))
        if not np.isnan(values).any():
            return values, np.ones(len(rows), dtype=bool)
        return values, np.array([row[first] is not None for row in rows], dtype=bool)
    except (KeyError, TypeError, ValueError):
        cells = [row.get(first) for row in rows]
    for name in present_names[1:]:
        cells = [
            row.get(name) if cell is None else cell for cell, row in zip(cells, rows, strict=True)
        ]
    present = np.array([cell is not None for cell in cells], dtype=bool)
    try:
        return np.array(cells, dtype=np.float64), present
    except (TypeError, ValueError):
        return _parse_cells(cells, present, part.lines, bad.setdefault(column, []))


def _parse_cells(
    cells: list[Any], present: BoolArray, lines: Sequence[int], bad: list[tuple[int, Any]]
) -> tuple[FloatArray, BoolArray]:
    values = np.full(len(cells), np.nan)
    for index, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            values[index] = float(cell)
        except (TypeError, ValueError):
            present[index] = False
            if cell != "":
                bad.append((int(lines[index]), cell))
    return values, present


def _note_bad_cells(found: Rows, bad: dict[str, list[tuple[int, Any]]]) -> None:
    for column, cells in bad.items():
        if cells:
            line, cell = cells[0]
            found.notes.append(
                f"{found.where}:{line}: {column} is not a number (got {cell!r}); "
                f"{len(cells)} such cells left out."
            )


def _steps(values: FloatArray, present: BoolArray, has_loss: BoolArray) -> IntArray:
    """Logged steps; rows without one take the count of loss rows so far."""
    counted = np.cumsum(has_loss)
    logged = present & np.isfinite(values)
    if logged.all():
        return values.astype(np.int64)
    if not logged.any():
        return counted.astype(np.int64)
    index = np.where(logged, np.arange(len(values)), -1)
    last = np.maximum.accumulate(index)
    filled = np.where(last >= 0, np.where(logged, values, values[np.maximum(last, 0)]), 0)
    return filled.astype(np.int64)


def _last_run_start(steps: IntArray, columns: _Columns, found: Rows) -> int:
    """Row where the last run of the file begins: steps start over at or before the first one.

    Where they do so again and again and none occurs twice, it is one run out of order.
    """
    at = np.flatnonzero(columns.present["loss"])
    logged = steps[at]
    backwards = np.flatnonzero(np.diff(logged) < 0) + 1
    if not len(backwards):
        return 0
    restarts = backwards[logged[backwards] <= logged[0]]
    is_one_run = len(restarts) != 1 and len(np.unique(logged)) == len(logged)
    shown = backwards[:1] if is_one_run else restarts[-1:]
    if not len(shown):
        return 0
    first = int(shown[0])
    seen = f"(step {logged[first - 1]} is followed by step {logged[first]})"
    where = f"{found.where}:{columns.lines[at[first]]}"
    if is_one_run:
        found.notes.append(f"{where}: steps out of order {seen}; read in the order of steps.")
        return 0
    found.notes.append(
        f"{where}: a new run begins {seen}; {len(restarts) + 1} runs in one file, the last is read."
    )
    return int(at[first])


def _series(steps: IntArray, values: FloatArray, present: np.ndarray) -> Series:
    """Sorted by step; of a repeated step the value logged last."""
    steps, values = steps[present], values[present]
    if not len(steps):
        return EMPTY
    if len(steps) > 1 and not (np.diff(steps) > 0).all():
        reversed_steps, index = np.unique(steps[::-1], return_index=True)
        return Series(reversed_steps, values[::-1][index])
    return Series(steps, values)


def _disorder(steps: IntArray, values: FloatArray) -> Disorder:
    if len(steps) < 2 or (np.diff(steps) > 0).all():
        return Disorder()
    order = np.argsort(steps, kind="stable")
    same_step = np.diff(steps[order]) == 0
    same_loss = np.isclose(np.diff(values[order]), 0, atol=1e-6) & same_step
    return Disorder(
        repeated=tuple(np.unique(steps[order][1:][same_step & ~same_loss]).tolist()),
        repeated_equal=int(same_loss.sum()),
    )


def _throughput(series: dict[str, Series]) -> Series:
    if len(series["throughput"]):
        return series["throughput"]
    seconds = series["seconds"].positive()
    return Series(seconds.steps, 1.0 / seconds.values) if len(seconds) else EMPTY


def _per_example(rows: list[Row], first: int) -> dict[int, FloatArray]:
    """Row number in the whole log -> losses."""
    return {
        first + index: np.asarray(row["validation_losses"], dtype=np.float64)
        for index, row in enumerate(rows)
        if row.get("validation_losses")
    }


def _single(series: Series) -> float | None:
    finite = series.finite()
    return float(finite.values[-1]) if len(finite) else None


def _whole(found: Rows, series: dict[str, Series], name: str) -> int | None:
    value = found.facts.get(name, _single(series[name]))
    return None if value is None else int(value)
