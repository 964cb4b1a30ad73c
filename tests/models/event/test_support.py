"""Minimum support, against sets."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from models.event.support import with_support


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_rare_items_go_first_and_then_users_with_little_left(rows, users, items):
    """Columns keep their places, kept entries their weights; the input is left alone."""
    dense = np.array(rows, np.float32) * np.arange(1, 5, dtype=np.float32)
    X = sp.csr_array(dense)
    before = X.copy()
    found = with_support(X, min_users_per_item=users, min_items_per_user=items)
    expected = dense * ((dense > 0).sum(0) >= users)
    if items > 1:
        expected = expected[(expected > 0).sum(1) >= items]
    assert found.shape == expected.shape
    assert (found.toarray() == expected).all()
    assert not (X - before).count_nonzero()


def test_nothing_asked_nothing_copied():
    """The rows themselves come back."""
    X = sp.csr_array(np.eye(3, dtype=np.float32))
    assert with_support(X) is X
