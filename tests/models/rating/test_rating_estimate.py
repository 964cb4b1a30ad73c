"""Errors of ratings with intervals: exact means, errors as often as they should be, pairs kept."""

import numpy as np
import pytest

from models.rating.rating_estimate import bootstrap_ratings, estimate_ratings, rating_sums
from models.rating.rating_metric import mae, rmse

HOW = {"n_resamples": 400, "confidence": 0.95, "seed": 1}


def drawn(rng, n_users, spread=1.0):
    """Ratings of users with different numbers of them and different spreads."""
    user = np.repeat(np.arange(n_users), rng.integers(1, 12, n_users))
    noise = rng.standard_normal(len(user)) * rng.uniform(0.5, 1.5, n_users)[user]
    return spread * noise, np.zeros(len(user)), user


def test_means_are_those_over_all_ratings():
    """Not over users; a user without a rating changes nothing."""
    predicted, observed, user = drawn(np.random.default_rng(0), 30)
    found = estimate_ratings(predicted, observed, user, n_users=31)
    assert found["rmse"].mean == pytest.approx(rmse(predicted, observed))
    assert found["mae"].mean == pytest.approx(mae(predicted, observed))
    fewer = estimate_ratings(predicted, observed, user, n_users=30)
    assert found["rmse"].standard_error == pytest.approx(fewer["rmse"].standard_error)
    sums = rating_sums(predicted, observed, user, n_users=31)
    told, lost = bootstrap_ratings({"one": sums}, None, **HOW)
    assert told["one"]["rmse"].mean == pytest.approx(rmse(predicted, observed))
    assert (told["one"]["rmse"].n_users, lost) == (30, {})


def test_standard_errors_are_those_of_repeated_draws():
    """Both ways, within a sixth of the spread over 300 samples of 80 users."""
    rng = np.random.default_rng(3)
    samples = [drawn(rng, 80) for _ in range(300)]
    n_users = {"n_users": 80}
    for name, metric in (("rmse", rmse), ("mae", mae)):
        spread = np.std([metric(predicted, observed) for predicted, observed, _ in samples])
        errors = [estimate_ratings(*each, **n_users)[name].standard_error for each in samples]
        assert np.mean(errors) == pytest.approx(spread, rel=1 / 6)
        told, _ = bootstrap_ratings({"m": rating_sums(*samples[0], **n_users)}, None, **HOW)
        assert told["m"][name].standard_error == pytest.approx(errors[0], rel=1 / 6)


def test_differences_are_paired():
    """A model that is worse by little for everybody is told apart, though both vary much."""
    predicted, observed, user = drawn(np.random.default_rng(5), 60)
    good = rating_sums(predicted, observed, user, n_users=60)
    bad = rating_sums(1.02 * predicted, observed, user, n_users=60)
    told, lost = bootstrap_ratings({"bad": bad, "good": good}, "good", **HOW)
    assert set(lost) == {"bad"}
    assert told["bad"]["rmse"].low < told["good"]["rmse"].high
    gap = lost["bad"]["rmse"]
    assert gap.mean == pytest.approx(told["bad"]["rmse"].mean - told["good"]["rmse"].mean)
    assert 0.0 < gap.low < gap.mean < gap.high


def test_a_single_user_has_no_error():
    """Nobody else was drawn."""
    found = estimate_ratings(np.array([1.0]), np.array([3.0]), np.array([0]), n_users=1)
    assert found["rmse"].mean == 2.0
    assert np.isnan(found["mae"].standard_error)


def test_what_is_no_error_is_refused():
    """No rating at all, and a prediction that is not finite."""
    nothing = np.empty(0)
    with pytest.raises(ValueError, match="at least one rating"):
        estimate_ratings(nothing, nothing, nothing.astype(np.int64), n_users=3)
    with pytest.raises(ValueError, match="must be finite, got nan"):
        rating_sums(np.array([np.nan]), np.array([1.0]), np.array([0]), n_users=1)
