"""The product of sparse rows: the same whichever way is taken."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.item_item import sparse_product as module
from models.item_item.sparse_product import sparse_product


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.05, 0.4, 1.0]))
def test_both_ways_give_the_same_bits(seed, density):
    """Those of scipy's product, with sorted indices."""
    rng = np.random.default_rng(seed)
    X, M = (
        sp.csr_array(
            sp.random_array(shape, density=density, format="csr", dtype=np.float32, rng=rng)
        )
        for shape in ((300, 20), (20, 30))
    )
    for part in (X, M):
        part.data -= np.float32(0.5)
        part.sort_indices()
    expected = (X @ M).toarray()
    for worth in (-1.0, np.inf):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_WORTH_FILLING", worth)
            product = sparse_product(X, M)
        assert product.shape == (300, 30)
        assert product.dtype == np.float32
        assert product.has_sorted_indices
        np.testing.assert_array_equal(product.toarray(), expected)


def test_no_rows_are_no_error():
    """An empty block of users."""
    empty = sp.csr_array((0, 4), dtype=np.float32)
    assert sparse_product(empty, sp.csr_array(np.eye(4, dtype=np.float32))).shape == (0, 4)
