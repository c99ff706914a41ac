"""Rules about the run as a process: speed, and the completeness of its log."""

import math

import numpy as np

from tooltune.diagnose.finding import Finding, make_finding
from tooltune.diagnose.log import TrainingLog
from tooltune.diagnose.rules_loss import FEWEST_STEPS
from tooltune.diagnose.statistics import median_se, noise_sigma, p_value, theil_sen

_SLOWER = 0.2


def check_throughput_decay(log: TrainingLog) -> Finding | None:
    """The last fifth is a fifth slower than the first, and the slope agrees."""
    speed = log.throughput.positive()
    if len(speed) < FEWEST_STEPS:
        return None
    # The first steps load, compile and warm caches.
    skipped = max(2, len(speed) // 50)
    y = np.log(speed.values[skipped:])
    fifth = max(8, len(y) // 5)
    drop = float(np.median(y[:fifth]) - np.median(y[-fifth:]))
    error = median_se(noise_sigma(y), fifth) * math.sqrt(2)
    slope = theil_sen(np.linspace(0, 1, len(y)), y)
    if drop < -math.log(1 - _SLOWER) or drop < 4 * error or slope.high >= 0:
        return None
    first, last = np.exp(np.median(y[:fifth])), np.exp(np.median(y[-fifth:]))
    steps = (int(speed.steps[skipped]), int(speed.steps[-1]))
    seen = f"from {first:.4g} to {last:.4g} a second, {100 * (1 - math.exp(-drop)):.0f} % slower"
    return make_finding(
        "throughput-decay", steps, seen, confidence=1 - p_value(drop / max(error, 1e-9))
    )


def check_missing_steps(log: TrainingLog) -> Finding | None:
    """Holes in the regular distance of logged steps, or steps logged twice with other losses."""
    steps = log.loss.steps
    told, places = [], []
    if len(steps) >= 5:
        distance = np.diff(steps)
        usual = int(np.median(distance))
        # A partial last interval is shorter, never longer.
        holes = np.flatnonzero(distance > 1.5 * usual)
        if len(holes) and len(holes) <= 0.2 * len(distance):
            lost = int(sum(math.ceil(distance[hole] / usual) - 1 for hole in holes))
            if lost > log.unreadable:
                told.append(f"{lost} logged steps are missing after step {steps[holes[0]]}")
                places += [int(steps[holes[0]]), int(steps[holes[-1] + 1])]
    repeated = log.disorder.repeated
    if repeated:
        told.append(f"{len(repeated)} steps are logged twice with different losses")
        places += [repeated[0], repeated[-1]]
    if not told:
        return None
    return make_finding("missing-steps", (min(places), max(places)), "; ".join(told))
