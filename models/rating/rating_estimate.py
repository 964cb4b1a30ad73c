"""Errors of predicted ratings as figures: how large, and how surely, users being drawn."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from models.rating.rating_metric import mae, rmse
from models.statistics.bootstrap import Estimate, resampled_means

Ratings = Float[np.ndarray, " n_ratings"]


class RatingSums(NamedTuple):
    """Sums over the ratings of every user: what errors over all ratings are made of."""

    squared: Float[np.ndarray, " n_users"]
    absolute: Float[np.ndarray, " n_users"]
    n_ratings: Float[np.ndarray, " n_users"]


class RatingFigure(NamedTuple):
    """An error over all ratings."""

    mean: float
    standard_error: float  # nan of a single user


def rating_sums(
    predicted: Ratings, observed: Ratings, user: Int[np.ndarray, " n_ratings"], *, n_users: int
) -> RatingSums:
    """Return the sums of errors of every user.

    Args:
        predicted: finite.
        observed: in the same order.
        user: whose rating it is.
        n_users: of them.

    Raises:
        ValueError: a prediction is not finite.
    """
    if not np.isfinite(predicted).all():
        wrong = predicted[~np.isfinite(predicted)][0]
        raise ValueError(f"every predicted rating must be finite, got {wrong}")
    error = np.abs(predicted.astype(np.float64) - observed)
    squared, absolute = (np.bincount(user, each, n_users) for each in (np.square(error), error))
    return RatingSums(squared, absolute, np.bincount(user, minlength=n_users).astype(np.float64))


def estimate_ratings(
    predicted: Ratings, observed: Ratings, user: Int[np.ndarray, " n_ratings"], *, n_users: int
) -> dict[str, RatingFigure]:
    """Return rmse and mae over all ratings, with standard errors for draws of users.

    A user's ratings go together: the error is that of a ratio of sums over users (Cochran,
    Sampling Techniques, 1977, section 6.4), of the root by the delta method.

    Args:
        predicted: finite.
        observed: in the same order.
        user: whose rating it is.
        n_users: of them.

    Raises:
        ValueError: there is no rating, or a prediction is not finite.
    """
    if not len(observed):
        raise ValueError("an error must be of at least one rating, got none")
    sums = rating_sums(predicted, observed, user, n_users=n_users)
    root = rmse(predicted, observed)
    squared = _ratio_error(sums.squared, sums.n_ratings)
    return {
        "rmse": RatingFigure(root, squared / (2.0 * root) if root else squared),
        "mae": RatingFigure(mae(predicted, observed), _ratio_error(sums.absolute, sums.n_ratings)),
    }


def bootstrap_ratings(
    models: Mapping[str, RatingSums],
    reference: str | None,
    *,
    n_resamples: int,
    confidence: float,
    seed: int,
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """Return rmse and mae of every model, and how those of all but one differ from its.

    All are percentiles of the same draws of users; standard errors are those of the draws.

    Args:
        models: sums over the same ratings.
        reference: the model that is subtracted from the others, if any.
        n_resamples: number of draws.
        confidence: between 0 and 1.
        seed: of the draws.
    """
    whole, drawn = {}, {}
    for name, sums in models.items():
        table = np.stack(sums, axis=1)
        means = resampled_means(table, n_resamples=n_resamples, seed=seed)
        whole[name], drawn[name] = _errors(table.mean(axis=0)[None]), _errors(means)
    n_users = {name: int(np.count_nonzero(sums.n_ratings)) for name, sums in models.items()}
    told = {
        name: _estimates(whole[name], drawn[name], confidence, n_users[name]) for name in models
    }
    others = [name for name in models if reference in models and name != reference]
    lost = {
        name: _estimates(
            _less(whole[name], whole[str(reference)]), _less(drawn[name], drawn[str(reference)]),
            confidence, n_users[name],
        )
        for name in others
    }  # fmt: skip
    return told, lost


def _errors(means: np.ndarray) -> dict[str, np.ndarray]:
    squared, absolute, n_ratings = np.moveaxis(means, -1, 0)
    n_ratings = np.where(n_ratings > 0, n_ratings, np.nan)  # of a draw without a rating
    return {"rmse": np.sqrt(squared / n_ratings), "mae": absolute / n_ratings}


def _less(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: ours[name] - theirs[name] for name in ours}


def _estimates(
    whole: dict[str, np.ndarray], drawn: dict[str, np.ndarray], confidence: float, n_users: int
) -> dict[str, Estimate]:
    tail = (1.0 - confidence) / 2.0
    found = {}
    for name, values in drawn.items():
        known = values[np.isfinite(values)]
        low, high = np.quantile(known, [tail, 1.0 - tail])
        error = float(known.std(ddof=1)) if n_users > 1 else float("nan")
        found[name] = Estimate(float(whole[name][0]), error, float(low), float(high), n_users)
    return found


def _ratio_error(total: np.ndarray, count: np.ndarray) -> float:
    """Return the standard error of sum(total) / sum(count), users without a rating left out."""
    total, count = total[count > 0], count[count > 0]
    n = len(count)
    if n < 2:
        return float("nan")
    left = total - total.sum() / count.sum() * count
    return float(np.sqrt(np.square(left).sum() * n / (n - 1.0)) / count.sum())
