"""Gram matrices: exact, in any bands and shards."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import models.item_item.gram
from models.item_item.gram import n_rows, row_shards, upper_gram
from tests.models.strategies import histories


@given(histories(), st.integers(0, 6), st.integers(1, 40))
def test_gram_is_the_upper_triangle_of_the_product(X, cut, band):
    """However the rows are cut into shards and the result into bands, and in both precisions."""
    shards = row_shards([sp.csr_array(X[:cut]), sp.csr_array(X[cut:])])
    for dtype in (np.float32, np.float64):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(models.item_item.gram, "_BAND", band)
            G = upper_gram(shards, dtype)
        assert G.dtype == dtype
        np.testing.assert_array_equal(G, np.triu(X.T @ X))
    assert n_rows(shards) == len(X)


def test_unsorted_and_repeated_entries_are_put_in_order_in_a_copy():
    """The caller's matrix keeps its order."""
    X = sp.csr_array((np.ones(3, np.float32), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3))
    (shard,) = row_shards(X)
    assert upper_gram([shard]).tolist() == [[1, 0, 2], [0, 0, 0], [0, 0, 4]]
    assert X.indices.tolist() == [2, 0, 2]


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ([sp.csr_array((2, 3)), sp.csr_array((2, 4))], r"same items, got \[3, 4\]"),
        ([], r"same items, got \[\]"),
        (sp.csr_array(np.array([[1.0, np.nan]])), "must be finite, got nan"),
    ],
)
def test_unfit_shards_are_refused(shards, message):
    """Before any work."""
    with pytest.raises(ValueError, match=message):
        row_shards(shards)
