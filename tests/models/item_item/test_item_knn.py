"""ItemKNN: the nearest by cosine, itself left out."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.item_item.item_knn import fit_item_knn
from tests.models.contract import PersonalModelContract
from tests.models.strategies import histories


class TestItemKNN(PersonalModelContract):
    """ItemKNN is a personal model."""

    def fit(self, X):
        """Keep most neighbours."""
        return fit_item_knn(X, n_neighbours=12)


@given(histories(), st.integers(1, 9))
def test_rows_hold_the_largest_cosines(X, n_neighbours):
    """Of all other items; where equal ones compete for the last place, either may win it."""
    B = fit_item_knn(sp.csr_array(X), n_neighbours=n_neighbours).left.toarray()
    length = np.linalg.norm(X, axis=0)
    cosine = (X.T @ X) / np.where(length > 0, length, 1) / np.where(length > 0, length, 1)[:, None]
    np.fill_diagonal(cosine, 0.0)
    kept = B > 0
    np.testing.assert_allclose(B[kept], cosine[kept], atol=1e-6)
    best = -np.sort(-cosine, axis=1)[:, :n_neighbours]
    np.testing.assert_allclose(-np.sort(-B, axis=1)[:, :n_neighbours], best, atol=1e-6)
    assert kept.sum(axis=1).max() <= n_neighbours


def test_twins_do_not_push_out_more_than_one_place():
    """Items with equal columns: each keeps one other, never itself."""
    B = fit_item_knn(sp.csr_array(np.ones((3, 5), np.float32)), n_neighbours=1).left.toarray()
    np.testing.assert_array_equal(np.count_nonzero(B, axis=1), 1)
    assert not np.diag(B).any()


def test_shards_are_one_matrix():
    """The same neighbours."""
    X = np.random.default_rng(0).integers(0, 2, (9, 5)).astype(np.float32)
    whole = fit_item_knn(sp.csr_array(X), n_neighbours=4).left
    parts = fit_item_knn([sp.csr_array(X[:4]), sp.csr_array(X[4:])], n_neighbours=4).left
    np.testing.assert_array_equal(parts.toarray(), whole.toarray())


def test_number_of_neighbours_is_positive():
    """None would be no model."""
    with pytest.raises(ValueError, match="must be positive, got 0"):
        fit_item_knn(sp.csr_array(np.eye(3)), n_neighbours=0)
