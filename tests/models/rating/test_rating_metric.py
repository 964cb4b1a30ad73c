"""Errors of ratings: by hand, per user, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from models.rating.rating_metric import absolute_error_per_user, mae, rmse, squared_error_per_user


def test_another_library_agrees():
    """On random ratings."""
    rng = np.random.default_rng(1)
    predicted, observed = rng.uniform(1, 5, 50), rng.integers(1, 6, 50).astype(float)
    assert rmse(predicted, observed) == pytest.approx(root_mean_squared_error(observed, predicted))
    assert mae(predicted, observed) == pytest.approx(mean_absolute_error(observed, predicted))


def test_per_user():
    """Users weigh alike, however many ratings they gave; one without a rating has no error."""
    predicted, observed = np.array([1.0, 3.0, 5.0]), np.array([2.0, 3.0, 2.0])
    user = np.array([0, 0, 2])
    squared = squared_error_per_user(predicted, observed, user, n_users=3)
    np.testing.assert_array_equal(squared, [0.5, np.nan, 9.0])
    absolute = absolute_error_per_user(predicted, observed, user, n_users=3)
    np.testing.assert_array_equal(absolute, [0.5, np.nan, 3.0])


def test_prediction_that_is_not_finite_is_refused():
    """It is a fault of the model, and nan would hide in a mean."""
    with pytest.raises(ValueError, match="every predicted rating must be finite, got nan"):
        rmse(np.array([1.0, np.nan]), np.array([1.0, 2.0]))


def test_nothing_observed_has_no_error():
    """A mean of nothing is nan, not nought."""
    assert np.isnan(rmse(np.array([]), np.array([])))
    assert np.isnan(mae(np.array([]), np.array([])))
