"""Errors of predicted ratings, over observed ratings only."""

import numpy as np
from jaxtyping import Float, Int

ERRORS = ("rmse", "mae")  # the smallest is best
Ratings = Float[np.ndarray, " n_ratings"]


def rmse(predicted: Ratings, observed: Ratings) -> float:
    """Return the root of the mean squared error over all ratings; nan of none."""
    return float(np.sqrt(_mean(np.square(_error(predicted, observed)))))


def mae(predicted: Ratings, observed: Ratings) -> float:
    """Return the mean absolute error over all ratings; nan of none."""
    return _mean(np.abs(_error(predicted, observed)))


def goodness(figure: float, metric: str) -> float:
    """Return a figure of any metric such that the largest is best; its own inverse."""
    return -figure if metric in ERRORS else figure


def squared_error_per_user(
    predicted: Ratings, observed: Ratings, user: Int[np.ndarray, " n_ratings"], *, n_users: int
) -> Float[np.ndarray, " n_users"]:
    """Return the mean squared error of every user's ratings; nan of a user without one."""
    return _per_user(np.square(_error(predicted, observed)), user, n_users)


def absolute_error_per_user(
    predicted: Ratings, observed: Ratings, user: Int[np.ndarray, " n_ratings"], *, n_users: int
) -> Float[np.ndarray, " n_users"]:
    """Return the mean absolute error of every user's ratings; nan of a user without one."""
    return _per_user(np.abs(_error(predicted, observed)), user, n_users)


def _error(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Subtract in float64; a prediction that is not finite is a fault, not a large error."""
    if not np.isfinite(predicted).all():
        wrong = predicted[~np.isfinite(predicted)][0]
        raise ValueError(f"every predicted rating must be finite, got {wrong}")
    return predicted.astype(np.float64) - observed


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _per_user(values: np.ndarray, user: np.ndarray, n_users: int) -> np.ndarray:
    n_ratings = np.bincount(user, minlength=n_users)
    return np.bincount(user, values, n_users) / np.where(n_ratings, n_ratings, np.nan)
