"""Fold-in split: nothing lost, nothing twice, the asked share right."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.split.fold_in import fold_in_split, last_items_split, ratings_split

ROWS = arrays(np.float32, (6, 9), elements=st.sampled_from([0.0, 1.0, 2.5]))


@given(dense=ROWS, share=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_shown_and_asked_add_up_to_the_row(dense, share, seed):
    """Every item of a row is either shown or asked, with its weight."""
    shown, asked = fold_in_split(sp.csr_array(dense), target_share=share, seed=seed)
    np.testing.assert_array_equal(shown.toarray() + asked.toarray(), dense)
    n_items, n_asked = (dense > 0).sum(axis=1), np.diff(asked.indptr)
    expected = np.where(n_items > 1, np.maximum(1, (share * n_items).astype(int)), 0)
    np.testing.assert_array_equal(n_asked, expected)


def test_seed_decides_what_is_asked():
    """The same seed asks the same, another seed something else."""
    X = sp.csr_array(np.ones((20, 30), np.float32))
    first, again, other = (
        fold_in_split(X, target_share=0.2, seed=s)[1].toarray() for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@given(dense=arrays(np.int8, (6, 9), elements=st.integers(0, 9)), share=st.floats(0.05, 0.95))
def test_the_last_items_are_asked(dense, share):
    """Everything asked comes after everything shown."""
    X = sp.csr_array(dense.astype(np.float32))
    shown, asked = last_items_split(X, target_share=share)
    np.testing.assert_array_equal(shown.toarray() + asked.toarray(), dense)
    np.testing.assert_array_equal(
        np.diff(asked.indptr), np.diff(fold_in_split(X, target_share=share, seed=0)[1].indptr)
    )
    for row in np.flatnonzero(np.diff(asked.indptr)):
        assert shown[[row]].data.max() <= asked[[row]].data.min()


@given(dense=ROWS, share=st.floats(0.05, 0.95), seed=st.integers(0, 9))
def test_ratings_are_asked_where_something_is_known(dense, share, seed):
    """Every row and column with a rating keeps one; a rating of 0 is one too."""
    users, items = np.nonzero(dense)
    ratings = dense[users, items] - 1.0  # some are 0
    R = sp.csr_array((ratings, (users, items)), shape=dense.shape)
    rest, asked = ratings_split(R, target_share=share, seed=seed)
    assert rest.nnz + asked.nnz == R.nnz
    assert asked.nnz <= share * R.nnz
    np.testing.assert_array_equal(rest.toarray() + asked.toarray(), R.toarray())
    known, kept = ((users, items), (np.repeat(np.arange(6), np.diff(rest.indptr)), rest.indices))
    for before, after in zip(known, kept, strict=True):
        assert set(before) == set(after)


def test_as_many_ratings_are_asked_as_the_share_says():
    """Where there are enough of them."""
    R = sp.csr_array(np.ones((30, 40), np.float32))
    assert ratings_split(R, target_share=0.1, seed=1)[1].nnz == 120


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2])
def test_share_outside_its_range_is_refused(share):
    """A share of nothing or all is no split."""
    with pytest.raises(ValueError, match=f"target_share must be between 0 and 1, got {share}"):
        fold_in_split(sp.csr_array((2, 2)), target_share=share, seed=0)
    with pytest.raises(ValueError, match="target_share must be between 0 and 1"):
        last_items_split(sp.csr_array((2, 2)), target_share=share)
    with pytest.raises(ValueError, match="target_share must be between 0 and 1"):
        ratings_split(sp.csr_array((2, 2)), target_share=share, seed=0)
