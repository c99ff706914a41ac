"""Rules that read validation loss: overfitting, and the gap to training loss.

Only a rise of validation loss is overfitting; a rising training loss is divergence. Patience 1,
the usual early stopping, calls 91 % of healthy converged runs overfitted (simulated); the rule here
asks for a rise of four standard errors over three measurements. A falling task metric is
overfitting too, whatever the loss does: published tool-calling runs forgot to answer in words while
their loss fell.
"""

import math
from dataclasses import replace

import numpy as np

from tooltune.diagnose.finding import Finding, make_finding
from tooltune.diagnose.log import FloatArray, Series, TrainingLog
from tooltune.diagnose.statistics import curvature_sigma, noise_sigma, p_value

FEWEST_MEASUREMENTS = 5
_SMALLEST_RISE = 0.015
_SIGMAS = 4.0
_GAP = 1.3
_LEAST_GAP = 0.05
"""Of the loss the run began with: where both losses have come down to nearly nothing, their ratio
says nothing (a copying task ends at 0.02 against 0.002)."""
_SMALLEST_NOISE = 0.005
_SMALLEST_FALL = 0.1
_SKILL_SIGMAS = 3.5
_FEWEST_SKILLS = 8
"""Where the number of turns is not known, the curve itself has to show its noise."""
_SKILL_CAUSE = (
    "The model forgets one kind of decision while it gets better at the words of another: the "
    "training data is one-sided, or the run is too long."
)
_SKILL_CHANGE = (
    "Keep the checkpoint named as best; add conversations of the kind that got worse, or train "
    "fewer epochs."
)


def check_overfitting(log: TrainingLog) -> Finding | None:
    return _loss_rises(log) or _skill_falls(log)


def _loss_rises(log: TrainingLog) -> Finding | None:
    """The last three measurements lie above the best three in a row, beyond noise."""
    measured = _trained(log.validation)
    if len(measured) < FEWEST_MEASUREMENTS:
        return None
    y = np.log(measured.values)
    mean_of_3 = np.convolve(y, np.ones(3) / 3, mode="valid")
    best = int(np.argmin(mean_of_3))
    rise = float(mean_of_3[-1] - mean_of_3[best])
    error = _rise_error(log, measured, y, best)
    z = rise / error if error > 0 else math.inf
    if rise < _SMALLEST_RISE or z < _SIGMAS or best >= len(mean_of_3) - 1:
        return None
    if not _fell_before(log, y, best, error):
        return None
    lowest = best + int(np.argmin(y[best : best + 3]))
    onset, last = int(measured.steps[lowest]), int(measured.steps[-1])
    seen = f"validation loss rose by {100 * math.expm1(rise):.1f} % after step {onset} "
    seen += f"({measured.values[lowest]:.4g} to {measured.values[-1]:.4g}, "
    seen += f"{z:.0f} standard errors over {len(measured)} measurements)"
    return make_finding("overfitting", (onset, last), seen, confidence=1 - p_value(z))


def _skill_falls(log: TrainingLog) -> Finding | None:
    """The mean of the last three measurements of a task metric lies below an earlier one."""
    columns = [
        ("calls done right", log.calls_right, log.num_calls),
        ("turns rightly answered in words", log.abstentions_right, log.num_abstentions),
    ]
    if not len(log.calls_right) and not len(log.abstentions_right):
        columns = [("the task metric", log.skill, None)]
    for name, series, turns in columns:
        measured = series.finite()
        if len(measured) < (4 if turns else _FEWEST_SKILLS):
            continue
        best = int(np.argmax(measured.values[:-3]))
        before, late = float(measured.values[best]), float(measured.values[-3:].mean())
        error = _share_error(before, late, turns) if turns else curvature_sigma(measured.values)
        z = (before - late) / max(error, 1e-2)
        if before - late < _SMALLEST_FALL or z < _SKILL_SIGMAS:
            continue
        steps = (int(measured.steps[best]), int(measured.steps[-1]))
        seen = f"{name} fell from {before:.2f} at step {steps[0]} to {late:.2f}, the mean of the "
        seen += f"last three of {len(measured)} measurements ({z:.0f} standard errors)"
        finding = make_finding("overfitting", steps, seen, confidence=1 - p_value(z))
        return replace(finding, cause=_SKILL_CAUSE, change=_SKILL_CHANGE)
    return None


def _share_error(before: float, late: float, turns: int) -> float:
    """Standard error of the difference of two shares of the same number of turns."""
    share = (before + late) / 2
    return math.sqrt(2 * share * (1 - share) / turns)


def check_generalization_gap(log: TrainingLog) -> Finding | None:
    """Validation over training loss, compared with the same ratio at the start of the run."""
    measured = _trained(log.validation)
    loss = log.loss.positive()
    if len(measured) < 3 or len(loss) < 40:
        return None
    gaps = np.array(
        [
            math.log(value) - _training_level(loss, int(step))
            for step, value in zip(measured.steps, measured.values, strict=True)
        ]
    )
    start = gaps[0] if log.base_loss is None else min(gaps[0], _first_gap(log, loss))
    end = float(np.median(gaps[-3:]))
    error = noise_sigma(np.log(loss.values)) * 1.2533 * math.sqrt(2 / 20) + 1e-9
    grown = end - max(0.0, float(start))
    if end < math.log(1.5) or grown < math.log(_GAP) or grown < 3 * error:
        return None
    late = float(np.median(measured.values[-3:]))
    began = log.base_loss or float(loss.values[: max(1, len(loss) // 20)].mean())
    if late * (1 - math.exp(-end)) < _LEAST_GAP * began:
        return None
    seen = f"at the end validation loss is {math.exp(end):.2f} times training loss, at the start "
    seen += f"it was {math.exp(start):.2f} times"
    steps = (int(measured.steps[0]), int(measured.steps[-1]))
    return make_finding("generalization-gap", steps, seen, confidence=1 - p_value(grown / error))


def best_step(log: TrainingLog) -> int | None:
    """Step of the checkpoint to keep: of those saved, the highest task metric, then lowest loss."""
    measured = log.validation.finite()
    measured = Series(measured.steps[measured.steps > 0], measured.values[measured.steps > 0])
    if not len(measured):
        return None
    saved = np.isin(measured.steps, log.checkpoints)
    if saved.any():
        measured = Series(measured.steps[saved], measured.values[saved])
    skill = dict(zip(log.skill.steps.tolist(), log.skill.values.tolist(), strict=True))
    pairs = zip(measured.steps.tolist(), measured.values.tolist(), strict=True)
    return int(min(pairs, key=lambda pair: (-skill.get(pair[0], 0.0), pair[1]))[0])


def _trained(validation: Series) -> Series:
    """Without the base model's measurement."""
    kept = validation.positive()
    return Series(kept.steps[kept.steps > 0], kept.values[kept.steps > 0])


def _rise_error(log: TrainingLog, measured: Series, y: FloatArray, best: int) -> float:
    """Paired over examples where their losses were logged; else from the curve's own noise."""
    # The steep fall before the best measurement looks like noise to the whole curve's estimate.
    after = max(1.5 * curvature_sigma(y[best:]), _SMALLEST_NOISE) if len(y) - best > 4 else math.inf
    noise = min(max(curvature_sigma(y), 1e-4), after) * math.sqrt(2 / 3)
    lowest = int(measured.steps[best + int(np.argmin(y[best : best + 3]))])
    before = log.validation_examples.get(lowest)
    late = log.validation_examples.get(int(measured.steps[-1]))
    if before is None or late is None or len(before) != len(late) or len(before) < 10:
        return noise
    change = late - before
    paired = float(change.std(ddof=1) / math.sqrt(len(change)) / before.mean())
    return max(noise, paired)


def _fell_before(log: TrainingLog, y: FloatArray, best: int, error: float) -> bool:
    """Overfitting needs something learned first: below the first measurement or the base."""
    reference = math.log(log.base_loss) if log.base_loss else float(y[0])
    return bool(reference - float(y[best : best + 3].min()) > 2 * error) or best == 0


def _training_level(loss: Series, step: int) -> float:
    """Median log loss of the 20 training steps up to `step`."""
    end = int(np.searchsorted(loss.steps, step, side="right"))
    return float(np.median(np.log(loss.values[max(0, end - 20) : max(1, end)])))


def _first_gap(log: TrainingLog, loss: Series) -> float:
    assert log.base_loss is not None
    return math.log(log.base_loss) - float(np.median(np.log(loss.values[:5])))
