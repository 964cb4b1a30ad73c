"""What a model of ratings says of the ratings in a test file, and by which rules."""

import numpy as np

from models.fitted_model import FittedModel
from models.rating.rating_estimate import RatingFigure, RatingSums, estimate_ratings, rating_sums
from models.rating.rating_model import RatingModel
from tasks.evaluating.fixed_split import AskedRatings, AskedRows, TrainRows


def rating_errors(model: FittedModel, rows: TrainRows, asked: AskedRows) -> dict[str, RatingFigure]:
    """Return rmse and mae over the ratings asked, nothing of a model that predicts none."""
    ratings = asked.ratings
    if ratings is None or not isinstance(model, RatingModel):
        return {}
    predicted = predicted_ratings(model, rows, asked, ratings)
    return estimate_ratings(predicted, ratings.rating, ratings.row, n_users=len(asked.user))


def sums_per_user(model: FittedModel, rows: TrainRows, asked: AskedRows) -> RatingSums | None:
    """Return the sums of errors of every judged user, None of a model that predicts none."""
    ratings = asked.ratings
    if ratings is None or not isinstance(model, RatingModel):
        return None
    predicted = predicted_ratings(model, rows, asked, ratings)
    return rating_sums(predicted, ratings.rating, ratings.row, n_users=len(asked.user))


def predicted_ratings(
    model: RatingModel, rows: TrainRows, asked: AskedRows, ratings: AskedRatings
) -> np.ndarray:
    """Return what a model predicts for the ratings asked, float64, on the scale.

    The model is shown the users' ratings in train and nothing of the test file.
    """
    there = ratings.item >= 0
    found = np.full(len(ratings.item), model.scale.fallback, dtype=np.float64)
    found[there] = model.predict_ratings(
        rows.X[asked.user], ratings.row[there], ratings.item[there]
    )
    return found


def rating_rule(model: FittedModel, asked: AskedRows) -> dict[str, str]:
    """Return in words on what rmse and mae stand, nothing for a model that predicts none."""
    ratings = asked.ratings
    if ratings is None or not isinstance(model, RatingModel):
        return {}
    low, high, fallback = model.scale
    return {
        "ratings": f"rmse and mae are over the {len(ratings.item):,} test ratings of judged users, "
        f"predictions clipped to {low:g} to {high:g}; an item without a rating in train gets "
        f"{fallback:.4g} ({int((ratings.item < 0).sum()):,} ratings); standard errors are of draws "
        "of users; lists are by predicted rating"
    }
