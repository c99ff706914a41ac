"""Rules that read learning rate and gradient norm beside the loss."""

import math

import numpy as np

from tooltune.diagnose.finding import Finding, make_finding
from tooltune.diagnose.log import BoolArray, Series, TrainingLog
from tooltune.diagnose.rules_loss import FEWEST_STEPS
from tooltune.diagnose.statistics import (
    detrend,
    lag1_autocorrelation,
    longest_run,
    mad_sigma,
    median_se,
    noise_sigma,
    p_value,
    step_at,
    theil_sen,
    trailing_median,
)

_LOW_LEARNING_RATE = 5e-5
_FLAT = 1e-3


def check_lr_too_high(log: TrainingLog) -> Finding | None:
    """The loss climbs while the rate climbs, or every update undoes the one before."""
    loss = log.loss.positive()
    if len(loss) < FEWEST_STEPS:
        return None
    return _climbs_with_the_rate(log, loss) or _oscillates(log, loss)


def _climbs_with_the_rate(log: TrainingLog, loss: Series) -> Finding | None:
    """Level once the rate stands at its peak, against the first steps, below which it never got."""
    y = np.log(loss.values)
    peak = _peak_index(log, loss)
    block = max(5, min(20, len(y) // 12))
    head = y[: max(3, min(block, peak // 2))]
    after = y[peak : peak + block] if peak + block <= len(y) else y[-block:]
    if peak < 3 or len(after) < 5:
        return None
    sigma = noise_sigma(y)
    error = math.hypot(median_se(sigma, len(head)), median_se(sigma, len(after)))
    rise = float(np.median(after) - np.median(head))
    if rise < max(3 * error, math.log(1.15)):
        return None
    first, last = step_at(loss.steps, len(head) - 1), step_at(loss.steps, peak + len(after) - 1)
    seen = f"loss climbed {math.exp(rise):.2f} times by step {last}, as the learning rate reached "
    seen += f"its peak ({rise / error:.0f} standard errors)"
    return make_finding(
        "lr-too-high", (first, last), seen, confidence=1 - p_value(rise / max(error, 1e-9))
    )


def _oscillates(log: TrainingLog, loss: Series) -> Finding | None:
    """Residuals alternate in sign, and far more widely than while the rate was low."""
    y = np.log(loss.values)
    rest = detrend(y, window=25)
    high = _high_rate(log, loss)
    if high.sum() < 30:
        return None
    correlation = lag1_autocorrelation(rest[high])
    swing = mad_sigma(rest[high])
    calm = mad_sigma(rest[~high]) if (~high).sum() >= 20 else mad_sigma(rest) / 2
    if correlation > -0.3 or swing**2 < 2 * calm**2 or correlation > -3 / math.sqrt(high.sum()):
        return None
    steps = (int(loss.steps[high][0]), int(loss.steps[high][-1]))
    seen = f"at high learning rate the loss swings from step to step (correlation {correlation:.2f}"
    seen += f", {swing / max(calm, 1e-9):.1f} times as wide as at low rate)"
    z = -correlation * math.sqrt(high.sum())
    return make_finding("lr-too-high", steps, seen, confidence=1 - p_value(z))


def check_lr_too_low(log: TrainingLog) -> Finding | None:
    """Fall of the loss per unit of learning rate: hardly less at the end than at the start."""
    loss, rate = log.loss.positive(), log.learning_rate.positive()
    if len(loss) < FEWEST_STEPS or len(rate) < FEWEST_STEPS:
        return None
    peak = float(rate.values.max())
    if peak > _LOW_LEARNING_RATE:
        return None
    y = np.log(loss.values)
    spent = np.cumsum(np.interp(loss.steps, rate.steps, rate.values))
    spent = spent / spent[-1]
    early, late = spent <= 0.4, spent >= 0.6
    if early.sum() < 12 or late.sum() < 12:
        return None
    first, second = theil_sen(spent[early], y[early]), theil_sen(spent[late], y[late])
    if first.high >= 0 or second.high >= 0 or second.value > 0.5 * first.value:
        return None
    steps = (int(loss.steps[0]), log.last_step)
    ratio = second.value / first.value
    seen = f"peak learning rate {peak:.1e}; per update of equal size the loss fell at the end "
    seen += f"{100 * ratio:.0f} % as fast as at the start (a run that settles: near 0 %)"
    return make_finding("lr-too-low", steps, seen, confidence=0.95)


def check_grad_explosion(log: TrainingLog) -> Finding | None:
    """Ten times its trailing median for three steps in a row."""
    norm = log.grad_norm.positive()
    if len(norm) < FEWEST_STEPS:
        return None
    window = min(50, len(norm) // 4)
    level = trailing_median(norm.values, window)
    first, end = longest_run(norm.values > 10 * level)
    if end - first < 3:
        return None
    steps = (step_at(norm.steps, first), step_at(norm.steps, end - 1))
    most = float(norm.values[first:end].max())
    seen = f"gradient norm up to {most:.3g}, {most / level[first]:.0f} times its level, "
    return make_finding("grad-explosion", steps, seen + f"for {end - first} steps in a row")


def check_grad_vanishing(log: TrainingLog) -> Finding | None:
    """Zero from the start, or a thousandth of what it was while there is loss left to learn from:
    what is known by heart has no gradient either."""
    norm = log.grad_norm.finite()
    if len(norm) < 20 or _is_learned(log.loss.positive()):
        return None
    values = norm.values
    tail = values[-max(10, len(values) // 5) :]
    early = float(np.median(values[: max(5, len(values) // 10)]))
    late = float(np.median(tail))
    if late > 1e-7 and (early <= 0 or late > 1e-3 * early):
        return None
    small = values <= max(1e-7, 1e-3 * early)
    first, end = longest_run(small)
    steps = (step_at(norm.steps, first), step_at(norm.steps, end - 1))
    return make_finding(
        "grad-vanishing", steps, f"gradient norm {late:.2g} at the end, {early:.2g} at the start"
    )


def _is_learned(loss: Series) -> bool:
    """At the end a hundredth of the first loss is left, or less."""
    count = max(5, len(loss) // 10)
    return len(loss) >= 20 and bool(
        np.median(loss.values[-count:]) <= 0.01 * np.median(loss.values[:count])
    )


def check_no_warmup(log: TrainingLog) -> Finding | None:
    """Full rate at the first step; only where the log is fine enough to have shown a warmup."""
    rate = log.learning_rate.finite()
    if len(rate) < 20:
        return None
    total = log.total_steps or int(rate.steps[-1])
    peak = float(rate.values.max())
    if rate.steps[0] > max(1, 0.005 * total) or peak <= 0 or rate.values[0] < 0.95 * peak:
        return None
    first = int(rate.steps[0])
    seen = f"learning rate {rate.values[0]:.1e} at step {first}, its peak is {peak:.1e}"
    return make_finding("no-warmup", (first, first), seen)


def check_schedule_flat(log: TrainingLog) -> Finding | None:
    """The same rate for the last half of a finished run."""
    rate = log.learning_rate.positive()
    if len(rate) < 20:
        return None
    total = log.total_steps
    if total is not None and rate.steps[-1] < 0.95 * total:
        return None
    half = rate.values[len(rate) // 2 :]
    if float(half.max() - half.min()) > _FLAT * float(half.max()):
        return None
    steps = (step_at(rate.steps, len(rate) // 2), int(rate.steps[-1]))
    return make_finding(
        "schedule-flat", steps, f"learning rate {half[-1]:.1e} throughout the last half of the run"
    )


def _peak_index(log: TrainingLog, loss: Series) -> int:
    """Index among losses where the rate first stands at its peak; a tenth without a rate column."""
    rate = log.learning_rate.positive()
    if len(rate) < 5:
        return len(loss) // 10
    at = int(rate.steps[int(np.argmax(rate.values >= 0.999 * rate.values.max()))])
    return int(np.searchsorted(loss.steps, at))


def _high_rate(log: TrainingLog, loss: Series) -> BoolArray:
    """Which losses were made at more than half of the peak rate."""
    rate = log.learning_rate.positive()
    if len(rate) < 5:
        return np.ones(len(loss), dtype=bool)
    return np.asarray(np.interp(loss.steps, rate.steps, rate.values) > 0.5 * rate.values.max())
