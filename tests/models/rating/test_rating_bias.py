"""Mean and biases of ratings: by hand, shrunken, on the scale, cold ones by the rule."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.rating.rating_bias import fit_rating_bias
from models.rating.rating_model import RatingModel
from tests.models.contract import ModelContract

USERS, ITEMS = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 2, 1])
R = sp.csr_array((np.array([5.0, 3.0, 4.0, 1.0, 2.0]), (USERS, ITEMS)), shape=(4, 4))


class TestRatingBias(ModelContract):
    """The contract of every model."""

    def fit(self, X):
        """As configured by default."""
        return fit_rating_bias(X, item_l2=25.0, user_l2=10.0)


def test_biases_are_those_computed_by_hand():
    """Mean 3; item 0: (2 + 1) / (2 + 1); user 0: (5 - 3 - 1 + 3 - 3 + 1/3) / (2 + 2)."""
    model = fit_rating_bias(R, item_l2=1.0, user_l2=2.0)
    np.testing.assert_allclose(model.bias, [1.0, -1 / 3, -1.0, 0.0], rtol=1e-6)
    own = 3.0 + (1.0 + 1 / 3) / 4
    found = model.predict_ratings(R, np.array([0, 0]), np.array([0, 2]))
    np.testing.assert_allclose(found, [own + 1.0, own - 1.0], rtol=1e-6)
    assert isinstance(model, RatingModel)


def test_a_rating_of_zero_is_a_rating():
    """It is stored, and pulls its item down."""
    zero = sp.csr_array((np.array([0.0, 4.0]), (np.array([0, 1]), np.array([0, 1]))), shape=(2, 2))
    model = fit_rating_bias(zero, item_l2=1.0, user_l2=1.0)
    np.testing.assert_allclose(model.bias, [-1.0, 1.0])
    assert model.rated.tolist() == [True, True]


def test_cold_pairs_get_the_mean_and_all_are_on_the_scale():
    """User 3 has no rating, nor has item 3; more items change nothing of the others."""
    model = fit_rating_bias(R, item_l2=0.1, user_l2=0.1)
    wide = model.laid_over(np.array([True, True, True, False, False]))
    rows = sp.csr_array((R.data, R.indices, R.indptr), shape=(4, 5))
    row, item = np.array([0, 3, 0, 0]), np.array([0, 0, 3, 4])
    found = wide.predict_ratings(rows, row, item)
    np.testing.assert_allclose(found[1:], 3.0)
    liking = sp.csr_array((np.array([5.0]), (np.array([0]), np.array([1]))), shape=(1, 4))
    assert model.encode(liking)[0] @ model.decoder[0] > 5.5
    assert model.predict_ratings(liking, np.array([0]), np.array([0])) == [5.0]
    assert (wide.encode(rows) @ wide.decoder.T).shape == (4, 5)
    np.testing.assert_array_equal(found[:3], model.predict_ratings(R, row[:3], item[:3]))


@given(st.floats(0.1, 100.0), st.floats(0.1, 100.0))
def test_more_weight_means_smaller_biases(l2, more):
    """Of an item, whatever its ratings."""
    small, large = (fit_rating_bias(R, item_l2=each, user_l2=1.0).bias for each in (l2, l2 + more))
    assert (np.abs(large) <= np.abs(small) + 1e-7).all()


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"item_l2": 0.0}, "item_l2 must be positive, got 0.0"),
    ({"user_l2": -1.0}, "user_l2 must be positive, got -1.0"),
])  # fmt: skip
def test_weights_must_be_positive(settings, sentence):
    """0 would divide by it where nothing is rated."""
    with pytest.raises(ValueError, match=sentence):
        fit_rating_bias(R, **{"item_l2": 1.0, "user_l2": 1.0} | settings)
