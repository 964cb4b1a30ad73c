"""Values of entries: lined up with their pairs, or places in an order."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.event.row_value import entry_places, order_in_rows, with_values

PAIRS = arrays.arrays(np.int8, (5, 7), elements=st.integers(0, 3))


@given(PAIRS)
def test_every_entry_is_found_among_the_pairs(kinds):
    """Pairs that the matrix lacks are passed over; no entry gets another pair's value."""
    pairs = sp.csr_array((kinds > 0).astype(np.float32))
    X = sp.csr_array((kinds > 1).astype(np.float32))
    place = entry_places(X, pairs.indptr, pairs.indices)
    told = np.arange(pairs.nnz) + 1.0
    dense = np.zeros(kinds.shape)
    dense[kinds > 0] = told  # in order of row and column, as CSR is
    found = with_values(X, told[place], np.ones(X.nnz, bool))
    np.testing.assert_array_equal(found.toarray(), np.where(kinds > 1, dense, 0.0))


@given(arrays.arrays(np.int8, 12, elements=st.integers(0, 3)), st.integers(0, 12))
def test_order_is_by_moment_then_by_place(moment, cut):
    """Every row counts from 1 without a gap, as a stable sort of it does."""
    place = order_in_rows(np.array([0, cut, 12]), moment)
    for row in (slice(0, cut), slice(cut, 12)):
        order = np.argsort(moment[row], kind="stable")
        np.testing.assert_array_equal(place[row][order], np.arange(1, len(order) + 1))


def test_a_zero_stays_stored_and_the_matrix_unchanged():
    """A rating of 0 is a rating."""
    X = sp.csr_array(np.array([[1.0, 2.0, 3.0]]))
    found = with_values(X, np.array([0.0, 5.0, 4.0]), np.array([True, False, True]))
    assert (found.indices.tolist(), found.data.tolist()) == ([0, 2], [0.0, 4.0])
    assert X.data.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("indptr", "item", "sentence"), [
    ([0, 1, 1], [0], "must be of 1 users, got 2"),
    ([0, 1], [0], "every entry must be one of the pairs"),
    ([0, 0], [], "every entry must be one of the pairs"),
])  # fmt: skip
def test_other_pairs_are_refused(indptr, item, sentence):
    """Rather than values of somebody else."""
    X = sp.csr_array(np.array([[1.0, 2.0]]))
    with pytest.raises(ValueError, match=sentence):
        entry_places(X, np.array(indptr), np.array(item, dtype=np.int64))
