"""A sparse model topped up by popularity ranks as rank_sparse does."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.item_item.item_item import SparseItemItem
from models.item_item.sparse_ranking import popularity_order, rank_sparse
from models.item_item.topped_up import ToppedUp
from models.ranking.ranking import rank_users
from tests.models.strategies import histories


@given(histories(), st.data())
def test_lists_are_those_of_the_sparse_ranking(X, data):
    """Positive scores, then the most popular, then negative ones; ties by item index."""
    n_items = X.shape[1]
    whole = st.integers(-2, 2).map(float)
    B = data.draw(arrays(np.float32, (n_items, n_items), elements=whole))
    np.fill_diagonal(B, 0.0)
    counts = data.draw(arrays(np.int64, n_items, elements=st.integers(0, 3)))
    eligible = data.draw(arrays(np.bool_, n_items))
    model, rows = SparseItemItem(sp.csr_array(B)), sp.csr_array(X)
    k = data.draw(st.integers(1, n_items))
    expected, _, _ = rank_sparse(
        model.scores(rows), seen=rows, eligible=eligible, order=popularity_order(counts), k=k
    )
    found = np.concatenate(
        [
            items
            for _, items, _ in rank_users(
                ToppedUp(model, counts), rows, seen=rows, eligible=eligible, k=k
            )
        ]
    )
    np.testing.assert_array_equal(found, expected)
