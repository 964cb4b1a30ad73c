"""Explanation: brute force, exactness against the score, bounded memory."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.elsa.elsa import ELSA
from models.ranking.explanation import explain, explain_sparse
from tests.models.strategies import histories, integer_factors


def brute_force(B: np.ndarray, X: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return reasons and shares one by one, where item j adds x_j B_ji to item i."""
    because = np.full(items.shape, -1)
    share = np.full(items.shape, np.nan)
    for (row, place), item in np.ndenumerate(items):
        terms = np.maximum(X[row] * B[:, item], 0.0)
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
    of_sparse = explain_sparse(sp.csr_array(A), sp.csr_array(X), items)
    np.testing.assert_array_equal(of_sparse[0], because)
    np.testing.assert_array_equal(of_sparse[1], share)
    B = A @ A.T
    np.fill_diagonal(B, 0.0)  # an item is no reason for itself
    expected_because, expected_share = brute_force(B, X, items)
    assert (because.dtype, share.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(because, expected_because)
    np.testing.assert_allclose(share, expected_share, rtol=1e-6)


@given(X=histories(), seed=st.integers(0, 999))
def test_reason_times_share_is_part_of_the_score(X, seed):
    """Where every term is positive, the largest term is its share of the model's score."""
    A = np.random.default_rng(seed).random((X.shape[1], 3), dtype=np.float32) + 0.1
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    items = np.argmin(X, axis=1).astype(np.int32)[:, None]  # unseen, but where all is seen
    because, share = explain(A, sp.csr_array(X), items)
    scores = ELSA(A).scores(sp.csr_array(X))
    for user, item in enumerate(items[:, 0]):
        if because[user, 0] < 0:
            continue  # nothing but itself
        term = X[user, because[user, 0]] * (A[because[user, 0]] @ A[item])
        np.testing.assert_allclose(share[user, 0] * scores[user, item], term, rtol=1e-4)


def test_many_users_are_explained_as_one():
    """Threads and their blocks change nothing; equal items name the first of them."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 33)).astype(np.float32)[rng.integers(0, 40, 300)]
    X = sp.random_array((700, 300), density=0.05, rng=rng, dtype=np.float32, format="csr")
    X.data[:] = 1.0
    items = rng.integers(-1, 300, (700, 20)).astype(np.int32)
    because, share = explain(A, X, items)
    for user in (0, 255, 256, 699):
        one = explain(A, X[[user]], items[[user]])
        np.testing.assert_array_equal(because[[user]], one[0])
        np.testing.assert_array_equal(share[[user]], one[1])
    user, place = np.nonzero(because >= 0)
    reason, listed = because[user, place], items[user, place]
    twin = (A[reason][:, None] == A[None, :, :]).all(axis=2) & (X[user].toarray() > 0)
    twin[np.arange(len(listed)), listed] = False
    np.testing.assert_array_equal(twin.argmax(axis=1), reason)
