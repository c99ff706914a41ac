"""Labelled training logs from stated random processes, for setting and reporting thresholds.

A healthy run: loss decays exponentially in the learning rate spent, from a start of 0.8 to 3 to a
floor of 5 to 60 % of it; every step carries multiplicative noise of 6 to 20 % with the heavy tails
of Student's t with 5 degrees of freedom; gradient norm falls with the loss (noise 25 %); warmup 3
to 10 %, then cosine or linear decay to zero; validation at 8 to 20 places with noise of 0.6 %; 120
to 2,943 steps. Of the healthy logs some keep every fifth or tenth step, round to four decimals, or
lack gradient norm, validation or the base model's loss. A sick run changes one thing, as its
function says.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LENGTHS = (120, 245, 500, 1000, 2943)
Row = dict[str, Any]


@dataclass
class Run:
    """Columns of a run while it is made; `expected` are the findings that must be reported."""

    random: np.random.Generator
    expected: frozenset[str]
    steps: np.ndarray
    level: np.ndarray
    """The loss without its noise."""
    loss: np.ndarray
    grad_norm: np.ndarray
    learning_rate: np.ndarray
    throughput: np.ndarray
    validation: dict[int, float]
    base_loss: float
    warmup: int
    noise: float
    allowed: frozenset[str] = field(default_factory=frozenset)
    """Findings that describe the same illness and are no false alarm."""
    dropped: set[int] = field(default_factory=set)
    repeated: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.steps)

    def rows(self) -> list[Row]:
        rows = []
        for index, step in enumerate(self.steps.tolist()):
            if step in self.dropped:
                continue
            row: Row = {
                "step": step,
                "total_steps": self.count,
                "base_loss": self.base_loss,
                "loss": float(self.loss[index]),
                "grad_norm": float(self.grad_norm[index]),
                "learning_rate": float(self.learning_rate[index]),
                "tokens_per_second": float(self.throughput[index]),
            }
            if step in self.validation:
                row["validation_loss"] = self.validation[step]
            rows.append(row)
            if step in self.repeated:  # a resume computed these steps again
                first = max(0, len(rows) - 20)
                again = [{**row, "loss": row["loss"] * 1.07} for row in rows[first:]]
                rows += again
        return rows


def healthy(seed: int, *, count: int | None = None) -> Run:
    random = np.random.default_rng([seed, 11])
    count = count or int(random.choice(LENGTHS))
    steps = np.arange(1, count + 1)
    warmup = max(1, round(count * random.uniform(0.03, 0.10)))
    rate = schedule(count, warmup, random.choice(["cosine", "linear"]), 2e-4)
    start = random.uniform(0.8, 3.0)
    floor = start * random.uniform(0.05, 0.6)
    spent = np.cumsum(rate) / rate.sum()
    level = floor + (start - floor) * np.exp(-spent / random.uniform(0.05, 0.2))
    run = Run(
        random=random,
        expected=frozenset(),
        steps=steps,
        level=level,
        loss=level,
        grad_norm=level,
        learning_rate=rate,
        throughput=1000 * np.exp(random.normal(0, 0.1, count)),
        validation={},
        base_loss=start,
        warmup=warmup,
        noise=random.uniform(0.06, 0.20),
    )
    return observe(run)


def thinned(run: Run) -> list[Row]:
    """The rows of a healthy run as other trainers log them."""
    every = int(run.random.choice([1, 1, 5, 10]))
    lacking = {"grad_norm", "validation_loss", "base_loss", "tokens_per_second", "total_steps"}
    lacking = {name for name in sorted(lacking) if run.random.random() < 0.25}
    rows = []
    for row in run.rows():
        kept = {name: value for name, value in row.items() if name not in lacking}
        if row["step"] % every:  # validation is logged apart from training, as transformers does
            if "validation_loss" not in kept:
                continue
            kept = {name: kept[name] for name in ("step", "validation_loss")}
        rows.append({k: round(v, 4) if k == "loss" else v for k, v in kept.items()})
    return rows


def observe(run: Run, *, validation: np.ndarray | None = None) -> Run:
    """Draw loss, gradient norm and validation around `level` (or a validation level of its own)."""
    random = run.random
    noise = random.standard_t(5, run.count) / math.sqrt(5 / 3)
    run.loss = run.level * np.exp(run.noise * noise)
    share = run.level / run.level[0]
    run.grad_norm = (0.3 + 0.7 * share) * np.exp(random.normal(0, 0.25, run.count))
    places = np.unique(
        np.linspace(run.count / 20, run.count, int(random.integers(8, 21))).astype(int)
    )
    known = run.level if validation is None else validation
    run.validation = {
        int(step): float(1.03 * known[step - 1] * math.exp(random.normal(0, 0.006)))
        for step in places
    }
    return run


def schedule(count: int, warmup: int, kind: str, peak: float) -> np.ndarray:
    steps = np.arange(1, count + 1)
    done = np.clip((steps - warmup) / max(1, count - warmup), 0, 1)
    decay = (1 + np.cos(np.pi * done)) / 2 if kind == "cosine" else 1 - done
    return peak * np.where(steps < warmup, steps / warmup, np.maximum(decay, 1e-6))


def overfitting(seed: int) -> Run:
    """Validation turns at 25 to 60 % of the run and rises to 1.1 to 1.8 times its lowest."""
    run = healthy(seed)
    turn = int(run.count * run.random.uniform(0.25, 0.6))
    rise = np.log(run.random.uniform(1.1, 1.8)) * np.clip(
        (run.steps - turn) / (run.count - turn), 0, 1
    )
    run.expected, run.allowed = frozenset({"overfitting"}), frozenset({"generalization-gap"})
    return observe(run, validation=run.level * np.exp(rise))


def not_learning(seed: int) -> Run:
    """The level never moves."""
    run = healthy(seed)
    run.level = np.full(run.count, run.base_loss)
    run.expected = frozenset({"not-learning"})
    return observe(run)


def plateau(seed: int) -> Run:
    """All is learned in the first fifth; noise of 6 to 12 %, or 10 % of a fall would be hidden."""
    run = healthy(seed, count=int(np.random.default_rng(seed).choice([1000, 2943])))
    run.noise *= 0.6
    floor = 0.4 * run.base_loss
    run.level = floor + (run.base_loss - floor) * np.exp(-run.steps / (0.03 * run.count))
    run.expected = frozenset({"plateau"})
    return observe(run)


def generalization_gap(seed: int) -> Run:
    """Validation falls to 1.8 to 4 times the training level and stays there."""
    run = healthy(seed)
    share = (run.level - run.level[-1]) / (run.level[0] - run.level[-1])
    run.level = run.base_loss * (0.3 + 0.7 * share)
    ratio = run.random.uniform(1.8, 2.8)
    spent = np.clip(run.steps / (0.4 * run.count), 0, 1)
    run.expected = frozenset({"generalization-gap"})
    settled = np.maximum(run.level * (1 + (ratio - 1) * spent), run.level[-1] * ratio)
    return observe(run, validation=np.minimum(settled, run.base_loss))


def initial_loss_high(seed: int) -> Run:
    """The first steps stand far above the base model's loss, and fall fast."""
    run = healthy(seed)
    wrong = run.random.uniform(8.5, 12.5)
    run.level = run.level + (wrong - run.base_loss) * np.exp(-run.steps / (0.1 * run.count))
    run.expected = frozenset({"initial-loss-high"})
    return observe(run)


def initial_loss_low(seed: int) -> Run:
    """The answer stands in the prompt: 2 to 10 % of the base model's loss from the start."""
    run = healthy(seed)
    run.level = run.level * run.random.uniform(0.02, 0.1)
    run.expected = frozenset({"initial-loss-low"})
    run.allowed = frozenset({"generalization-gap"})
    return observe(run)


def nan(seed: int) -> Run:
    """From some step on nothing is a number."""
    run = healthy(seed)
    at = int(run.count * run.random.uniform(0.1, 0.9))
    run.loss[at:] = np.nan
    run.grad_norm[at:] = np.nan
    run.expected = frozenset({"nan"})
    return run


def spike(seed: int) -> Run:
    """One step at 3 to 6 times the level with a tenfold gradient; 5 to 40 steps to recover."""
    run = healthy(seed)
    at = int(run.count * run.random.uniform(0.3, 0.8))
    length = int(run.random.integers(5, min(40, run.count // 8) + 1))
    fade = np.exp(-np.arange(run.count - at) / (length / 3))
    run.loss[at:] *= 1 + (run.random.uniform(3, 6) - 1) * fade
    run.grad_norm[at] *= run.random.uniform(8, 20)
    run.expected = frozenset({"spike"})
    return run


def divergence(seed: int) -> Run:
    """From 40 to 70 % of the run the loss climbs to 1.5 to 4 times its level."""
    run = healthy(seed)
    turn = int(run.count * run.random.uniform(0.4, 0.7))
    climb = np.log(run.random.uniform(1.5, 4)) * np.clip(
        (run.steps - turn) / (run.count - turn), 0, 1
    )
    run.level = run.level * np.exp(climb)
    run.expected = frozenset({"divergence"})
    run.allowed = frozenset({"overfitting"})
    return observe(run)


def lr_too_high(seed: int) -> Run:
    """Half: the loss doubles to quadruples in the warmup. Half: it alternates at high rate."""
    run = healthy(seed)
    run.expected = frozenset({"lr-too-high"})
    run.learning_rate = run.learning_rate * 50
    if seed % 2:
        up = np.log(run.random.uniform(2, 4)) * np.clip(run.steps / run.warmup, 0, 1)
        run.level = np.maximum(run.base_loss * np.exp(up) * np.exp(-run.steps / run.count), 0.1)
        run.allowed = frozenset({"divergence", "not-learning", "generalization-gap"})
        return observe(run)
    observe(run)
    high = run.learning_rate > 0.5 * run.learning_rate.max()
    swing = np.where(run.steps % 2 == 0, 1, -1) * high * run.random.uniform(0.3, 0.6)
    run.loss = run.loss * np.exp(swing * run.random.uniform(0.7, 1.3, run.count))
    return run


def lr_too_low(seed: int) -> Run:
    """The loss falls in proportion to the rate spent, 25 to 50 % in all: no sign of a floor."""
    run = healthy(seed, count=int(np.random.default_rng(seed).choice([500, 1000, 2943])))
    run.learning_rate = run.learning_rate / 20
    spent = np.cumsum(run.learning_rate) / run.learning_rate.sum()
    run.level = run.base_loss * (1 - run.random.uniform(0.25, 0.5) * spent)
    run.expected = frozenset({"lr-too-low"})
    return observe(run)


def grad_explosion(seed: int) -> Run:
    """Gradient norm at 20 to 200 times its level for 4 to 12 steps."""
    run = healthy(seed)
    at = int(run.count * run.random.uniform(0.4, 0.9))
    end = at + int(run.random.integers(4, 13))
    run.grad_norm[at:end] *= run.random.uniform(20, 200)
    run.expected, run.allowed = frozenset({"grad-explosion"}), frozenset({"spike"})
    return run


def grad_vanishing(seed: int) -> Run:
    """From 20 to 60 % of the run on the gradient is next to nothing and the loss stands still."""
    run = healthy(seed)
    at = int(run.count * run.random.uniform(0.2, 0.6))
    run.level[at:] = run.level[at]
    observe(run)
    run.grad_norm[at:] *= 0 if seed % 2 else 1e-4
    run.expected, run.allowed = frozenset({"grad-vanishing"}), frozenset({"plateau"})
    return run


def no_warmup(seed: int) -> Run:
    """Full rate at the first step."""
    run = healthy(seed)
    run.learning_rate = schedule(run.count, 1, "cosine", 2e-4)
    run.expected = frozenset({"no-warmup"})
    return run


def schedule_flat(seed: int) -> Run:
    """Warmup, then one rate to the end."""
    run = healthy(seed)
    run.learning_rate = 2e-4 * np.minimum(1, run.steps / run.warmup)
    run.expected = frozenset({"schedule-flat"})
    return run


def constant_loss(seed: int) -> Run:
    """Zero loss and gradient (all labels masked), or a handful of values (one token supervised)."""
    run = healthy(seed)
    run.expected = frozenset({"constant-loss"})
    if seed % 2:
        run.loss, run.grad_norm = np.zeros(run.count), np.zeros(run.count)
        run.validation = dict.fromkeys(run.validation, 0.0)
        return run
    run.loss = run.random.choice([0.25, 0.5, 0.75], run.count)
    run.allowed = frozenset({"not-learning", "initial-loss-low", "generalization-gap"})
    return run


def throughput_decay(seed: int) -> Run:
    """The last step runs at 45 to 70 % of the first one's speed."""
    run = healthy(seed)
    slower = np.linspace(0, np.log(run.random.uniform(0.45, 0.7)), run.count)
    run.throughput = run.throughput * np.exp(slower)
    run.expected = frozenset({"throughput-decay"})
    return run


def missing_steps(seed: int) -> Run:
    """Half: 20 to 50 steps are gone. Half: a resume computed 20 steps again, otherwise."""
    run = healthy(seed)
    at = int(run.count * run.random.uniform(0.3, 0.6))
    if seed % 2:
        run.dropped = set(range(at, at + int(run.random.integers(20, 50))))
    else:
        run.repeated = [at]
    run.expected = frozenset({"missing-steps"})
    return run


SICK: dict[str, Callable[[int], Run]] = {
    "overfitting": overfitting,
    "not-learning": not_learning,
    "plateau": plateau,
    "generalization-gap": generalization_gap,
    "initial-loss-high": initial_loss_high,
    "initial-loss-low": initial_loss_low,
    "nan": nan,
    "spike": spike,
    "divergence": divergence,
    "lr-too-high": lr_too_high,
    "lr-too-low": lr_too_low,
    "grad-explosion": grad_explosion,
    "grad-vanishing": grad_vanishing,
    "no-warmup": no_warmup,
    "schedule-flat": schedule_flat,
    "constant-loss": constant_loss,
    "throughput-decay": throughput_decay,
    "missing-steps": missing_steps,
}
