"""Means over images, and how sure they are."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def bootstrap_interval(
    values: NDArray[np.float64], level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean of `values` (N,), resampling the N with replacement."""
    means = _resampled(len(values), resamples, seed) @ values / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_and_interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """The mean of `values` (N,) and both ends of its 95 % bootstrap interval."""
    return float(values.mean()), *bootstrap_interval(values)


def interval_text(told: tuple[float, float, float], digits: int = 3) -> str:
    """ "0.123 [0.100, 0.150]" of what `mean_and_interval` returns."""
    mean, low, high = (f"{value:.{digits}f}" for value in told)
    return f"{mean} [{low}, {high}]"


@lru_cache(maxsize=2)
def _resampled(count: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each of `count` values is drawn in each resample, `(resamples, count)`; tables need it often."""
    drawn = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    places = drawn + count * np.arange(resamples)[:, None]
    times = np.bincount(places.ravel(), minlength=resamples * count)
    return times.reshape(resamples, count).astype(np.float64)
