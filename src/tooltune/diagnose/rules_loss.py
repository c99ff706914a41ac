"""Rules that read the training loss: broken numbers, no learning, spikes, divergence, plateaus.

All work on the logarithm of the loss, where noise has the same size everywhere. Thresholds were set
on one half of the simulated logs and are reported on the other (docs/diagnose.md).
"""

import math

import numpy as np

from tooltune.diagnose.finding import Finding, make_finding
from tooltune.diagnose.log import FloatArray, Series, TrainingLog
from tooltune.diagnose.statistics import (
    longest_run,
    mad_sigma,
    median_se,
    noise_sigma,
    p_value,
    step_at,
    theil_sen,
    trailing_median,
)

FEWEST_STEPS = 40
"""Below this, only facts (NaN, missing steps, first loss) are reported."""
_SPIKE_SIGMAS = 6.0
_SPIKE_RATIO = 1.5
_LEARNED = 0.02
_FLAT = 0.10
_SMALLEST_VOCAB = 32_000


def check_nan(log: TrainingLog) -> Finding | None:
    """float16 skips a few early updates while its loss scale settles: that is not a fault."""
    loss_bad = ~np.isfinite(log.loss.values)
    if loss_bad.any():
        at = log.loss.steps[loss_bad]
        evidence = f"loss is not a number in {len(at)} of {len(log.loss)} steps, first at {at[0]}"
        return make_finding("nan", (int(at[0]), int(at[-1])), evidence)
    norm_bad = ~np.isfinite(log.grad_norm.values)
    late = norm_bad & (log.grad_norm.steps > 50)
    first, end = longest_run(late)
    if end - first >= 2 or (norm_bad.mean() > 0.05 if len(norm_bad) >= FEWEST_STEPS else False):
        at = log.grad_norm.steps[norm_bad]
        evidence = f"gradient norm overflowed in {len(at)} steps, first at {at[0]}"
        return make_finding("nan", (int(at[0]), int(at[-1])), evidence)
    return None


def check_constant_loss(log: TrainingLog) -> Finding | None:
    """Also a loss that takes a handful of values, unless printing rounded it."""
    loss = log.loss.finite()
    if len(loss) < 20:
        return None
    same = np.diff(loss.values) == 0
    first, end = longest_run(same)
    steps = (step_at(loss.steps, first), step_at(loss.steps, end))
    value = float(loss.values[first])
    no_gradient = _zero_gradient(log, steps)
    rounded = _decimals(loss.values) <= 4 and float(np.median(loss.values)) < 0.02
    if end - first >= max(10, 0.1 * len(loss)) and (no_gradient or not rounded):
        zero = " and the gradient is zero" if no_gradient else ""
        return make_finding(
            "constant-loss", steps, f"loss is exactly {value:g} for {end - first + 1} steps{zero}"
        )
    distinct = np.unique(loss.values)
    apart = float(np.min(np.diff(distinct), initial=np.inf))
    if len(loss) >= 50 and len(distinct) <= max(3, 0.05 * len(loss)) and apart > 0.0101:
        steps = (step_at(loss.steps, 0), log.last_step)
        seen = f"loss takes only {len(distinct)} values in {len(loss)} steps"
        return make_finding("constant-loss", steps, seen)
    return None


def check_initial_loss(log: TrainingLog) -> Finding | None:
    """First loss against the base model's own, or against guessing among V words (ln V)."""
    loss = log.loss.finite()
    if not len(loss) or loss.steps[0] > max(10, 0.02 * log.last_step):
        return None
    # One batch is noisy: the median of the first three where the schedule has hardly begun.
    early = loss.values[: 3 if len(loss) >= 100 and loss.steps[2] <= 10 else 1]
    first, steps = float(np.median(early)), (int(loss.steps[0]), int(loss.steps[len(early) - 1]))
    guessing = math.log(log.vocab or _SMALLEST_VOCAB)
    base = log.base_loss
    told = f"first loss {first:.3f}"
    if base is not None and math.isfinite(base) and base > 0:
        told += f", the base model on the validation set {base:.3f}"
        if first > max(2 * base, base + 1):
            return make_finding("initial-loss-high", steps, told)
        if first < 0.25 * base:
            return make_finding("initial-loss-low", steps, told)
    if first >= 0.8 * guessing:
        words = log.vocab or f"{_SMALLEST_VOCAB:,} or more"
        return make_finding(
            "initial-loss-high", steps, f"{told}; guessing among {words} words is {guessing:.2f}"
        )
    if base is None and 0 <= first < 0.05 and len(loss) >= 3:
        return make_finding("initial-loss-low", steps, f"{told}, before anything was learned")
    return None


def check_not_learning(log: TrainingLog) -> Finding | None:
    """Median of the first steps against that of the last; or validation never below the base."""
    loss = log.loss.positive()
    if len(loss) < FEWEST_STEPS:
        return None
    steps = (int(loss.steps[0]), log.last_step)
    y = np.log(loss.values)
    sigma = noise_sigma(y)
    head, tail = y[: max(5, len(y) // 20)], y[-max(20, len(y) // 5) :]
    drop = float(np.median(head) - np.median(tail))
    error = math.hypot(median_se(sigma, len(head)), median_se(sigma, len(tail)))
    needed = max(3 * error, _LEARNED)
    if needed < 0.25 and drop < needed and not _validation_fell(log):
        seen = f"loss fell by {100 * drop:.1f} % from first to last steps; "
        seen += f"{100 * needed:.1f} % could have been seen"
        return make_finding(
            "not-learning", steps, seen, confidence=1 - p_value((needed - drop) / max(error, 1e-9))
        )
    measured = log.validation.finite()
    best = float(measured.values[measured.steps > 0].min(initial=np.inf))
    enough = len(measured) >= 3 and measured.steps[-1] >= FEWEST_STEPS
    if log.base_loss and enough and best > 0.99 * log.base_loss:
        seen = f"best validation loss {best:.3f}, the base model's {log.base_loss:.3f}, "
        return make_finding(
            "not-learning", steps, seen + f"while training loss fell by {100 * drop:.0f} %"
        )
    return None


def _validation_fell(log: TrainingLog) -> bool:
    """A tenth below the base model, or below its own first measurement."""
    measured = log.validation.finite()
    if len(measured) < 2:
        return False
    first = log.base_loss or float(measured.values[0])
    return float(measured.values[1:].min()) < 0.9 * first


def check_spike(log: TrainingLog) -> Finding | None:
    """Only spikes that did harm: with a jump of the gradient norm, or not recovered at once."""
    loss = log.loss.positive()
    if len(loss) < FEWEST_STEPS:
        return None
    y = np.log(loss.values)
    window = min(50, len(y) // 4)
    residual = y - trailing_median(y, window)
    sigma = max(noise_sigma(y), 1e-3)
    high = (residual > _SPIKE_SIGMAS * sigma) & (residual > math.log(_SPIKE_RATIO))
    norm_residual, norm_sigma = _norm_residual(log, loss.steps, window)
    for index in np.flatnonzero(high):
        with_norm = norm_residual[index] > max(_SPIKE_SIGMAS * norm_sigma, math.log(2))
        after = y[index + 1 : index + 11]
        before = y[max(0, index - window) : index]
        error = 3 * median_se(sigma, 10) * math.sqrt(2)
        stays = len(after) >= 5 and np.median(after) > np.median(before) + max(error, 0.1)
        if with_norm or stays:
            step = int(loss.steps[index])
            recovered = _recovery(y, loss.steps, int(index), float(np.median(before)))
            seen = f"loss {loss.values[index]:.3f} at step {step}, {math.exp(residual[index]):.1f} "
            seen += f"times its level ({residual[index] / sigma:.0f} sigma)"
            seen += ", gradient norm jumped too" if with_norm else ""
            last = recovered if recovered is not None else log.last_step
            seen += f"; back at step {recovered}" if recovered is not None else "; not recovered"
            return make_finding("spike", (step, last), seen)
    return None


def check_divergence(log: TrainingLog) -> Finding | None:
    """The end lies above the best level reached, by more than noise and by at least 15 %."""
    loss = log.loss.positive()
    if len(loss) < FEWEST_STEPS:
        return None
    y = np.log(loss.values)
    window = min(50, max(10, len(y) // 5))
    level = trailing_median(y, window)
    tail = y[-min(20, max(8, len(y) // 8)) :]
    best = int(np.nanargmin(level))
    sigma = noise_sigma(y)
    rise = float(np.median(tail) - level[best])
    error = math.hypot(median_se(sigma, window), median_se(sigma, len(tail)))
    if rise <= max(5 * error, math.log(1.15)):
        return None
    # The best of many levels is low by chance, so the rise has to show as a slope as well.
    x = np.arange(len(y), dtype=float)
    start = max(0, best - window)
    slope = theil_sen(x[start:], y[start:])
    if slope.low <= 0:
        return None
    steps = (step_at(loss.steps, best), log.last_step)
    seen = f"loss rose {math.exp(rise):.2f} times from its best level, reached at step {steps[0]}, "
    return make_finding(
        "divergence",
        steps,
        seen + f"to the end ({rise / error:.0f} standard errors)",
        confidence=1 - p_value(rise / error),
    )


def check_plateau(log: TrainingLog) -> Finding | None:
    """Last third flat: the interval of its slope excludes a change of 10 % either way."""
    loss = log.loss.positive()
    if len(loss) < FEWEST_STEPS:
        return None
    y = np.log(loss.values)
    third = y[-len(y) // 3 :]
    slope = theil_sen(np.linspace(0, 1, len(third)), third)
    if max(-slope.low, slope.high) > _FLAT:
        return None
    steps = (step_at(loss.steps, len(y) - len(third)), log.last_step)
    seen = f"over the last third the loss changed by {100 * slope.value:+.1f} % "
    seen += f"(95 % interval {100 * slope.low:+.1f} to {100 * slope.high:+.1f} %)"
    return make_finding("plateau", steps, seen, confidence=0.95)


def last_third(log: TrainingLog) -> str:
    """What the last third can say: falling, flat, rising, or the smallest change visible."""
    loss = log.loss.positive()
    if len(loss) < FEWEST_STEPS:
        return f"cannot tell: {len(loss)} losses are too few"
    y = np.log(loss.values)
    third = y[-len(y) // 3 :]
    slope = theil_sen(np.linspace(0, 1, len(third)), third)
    if slope.high < 0:
        return f"still falling, by {-100 * slope.value:.1f} % over the last third"
    if slope.low > 0:
        return f"rising, by {100 * slope.value:.1f} % over the last third"
    visible = 100 * (slope.high - slope.low) / 2
    if visible <= 100 * _FLAT:
        return "flat over the last third"
    return f"cannot tell whether it still falls: changes below {visible:.0f} % are hidden by noise"


def _recovery(y: FloatArray, steps: np.ndarray, index: int, level: float) -> int | None:
    """First step after `index` whose next five losses have their median back near the level."""
    for start in range(index + 1, min(index + 200, len(y) - 5)):
        if np.median(y[start : start + 5]) < level + 0.1:
            return int(steps[start])
    return None


def _norm_residual(log: TrainingLog, steps: np.ndarray, window: int) -> tuple[FloatArray, float]:
    """Log gradient norm against its trailing median, at the given steps; zeros where not logged."""
    norm = log.grad_norm.positive()
    if len(norm) < FEWEST_STEPS:
        return np.zeros(len(steps)), 1.0
    g = np.log(norm.values)
    residual = g - trailing_median(g, window)
    place = np.searchsorted(norm.steps, steps)
    place = np.minimum(place, len(norm) - 1)
    found = np.where(norm.steps[place] == steps, residual[place], 0.0)
    return np.nan_to_num(found), max(mad_sigma(residual[window:]), 0.05)


def _zero_gradient(log: TrainingLog, steps: tuple[int, int]) -> bool:
    norm: Series = log.grad_norm
    inside = (norm.steps >= steps[0]) & (norm.steps <= steps[1])
    return bool(inside.any() and (norm.values[inside] == 0).all())


def _decimals(values: FloatArray) -> int:
    """Fewest decimals, up to 6, that write all of the first 200 values exactly."""
    sample = values[:200]
    for decimals in range(6):
        if np.allclose(sample, np.round(sample, decimals), rtol=0, atol=1e-9):
            return decimals
    return 6
