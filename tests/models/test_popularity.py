"""Popularity: one list for all, but for what they have seen."""

from inspect import unwrap

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.popularity import Popularity, add_popularity, ranked_items
from models.ranking.ranking import rank_users
from tests.models.contract import ModelContract
from tests.models.strategies import histories


class TestPopularity(ModelContract):
    """Popularity is a model, if not a personal one."""

    def fit(self, X):
        """Count the users of every item."""
        return Popularity(np.bincount(X.indices, minlength=X.shape[1]))


def test_most_taken_unseen_items_come_first():
    """Equal counts are in the order of the items."""
    X = sp.csr_array(np.array([[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], np.float32))
    model = Popularity(np.array([3, 9, 7, 3, 0]))
    everything = np.ones(5, dtype=bool)
    ((_, items, scores),) = rank_users(model, X, seen=X, eligible=everything, k=4)
    assert items.tolist() == [[2, 0, 3, 4], [1, 2, 0, 3]]
    assert scores.tolist() == [[7.0, 3.0, 3.0, 0.0], [9.0, 7.0, 3.0, 3.0]]


@given(X=histories(), n_lists=st.integers(1, 3), wider=st.integers(0, 2), data=st.data())
def test_lists_sum_the_weights_of_their_users(X, n_lists, wider, data):
    """List 0 those of everybody; columns beyond X stay as they are."""
    n_users, n_items = X.shape
    list_of_row = data.draw(arrays(np.int32, n_users, elements=st.integers(0, n_lists - 1)))
    total = np.full((n_lists, n_items + wider), 2.0)
    add_popularity(total, sp.csr_array(X), list_of_row)
    expected = [X.sum(axis=0)] + [X[list_of_row == n].sum(axis=0) for n in range(1, n_lists)]
    np.testing.assert_array_equal(total[:, :n_items] - 2.0, expected)
    assert (total[:, n_items:] == 2.0).all()


@given(data=st.data())
def test_ranked_items_are_all_but_nan(data):
    """Largest first, equal values by item index, -1 and nan at the end."""
    elements = st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-12, -3.0, np.nan])
    values = data.draw(arrays(np.float64, (2, 7), elements=elements))
    order, scores = ranked_items(values)
    for own, items, found in zip(values.astype(np.float32), order, scores, strict=True):
        known = np.flatnonzero(~np.isnan(own)).tolist()
        expected = sorted(known, key=lambda item: (-own[item], item))
        assert items.tolist() == expected + [-1] * (7 - len(expected))
        np.testing.assert_array_equal(found[: len(expected)], own[expected])
        assert np.isnan(found[len(expected) :]).all()


@pytest.mark.parametrize(
    ("n_items", "list_of_row", "message"),
    [
        (3, [0], "X must have at most 2 items, got 3"),
        (2, [1], "list_of_row must be between 0 and 0, got 1 to 1"),
        (2, [0, 0], r"list_of_row must have shape \(1,\), got \(2,\)"),
    ],
)
def test_sums_out_of_place_are_refused(n_items, list_of_row, message):
    """A compiled loop would write beyond the end."""
    unchecked = unwrap(add_popularity)
    with pytest.raises(ValueError, match=message):
        unchecked(np.zeros((1, 2)), sp.csr_array((1, n_items)), np.array(list_of_row))
