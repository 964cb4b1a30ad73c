"""Paired bootstrap: the interval of a mean over users."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_CHUNK = 2_000_000  # drawn values held at once


class MeanInterval(NamedTuple):
    """A mean and its percentile interval."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    values: Float[np.ndarray, " n_users"], *, n_resamples: int, confidence: float, seed: int
) -> MeanInterval:
    """Return the mean of per-user values and its percentile interval.

    Two models are compared by giving their differences per user: the pairing removes what
    makes a user easy or hard for both.

    Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: one value or difference per user, at least one.
        n_resamples: number of resamples of the users.
        confidence: between 0 and 1.
        seed: which resamples.

    Raises:
        ValueError: there are no values, or one is not finite.
    """
    n_users = len(values)
    if not n_users:
        raise ValueError("values must hold at least one user, got none")
    if not np.isfinite(values).all():
        raise ValueError(f"values must be finite, got {values[~np.isfinite(values)][0]}")
    rng = np.random.default_rng(seed)
    means = np.empty(n_resamples)
    step = max(1, _CHUNK // n_users)
    for start in range(0, n_resamples, step):
        stop = min(start + step, n_resamples)
        means[start:stop] = values[rng.integers(0, n_users, (stop - start, n_users))].mean(axis=1)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return MeanInterval(float(values.mean()), float(low), float(high))
