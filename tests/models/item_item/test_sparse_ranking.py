"""Ranking of sparse scores: that of the dense ones, with the popular items among the zeros."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.item_item.sparse_ranking import popularity_order, rank_sparse

N_ITEMS = 7
SCORES = st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, -1.0, 0.5])


def by_hand(score, hidden, order, k):
    """Return the list of one row: positive, then zeros in order, then negative."""
    place = np.full(N_ITEMS, N_ITEMS)
    place[order] = np.arange(len(order))
    free = [item for item in range(N_ITEMS) if not hidden[item]]
    above = sorted((item for item in free if score[item] > 0), key=lambda i: (-score[i], i))
    equal = sorted((item for item in free if score[item] == 0 and item in order), key=place.item)
    below = sorted((item for item in free if score[item] < 0), key=lambda i: (-score[i], i))
    return (above + equal + below)[:k], min(len(above), k)


@given(
    arrays(np.float32, (3, N_ITEMS), elements=SCORES.map(np.float32)),
    arrays(np.bool_, (3, N_ITEMS)),
    arrays(np.bool_, N_ITEMS),
    st.permutations(range(N_ITEMS)),
    st.integers(0, N_ITEMS),
    st.integers(1, N_ITEMS + 2),
)
def test_lists_are_those_of_the_definition(scores, seen, eligible, order, n_ordered, k):
    """Never seen, never ineligible, never twice; zeros by popularity, negatives last."""
    order = np.array(order[:n_ordered], dtype=np.int64)
    items, listed, n_scored = rank_sparse(
        sp.csr_array(scores), seen=sp.csr_array(seen.astype(np.int8)), eligible=eligible,
        order=order, k=k,
    )  # fmt: skip
    for row in range(3):
        expected, n_above = by_hand(scores[row], seen[row] | ~eligible, order, k)
        padding = k - len(expected)
        assert items[row].tolist() == expected + [-1] * padding
        np.testing.assert_array_equal(listed[row, : len(expected)], scores[row][expected])
        assert np.isnan(listed[row, len(expected) :]).all()
        assert n_scored[row] == n_above


def test_explicit_zeros_and_disorder_are_read_as_what_they_mean():
    """A stored zero is a zero; repeated entries add up."""
    S = sp.csr_array(
        (np.array([1.0, -1.0, 0.0, 3.0], np.float32), np.array([2, 2, 1, 0]), np.array([0, 4])),
        shape=(1, 4),
    )
    items, scores, n_scored = rank_sparse(
        S,
        seen=sp.csr_array((1, 4)),
        eligible=np.ones(4, dtype=bool),
        order=np.array([3, 2, 1]),
        k=4,
    )
    assert items.tolist() == [[0, 3, 2, 1]]
    assert scores.tolist() == [[3.0, 0.0, 0.0, 0.0]]
    assert n_scored.tolist() == [1]


def test_popularity_order_breaks_ties_by_index():
    """The most popular item first."""
    assert popularity_order(np.array([1, 3, 3, 0])).tolist() == [1, 2, 0, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k must be positive, got 0"),
        ({"seen": sp.csr_array((1, 3))}, r"must fit scores of shape \(1, 2\), got \(1, 3\)"),
        ({"S": sp.csr_array(np.array([[np.nan, 1.0]]))}, "scores must be finite, got nan"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    """Before anything is ranked."""
    given = {
        "S": sp.csr_array((1, 2)), "seen": sp.csr_array((1, 2)),
        "eligible": np.ones(2, dtype=bool), "order": np.arange(2), "k": 1,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        rank_sparse(**given | change)
