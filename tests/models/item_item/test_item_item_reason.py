"""Reasons of item-item models: the largest term of the score, in every form of B."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.item_item.item_item import ItemItem, SparseItemItem
from models.item_item.item_item_reason import explain_item_item
from tests.models.strategies import histories


def by_hand(x, B, item):
    """Return reason and share of one listed item."""
    terms = np.where(x > 0, x * B[:, item], 0.0)
    positive = np.maximum(terms, 0.0)
    if item < 0 or not positive.any():
        return -1, np.nan
    return int(np.argmax(positive)), positive.max() / positive.sum()


@given(histories(), st.data())
def test_reason_is_the_largest_positive_term(X, data):
    """Dense, sparse and factored weights say the same."""
    n_users, n_items = X.shape
    elements = st.integers(-3, 3).map(float)
    B = data.draw(arrays(np.float32, (n_items, n_items), elements=elements))
    np.fill_diagonal(B, 0.0)
    items = np.where(X > 0, -1, np.arange(n_items)).astype(np.int32)
    items = np.take_along_axis(items, np.argsort(items < 0, axis=1, kind="stable"), axis=1)
    identity = np.eye(n_items, dtype=np.float32)
    expected = [[by_hand(X[user], B, item) for item in items[user]] for user in range(n_users)]
    for model in (
        ItemItem(B),
        SparseItemItem(sp.csr_array(B)),
        SparseItemItem(sp.csr_array(identity), sp.csr_array(B - identity)),
    ):
        because, share = explain_item_item(model, sp.csr_array(X), items)
        np.testing.assert_array_equal(because, np.array(expected)[:, :, 0])
        np.testing.assert_allclose(share, np.array(expected)[:, :, 1], rtol=1e-6)
