"""Paired bootstrap: intervals of means over users, one draw of users for all metrics."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from models.blas_thread import single_threaded_blas

_CHUNK = 2_000_000  # drawn users held at once
PerUser = dict[str, np.ndarray]  # metric -> one value per user


class MeanInterval(NamedTuple):
    """A mean and its percentile interval."""

    mean: float
    low: float
    high: float


class Estimate(NamedTuple):
    """What is known of the mean of one metric, or of one difference."""

    mean: float
    standard_error: float  # nan of fewer than two users
    low: float
    high: float
    n_users: int  # for whom the metric is defined


class Estimates(NamedTuple):
    """The same of many columns at once."""

    mean: Float[np.ndarray, " n_columns"]
    standard_error: Float[np.ndarray, " n_columns"]
    low: Float[np.ndarray, " n_columns"]
    high: Float[np.ndarray, " n_columns"]
    n_users: Int[np.ndarray, " n_columns"]


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
    if not np.isfinite(values).all():
        raise ValueError(f"values must be finite, got {values[~np.isfinite(values)][0]}")
    got = bootstrap_means(
        values[:, None], n_resamples=n_resamples, confidence=confidence, seed=seed
    )
    return MeanInterval(float(got.mean[0]), float(got.low[0]), float(got.high[0]))


def bootstrap_means(
    values: Float[np.ndarray, "n_users n_columns"],
    *,
    n_resamples: int,
    confidence: float,
    seed: int,
) -> Estimates:
    """Return mean, standard error and percentile interval of every column.

    Every resample of users serves all columns: a matrix of how often each user was drawn times
    the values. Memory is bounded, whatever the numbers of users and resamples.

    Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: a metric or a difference per column; a user of nan takes no part in a column.
        n_resamples: number of resamples of the users.
        confidence: between 0 and 1.
        seed: which resamples; the same for as many users, so that figures of one night go
            together.

    Returns:
        One number per column; nan of a column without a defined value.

    Raises:
        ValueError: there are no users, a value is infinite, or confidence is not between 0 and 1.
    """
    n_users = len(values)
    if not n_users:
        raise ValueError("values must hold at least one user, got none")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    if np.isinf(values).any():
        raise ValueError("values must be finite or nan, got inf")
    defined = ~np.isnan(values)
    n = defined.sum(axis=0)
    filled = np.where(defined, values, 0.0).astype(np.float64)
    mean = filled.sum(axis=0) / _or_nan(n)
    squares = np.where(defined, np.square(filled - mean), 0.0).sum(axis=0)
    error = np.sqrt(squares / _or_nan(n * (n - 1.0)))
    means = _resampled(filled, defined, n_resamples, np.random.default_rng(seed))
    tail = (1.0 - confidence) / 2.0
    low, high = _quantiles(means, tail)
    return Estimates(mean, error, low, high, n)


def resampled_means(
    values: Float[np.ndarray, "n_users n_columns"], *, n_resamples: int, seed: int
) -> Float[np.ndarray, "n_resamples n_columns"]:
    """Return the means of every column in every resample of the users, those of bootstrap_means.

    For figures that are not means themselves, but made of some.

    Args:
        values: finite, at least one row.
        n_resamples: number of resamples of the users.
        seed: which resamples.

    Raises:
        ValueError: there are no users, or a value is not finite.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"values must be finite and of at least one user, got {len(values)} rows")
    filled = values.astype(np.float64)
    rng = np.random.default_rng(seed)
    return _resampled(filled, np.ones(filled.shape, bool), n_resamples, rng)


def estimate_all(
    values: PerUser, *, n_resamples: int, confidence: float, seed: int
) -> dict[str, Estimate]:
    """Return mean, standard error and interval of every metric, from one draw of users.

    Args:
        values: one array over the same users per metric; nan takes no part.
        n_resamples: as bootstrap_means.
        confidence: as bootstrap_means.
        seed: as bootstrap_means.

    Raises:
        ValueError: as bootstrap_means, or the arrays are not equally long.
    """
    if not values:
        return {}
    shapes = {array.shape for array in values.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"every metric must be an array over the same users, got {sorted(shapes)}")
    table = np.stack([array.astype(np.float64) for array in values.values()], axis=1)
    got = bootstrap_means(table, n_resamples=n_resamples, confidence=confidence, seed=seed)
    columns = zip(*(column.tolist() for column in got), strict=True)
    return {name: Estimate(*column) for name, column in zip(values, columns, strict=True)}


def differences(ours: PerUser, theirs: PerUser) -> PerUser:
    """Return ours minus theirs user by user, of the metrics that both have for every user."""
    return {
        name: values - theirs[name]
        for name, values in ours.items()
        if name in theirs and values.ndim == 1
    }


def _resampled(
    filled: np.ndarray, defined: np.ndarray, n_resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the means of every resample, shape (n_resamples, n_columns)."""
    n_users, everywhere = len(filled), defined.all()
    means = np.empty((n_resamples, filled.shape[1]))
    step = max(1, _CHUNK // n_users)
    with single_threaded_blas():  # same seed, same bits, however many processors
        for start in range(0, n_resamples, step):
            rows = min(step, n_resamples - start)
            drawn = rng.integers(0, n_users, (rows, n_users))
            drawn += np.arange(rows)[:, None] * n_users
            times = np.bincount(drawn.ravel(), minlength=rows * n_users).reshape(rows, n_users)
            weight = times.astype(np.float64)
            n = n_users if everywhere else _or_nan(weight @ defined.astype(np.float64))
            means[start : start + rows] = weight @ filled / n
    return means


def _quantiles(means: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.full((2, means.shape[1]), np.nan)
    known = ~np.isnan(means).all(axis=0)
    if known.any():
        low[known], high[known] = np.nanquantile(means[:, known], [tail, 1.0 - tail], axis=0)
    return low, high


def _or_nan(counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, counts, np.nan)
