"""Items held out: nothing of them is left in the training, and all of it is asked."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from models.elsa.elsa_content_split import draw_items, hold_out_items
from tests.models.strategies import histories


@given(histories(), st.data())
def test_training_and_target_share_the_matrix(X, data):
    """Every entry is on one side; shown is exactly what the training holds."""
    items = np.array(
        sorted(data.draw(st.sets(st.integers(0, X.shape[1] - 1), min_size=1))), np.int64
    )
    rest = np.setdiff1d(np.arange(X.shape[1]), items)
    both = (X[:, items].any(axis=1)) & (X[:, rest].any(axis=1))
    assume(both.any())
    training, asked = hold_out_items(sp.csr_array(X), items)
    assert not training.toarray()[:, items].any()
    np.testing.assert_array_equal(training.toarray()[:, rest], X[:, rest])
    np.testing.assert_array_equal(asked.users, np.flatnonzero(both))
    np.testing.assert_array_equal((asked.fold_in + asked.target).toarray(), X[both])
    assert not asked.target.toarray()[:, rest].any()
    assert not asked.fold_in.toarray()[:, items].any()
    np.testing.assert_array_equal(np.flatnonzero(asked.eligible), items)


def test_somebody_must_have_both():
    """Otherwise there is nothing to ask."""
    X = sp.csr_array(np.eye(3))
    with pytest.raises(ValueError, match="got 1 of 3 items held out and no such user"):
        hold_out_items(X, np.array([1]))


def test_drawn_items_were_taken_and_may_be_drawn():
    """A fifth of those that somebody took and that are candidates, none twice, by seed."""
    X = sp.csr_array(np.tile(np.arange(40) % 4 > 0, (3, 1)).astype(float))
    among = np.arange(40) < 20
    drawn = draw_items(X, share=0.2, seed=0, among=among)
    assert len(drawn) == 3
    assert (np.diff(drawn) > 0).all()
    assert (drawn < 20).all()
    assert (drawn % 4 > 0).all()
    np.testing.assert_array_equal(drawn, draw_items(X, share=0.2, seed=0, among=among))
    assert any((drawn != draw_items(X, share=0.2, seed=s, among=among)).any() for s in (1, 2, 3))


def test_share_and_candidates_are_checked():
    """In one sentence each."""
    X = sp.csr_array(np.eye(3))
    with pytest.raises(ValueError, match=r"share must be between 0 and 1, got 1\.0"):
        draw_items(X, share=1.0, seed=0)
    with pytest.raises(ValueError, match="got none that somebody took"):
        draw_items(X, share=0.5, seed=0, among=np.zeros(3, dtype=bool))
