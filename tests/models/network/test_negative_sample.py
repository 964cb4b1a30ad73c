"""Draws of items that a user has not had."""

import numpy as np
import scipy.sparse as sp
import torch
from hypothesis import given

from models.network.negative_sample import unobserved_items
from models.network.sparse_rows import SparseRows
from tests.models.strategies import histories


@given(histories())
def test_never_an_item_that_was_had(X):
    """As many as asked for every item had; none where there is none to draw."""
    rows = sp.csr_array(X)
    rows.sort_indices()
    batch = SparseRows(rows, "cpu").take(np.arange(rows.shape[0]))
    row, item = unobserved_items(batch, 3, torch.Generator().manual_seed(0))
    had = rows.toarray() != 0
    assert not had[row, item].any()
    n_had = had.sum(1)
    expected = np.where(n_had < rows.shape[1], 3 * n_had, 0)
    np.testing.assert_array_equal(np.bincount(row, minlength=len(n_had)), expected)
    assert (np.diff(row) >= 0).all()


def test_evenly():
    """Each of the items that are not had comes up as often, within four deviations."""
    rows = sp.csr_array(np.array([[0, 1, 0, 0, 1], [1, 1, 1, 0, 1]], dtype=np.float32))
    batch = SparseRows(rows, "cpu").take(np.array([0, 1]))
    row, item = unobserved_items(batch, 15_000, torch.Generator().manual_seed(1))
    counts = np.bincount(item[row == 0], minlength=5)
    assert counts[[1, 4]].tolist() == [0, 0]
    assert np.abs(counts[[0, 2, 3]] - 10_000).max() < 4 * np.sqrt(30_000 * 2 / 9)
    assert set(item[row == 1].tolist()) == {3}
