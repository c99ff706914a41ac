"""Rows of any trainer's log -> the columns of a TrainingLog, with everything unreadable counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from tooltune.diagnose.log import EMPTY, Disorder, FloatArray, IntArray, Series, TrainingLog
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
    rows: list[Row]
    lines: Sequence[int]
    notes: list[str] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    """Columns that hold one value for the whole run."""
    checkpoints: tuple[int, ...] = ()


def build_log(found: Rows) -> TrainingLog:
    """Raises DataError where there is no loss at all."""
    rows, names = _step_rows(found)
    columns = {column: _column(column, rows, names, found) for column in ALIASES}
    loss_values, has_loss = columns["loss"]
    if not has_loss.any():
        shown = ", ".join(sorted(map(str, names))[:12]) or "nothing"
        raise DataError(
            f"{found.where}: no training loss in {len(rows)} rows (found {shown}; expected one of "
            f"{', '.join(ALIASES['loss'])}). Name the log of a training run."
        )
    steps = _steps(columns["step"], has_loss)
    first = _last_run_start(steps, has_loss, found)
    steps, window = steps[first:], slice(first, None)
    series = {
        name: _series(steps, values[window], present[window])
        for name, (values, present) in columns.items()
    }
    return TrainingLog(
        where=found.where,
        loss=series["loss"],
        grad_norm=series["grad_norm"],
        learning_rate=series["learning_rate"],
        throughput=_throughput(series),
        validation=series["validation"],
        skill=series["skill"],
        validation_examples=_per_example(rows[first:], steps, names),
        base_loss=_base_loss(found, series),
        vocab=_whole(found, series, "vocab"),
        total_steps=_whole(found, series, "total_steps"),
        max_grad_norm=found.facts.get("max_grad_norm", _single(series["max_grad_norm"])),
        checkpoints=found.checkpoints,
        disorder=_disorder(steps[has_loss[window]], loss_values[window][has_loss[window]]),
        notes=tuple(found.notes),
    )


def _step_rows(found: Rows) -> tuple[list[Row], set[str]]:
    """Rows of steps without the run's closing summary, and the names in them."""
    rows = found.rows
    names: set[str] = set().union(*rows) if rows else set()
    if _SUMMARY in names:
        kept = [index for index, row in enumerate(rows) if _SUMMARY not in row]
        rows, found.lines = [rows[index] for index in kept], [found.lines[index] for index in kept]
    return rows, names


def _base_loss(found: Rows, series: dict[str, Series]) -> float | None:
    """As logged, or the validation loss measured at step 0."""
    base = found.facts.get("base_loss", _single(series["base_loss"]))
    validation = series["validation"]
    if base is None and len(validation) and validation.steps[0] == 0:
        base = float(validation.values[0])
    return base


def _column(
    column: str, rows: list[Row], names: set[str], found: Rows
) -> tuple[FloatArray, np.ndarray]:
    """(values, which rows have one); NaN that was logged is a value."""
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
        return _parse_cells(column, cells, present, found)


def _parse_cells(
    column: str, cells: list[Any], present: np.ndarray, found: Rows
) -> tuple[FloatArray, np.ndarray]:
    values, bad = np.full(len(cells), np.nan), []
    for index, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            values[index] = float(cell)
        except (TypeError, ValueError):
            present[index] = False
            if cell != "":
                bad.append((found.lines[index], cell))
    if bad:
        line, cell = bad[0]
        found.notes.append(
            f"{found.where}:{line}: {column} is not a number (got {cell!r}); "
            f"{len(bad)} such cells left out."
        )
    return values, present


def _steps(column: tuple[FloatArray, np.ndarray], has_loss: np.ndarray) -> IntArray:
    """Logged steps; rows without one take the count of loss rows so far."""
    values, present = column
    counted = np.cumsum(has_loss)
    logged = present & np.isfinite(values)
    if not logged.any():
        return counted.astype(np.int64)
    index = np.where(logged, np.arange(len(values)), -1)
    last = np.maximum.accumulate(index)
    filled = np.where(last >= 0, np.where(logged, values, values[np.maximum(last, 0)]), 0)
    return filled.astype(np.int64)


def _last_run_start(steps: IntArray, has_loss: np.ndarray, found: Rows) -> int:
    """Row where the last run of the file begins: steps start over at or before the first one."""
    at = np.flatnonzero(has_loss)
    logged = steps[at]
    restarts = np.flatnonzero((logged[1:] <= logged[0]) & (logged[1:] < logged[:-1])) + 1
    if not len(restarts):
        return 0
    first = int(at[restarts[-1]])
    found.notes.append(
        f"{found.where}:{found.lines[first]}: a new run begins (step {logged[restarts[-1] - 1]} is "
        f"followed by step {logged[restarts[-1]]}); {len(restarts) + 1} runs in one file, "
        "the last is read."
    )
    return first


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
    backwards = steps[1:][np.diff(steps) < 0]
    order = np.argsort(steps, kind="stable")
    same_step = np.diff(steps[order]) == 0
    same_loss = np.isclose(np.diff(values[order]), 0, atol=1e-6) & same_step
    return Disorder(
        repeated=tuple(np.unique(steps[order][1:][same_step & ~same_loss]).tolist()),
        repeated_equal=int(same_loss.sum()),
        backwards=tuple(backwards.tolist()),
    )


def _throughput(series: dict[str, Series]) -> Series:
    if len(series["throughput"]):
        return series["throughput"]
    seconds = series["seconds"].positive()
    return Series(seconds.steps, 1.0 / seconds.values) if len(seconds) else EMPTY


def _per_example(rows: list[Row], steps: IntArray, names: set[str]) -> dict[int, FloatArray]:
    if "validation_losses" not in names:
        return {}
    return {
        int(step): np.asarray(row["validation_losses"], dtype=np.float64)
        for step, row in zip(steps, rows, strict=True)
        if row.get("validation_losses")
    }


def _single(series: Series) -> float | None:
    finite = series.finite()
    return float(finite.values[-1]) if len(finite) else None


def _whole(found: Rows, series: dict[str, Series], name: str) -> int | None:
    value = found.facts.get(name, _single(series[name]))
    return None if value is None else int(value)
