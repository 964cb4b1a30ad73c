"""Popularity: one list for all, but for what they have seen."""

import numpy as np
import scipy.sparse as sp

from models.popularity import Popularity
from models.ranking import rank_users
from tests.models.contract import ModelContract


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
