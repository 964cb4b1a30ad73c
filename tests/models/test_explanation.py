"""Explanation: brute force, exactness against the score, bounded memory."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.elsa import ELSA
from models.explanation import _BUDGET, explain
from tests.models.largest_tensor import LargestTensor
from tests.models.strategies import histories, integer_factors


def brute_force(A: np.ndarray, X: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return reasons and shares one by one."""
    because = np.full(items.shape, -1)
    share = np.full(items.shape, np.nan)
    for (row, place), item in np.ndenumerate(items):
        terms = np.maximum(X[row] * (A @ A[item]), 0.0)
        if item >= 0 and terms.max() > 0.0:
            because[row, place] = terms.argmax()  # the first of the largest
            share[row, place] = terms.max() / terms.sum()
    return because, share


@given(X=histories(), data=st.data(), k=st.integers(1, 4))
def test_reason_is_the_largest_term(X, data, k):
    """Padding and items without a positive term have no reason; equal terms: the first."""
    n_users, n_items = X.shape
    A = data.draw(integer_factors(n_items, 3))
    X[data.draw(st.integers(0, n_users - 1))] = 0.0  # one user without history
    items = data.draw(arrays(np.int32, (n_users, k), elements=st.integers(-1, n_items - 1)))
    because, share = explain(A, sp.csr_array(X), items)
    expected_because, expected_share = brute_force(A, X, items)
    assert (because.dtype, share.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(because, expected_because)
    np.testing.assert_allclose(share, expected_share, rtol=1e-6)


@given(X=histories(), seed=st.integers(0, 999))
def test_reason_times_share_is_part_of_the_score(X, seed):
    """Where every term is positive, the largest term is its share of the model's score."""
    A = np.random.default_rng(seed).random((X.shape[1], 3), dtype=np.float32) + 0.1
    items = np.argmin(X, axis=1).astype(np.int32)[:, None]  # unseen, but where all is seen
    because, share = explain(A, sp.csr_array(X), items)
    scores = ELSA(A).encode(sp.csr_array(X)) @ A.T
    for user, item in enumerate(items[:, 0]):
        term = X[user, because[user, 0]] * (A[because[user, 0]] @ A[item])
        np.testing.assert_allclose(share[user, 0] * scores[user, item], term, rtol=1e-4)


def test_memory_is_bounded_also_for_many_short_histories():
    """The factors of all lists together would be over twice the budget."""
    n_users, k, n_factors = 800, 50, 1024
    A = np.ones((4, n_factors), np.float32)
    X = sp.csr_array(np.tile(np.array([[1, 0, 0, 0]], np.float32), (n_users, 1)))
    items = np.full((n_users, k), 2, np.int32)
    with LargestTensor() as largest:
        because, share = explain(A, X, items)
    assert _BUDGET / 4 < largest.numel <= _BUDGET < items.size * n_factors
    assert (because == 0).all()
    assert (share == 1.0).all()
