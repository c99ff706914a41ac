"""The plan of a run that is about to start, and what its first real steps say of it.

`train` calls these: plan_training before anything is loaded, require_fit, write_plan, and calibrate
on the first CALIBRATION_STEPS rows of metrics. None of them needs torch.
"""

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tooltune.config import Recipe
from tooltune.data.examples import Examples
from tooltune.errors import ConfigError
from tooltune.jsonl import write_json
from tooltune.plan.advice import suggest_changes
from tooltune.plan.dataset import planned_workload
from tooltune.plan.estimate import Plan, Request, plan, to_dict
from tooltune.plan.memory import TRAINERS
from tooltune.plan.tables import Device, load_tables
from tooltune.rundir import RunDir

CALIBRATION_STEPS = 20
_WARMUP_STEPS = 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the first steps measured. Intervals are of 95 %."""

    steps: int
    seconds_per_step: float
    hours_left: float
    hours_left_interval: tuple[float, float]
    counts_validations: bool
    """False where validations are still to come and none was timed yet."""
    usd_total: float | None
    usd_interval: tuple[float, float] | None
    peak_memory_gib: float
    planned_memory_gib: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        low, high = self.hours_left_interval
        usd = "cost unknown (no price for this machine)"
        if self.usd_total is not None and self.usd_interval is not None:
            least, most = self.usd_interval
            usd = f"${self.usd_total:.2f} in all (${least:.2f} to ${most:.2f})"
        return (
            f"After {self.steps} steps: {self.seconds_per_step:.2f} s a step, "
            f"{self.hours_left:.2f} h left ({low:.2f} to {high:.2f}"
            f"{'' if self.counts_validations else ', validations not counted'}), {usd}; "
            f"memory {self.peak_memory_gib:.2f} GiB, planned {self.planned_memory_gib:.2f}."
        )


def plan_training(recipe: Recipe, examples: Examples, *, folder: Path, device: Device) -> Plan:
    """On the run's own examples. `folder` holds the model's config.json."""
    tables = load_tables()
    workload = planned_workload(recipe, examples, shares_prefixes=True)
    request = Request(
        recipe=recipe,
        shape=tables.shape(str(folder)),
        workload=workload,
        trainer=TRAINERS["tooltune"],
        tables=tables,
        today=datetime.date.today(),
    )
    return plan(request, device=device)


def require_fit(made: Plan) -> None:
    """Raises ConfigError with what to change where the planned peak is above the device."""
    chosen = made.chosen
    if chosen.fits():
        return
    needed, there = chosen.peak_gib, chosen.device.memory_mib / 1024
    helpful = [change.change for change in suggest_changes(made) if change.fits]
    advice = f"What would fit: {'; '.join(helpful)}." if helpful else "Take a smaller model."
    raise ConfigError(
        f"this run cannot fit {chosen.device.title}: planned peak {needed:.2f} GiB "
        f"(got {there:.2f} GiB). {advice}"
    )


def describe_plan(made: Plan) -> str:
    """The two lines `train` prints before its first step."""
    workload, chosen = made.request.workload, made.chosen
    time = f"time unknown until step {CALIBRATION_STEPS}"
    if chosen.duration is not None:
        low, middle, high = chosen.duration.hours
        time = f"{middle:.2f} h ({low:.2f} to {high:.2f}) without validations, "
        time += f"rate of this machine measured on {chosen.device.as_of}"
    return (
        f"Plan: {made.steps_total:,} steps, {workload.logical_tokens:,} tokens an epoch, "
        f"{workload.computed_tokens:,} computed (sharing {workload.sharing_ratio:.2f}x)\n"
        f"Plan: peak {chosen.peak_gib:.2f} of {chosen.device.memory_mib / 1024:.2f} GiB; {time}"
    )


def write_plan(run: RunDir, made: Plan) -> None:
    """RUN/plan.json: what `tooltune plan --json` prints, for the report."""
    write_json(run.plan, to_dict(made))


def calibrate(made: Plan, rows: Sequence[Mapping[str, Any]]) -> Calibration:
    """From rows of metrics.jsonl: time by computed tokens, since steps differ in length."""
    measured = rows[_WARMUP_STEPS:] if len(rows) > 2 * _WARMUP_STEPS else rows
    seconds = np.array([row["seconds"] for row in measured], dtype=float)
    tokens = np.array([row["distinct_tokens"] for row in measured], dtype=float)
    rate = float(tokens.sum() / seconds.sum())
    residual = seconds - tokens / rate
    error = float(residual.std(ddof=1)) / math.sqrt(len(measured)) if len(measured) > 1 else 0.0
    per_step = made.request.workload.computed_tokens / made.request.workload.steps_per_epoch / rate
    step = int(rows[-1]["step"])
    left = made.steps_total - step
    per_validation, validations = _validations(made, rows)
    hours = (left * per_step + validations * per_validation) / 3600
    spread = 1.96 * error * left / 3600
    price = made.chosen.price
    whole = hours + step * per_step / 3600
    return Calibration(
        steps=len(rows),
        seconds_per_step=per_step,
        hours_left=hours,
        hours_left_interval=(max(0.0, hours - spread), hours + spread),
        counts_validations=per_validation > 0 or validations == 0,
        usd_total=None if price is None else whole * price.usd_per_hour,
        usd_interval=None
        if price is None
        else ((whole - spread) * price.usd_per_hour, (whole + spread) * price.usd_per_hour),
        peak_memory_gib=max(float(row["peak_memory_gib"]) for row in rows),
        planned_memory_gib=made.chosen.peak_gib,
    )


def _validations(made: Plan, rows: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    """(seconds of one as measured, 0.0 where none was; how many are still to come)."""
    seconds = [float(row["validation_seconds"]) for row in rows if "validation_seconds" in row]
    every, total = made.request.recipe.train.validate_every_steps, made.steps_total
    step = int(rows[-1]["step"])
    left = total // every - step // every + (1 if total % every and step < total else 0)
    return (sum(seconds) / len(seconds) if seconds else 0.0), left
