"""Robust statistics of noisy curves: medians, scales, slopes with intervals, change points.

Everything runs on arrays; curves longer than a few hundred points are cut into blocks first, so a
log of a million rows costs as much as one of a thousand.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from tooltune.diagnose.log import FloatArray, IntArray

MAD_SCALE = 1.4826
"""Median absolute deviation -> standard deviation of a normal distribution."""
MEDIAN_SE = 1.2533
"""Standard error of a median, in units of sigma / sqrt(n)."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Change per unit of x, with a bootstrap interval of 95 %."""

    value: float
    low: float
    high: float


def mad_sigma(values: FloatArray) -> float:
    """Robust standard deviation; 0.0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    return float(MAD_SCALE * np.median(np.abs(values - np.median(values))))


def noise_sigma(values: FloatArray) -> float:
    """Standard deviation of the noise around a smooth curve, from first differences."""
    return mad_sigma(np.diff(values)) / np.sqrt(2) if len(values) > 2 else 0.0


def curvature_sigma(values: FloatArray) -> float:
    """The same from second differences: right for short curves that fall steeply."""
    return mad_sigma(np.diff(values, 2)) / np.sqrt(6) if len(values) > 4 else 0.0


def median_se(sigma: float, count: int) -> float:
    return float(MEDIAN_SE * sigma / np.sqrt(max(1, count)))


def trailing_median(values: FloatArray, window: int) -> FloatArray:
    """Median of the `window` values before each one (itself not included); NaN for the first.

    Evaluated at 20,000 places at most and held in between.
    """
    out = np.full(len(values), np.nan)
    if len(values) <= window:
        return out
    stride = max(1, len(values) // 20_000)
    windows = np.lib.stride_tricks.sliding_window_view(values, window)[:-1:stride]
    medians = np.median(windows, axis=1)
    held = np.repeat(medians, stride)[: len(values) - window]
    out[window : window + len(held)] = held
    return out


def block_medians(x: FloatArray, y: FloatArray, blocks: int) -> tuple[FloatArray, FloatArray]:
    """Cut into at most `blocks` runs of equal size; the median of each."""
    blocks = min(blocks, len(y))
    edges = np.linspace(0, len(y), blocks + 1).astype(int)
    pairs = [(a, b) for a, b in itertools.pairwise(edges) if b > a]
    middle_x = np.array([np.median(x[a:b]) for a, b in pairs])
    middle_y = np.array([np.median(y[a:b]) for a, b in pairs])
    return middle_x, middle_y


def theil_sen(x: FloatArray, y: FloatArray, *, blocks: int = 24, draws: int = 300) -> Slope:
    """Median of pairwise slopes of block medians; the interval resamples residuals of blocks.

    Blocks absorb short-range correlation, which a point-wise bootstrap would ignore.
    """
    if len(y) < 3:
        return Slope(0.0, -np.inf, np.inf)
    block_x, block_y = block_medians(x, y, blocks)
    value = _pairwise_slope(block_x, block_y[None, :])[0]
    fitted = value * block_x
    residual = block_y - fitted - np.median(block_y - fitted)
    if len(block_y) < 4:
        return Slope(float(value), -np.inf, np.inf)
    rng = np.random.default_rng(0)
    picked = residual[rng.integers(0, len(residual), (draws, len(residual)))]
    # Residuals of a fit are too small by its degrees of freedom.
    picked *= np.sqrt(len(residual) / (len(residual) - 2))
    drawn = _pairwise_slope(block_x, fitted[None, :] + picked)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Slope(float(value), float(low), float(high))


def _pairwise_slope(x: FloatArray, y_BN: FloatArray) -> FloatArray:
    first, second = np.triu_indices(len(x), 1)
    dx = x[second] - x[first]
    kept = dx != 0
    slopes = (y_BN[:, second[kept]] - y_BN[:, first[kept]]) / dx[kept]
    return np.asarray(np.median(slopes, axis=1))


def detrend(values: FloatArray, window: int = 25) -> FloatArray:
    """Residual around a centred running median, evaluated on blocks of half a window."""
    if len(values) < 8:
        return values - np.median(values)
    x = np.arange(len(values), dtype=float)
    block_x, block_y = block_medians(x, values, max(4, min(400, 2 * len(values) // window)))
    return np.asarray(values - np.interp(x, block_x, block_y))


def lag1_autocorrelation(values: FloatArray) -> float:
    centred = values - values.mean()
    power = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum() / power) if power > 0 else 0.0


def p_value(z: float) -> float:
    """One-sided, of a normal distribution."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def longest_run(flags: np.ndarray) -> tuple[int, int]:
    """(first, end) indices of the longest run of true values; (0, 0) where there is none."""
    padded = np.concatenate([[False], flags.astype(bool), [False]])
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    if not len(changes):
        return 0, 0
    starts, ends = changes[::2], changes[1::2]
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best])


def step_at(steps: IntArray, index: int) -> int:
    return int(steps[min(max(index, 0), len(steps) - 1)])
