"""Histories with an order, and batches of like length."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.network.sequence import by_length, sequences_of

ORDER = arrays(np.int8, (5, 8), elements=st.integers(0, 9))


@given(dense=ORDER, max_length=st.integers(1, 9))
def test_items_come_in_their_order(dense, max_length):
    """Earliest first, equal values by item, the last so many of a row."""
    sequences = sequences_of(sp.csr_array(dense.astype(np.float32)), max_length)
    for row, values in enumerate(dense):
        items = [int(item) for item in np.lexsort((np.arange(8), values)) if values[item]]
        begin, end = sequences.offsets[row : row + 2]
        assert sequences.item[begin:end].tolist() == items[-max_length:]
        assert sequences.lengths[row] == len(items[-max_length:])


def test_padded_rows_end_with_nothing():
    """Any rows, also empty ones."""
    X = sp.csr_array(np.array([[0, 2, 1.0], [0, 0, 0], [5, 0, 0]], np.float32))
    sequences = sequences_of(X)
    assert sequences.padded(np.array([2, 0, 1])).tolist() == [[0, -1], [2, 1], [-1, -1]]
    assert sequences.padded(np.array([1])).tolist() == [[-1]]


@given(n_rows=st.integers(1, 200), batch_size=st.integers(1, 9), seed=st.integers(0, 5))
def test_every_row_is_visited_once(n_rows, batch_size, seed):
    """Whatever their lengths."""
    lengths = np.arange(n_rows) % 7
    rows = np.arange(n_rows)[::2]
    order = by_length(lengths, np.random.default_rng(seed), rows, batch_size)
    np.testing.assert_array_equal(np.sort(order), rows)


def test_batches_hold_rows_of_like_length_and_change():
    """Little is padded, and two epochs have other batches in another order."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 500, 2000)
    epochs = [by_length(lengths, rng, np.arange(2000), 8).reshape(-1, 8) for _ in range(2)]
    for batches in epochs:
        longest = lengths[batches].max(axis=1)
        assert 8 * longest.sum() < 1.15 * lengths.sum()
        assert abs(np.corrcoef(np.arange(len(longest)), longest)[0, 1]) < 0.2
    first, second = ({frozenset(batch) for batch in batches.tolist()} for batches in epochs)
    assert len(first & second) < 5
