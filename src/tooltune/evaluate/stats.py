"""Intervals and paired tests for counts of cases done right. An undefined number is None with a
reason, never 0."""

from dataclasses import dataclass
from math import comb, sqrt
from typing import Any

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share in [0, 1] with its 95 % interval; all None, with `why`, where nothing was counted."""

    n: int
    rate: float | None
    low: float | None
    high: float | None
    why: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Without `n`, which stands once for base and tuned."""
        value: dict[str, Any] = {"rate": self.rate, "low": self.low, "high": self.high}
        return value if self.why is None else {**value, "why": self.why}


@dataclass(frozen=True, slots=True)
class Paired:
    """McNemar's exact test on the same cases; `p` is None, with `why`, where no case differs."""

    base_only: int
    tuned_only: int
    p: float | None
    why: str | None = None

    def to_dict(self) -> dict[str, Any]:
        value = {"base_only": self.base_only, "tuned_only": self.tuned_only, "p": self.p}
        return value if self.why is None else {**value, "why": self.why}


def wilson(right: int, n: int) -> Rate:
    """Wilson's score interval (Wilson 1927): honest at small n and near 0 and 1."""
    assert 0 <= right <= n
    if n == 0:
        return Rate(0, None, None, None, "no cases")
    rate = right / n
    scale = 1 + Z_95**2 / n
    center = (rate + Z_95**2 / (2 * n)) / scale
    half = Z_95 * sqrt(rate * (1 - rate) / n + Z_95**2 / (4 * n**2)) / scale
    low = 0.0 if right == 0 else center - half
    high = 1.0 if right == n else center + half
    return Rate(n, rate, low, high)


def mcnemar(base_only: int, tuned_only: int) -> Paired:
    """Two-sided exact test: of the cases only one model got right, is a coin fair?"""
    differing = base_only + tuned_only
    if differing == 0:
        return Paired(0, 0, None, "both models got the same cases right")
    tail = sum(comb(differing, k) for k in range(min(base_only, tuned_only) + 1))
    return Paired(base_only, tuned_only, min(1.0, 2 * tail / 2**differing))
