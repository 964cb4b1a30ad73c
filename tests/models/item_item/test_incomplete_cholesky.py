"""The incomplete factor: complete at full budget, within its budget otherwise."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.item_item.incomplete_cholesky import gram_norms, incomplete_cholesky
from tests.models.strategies import histories


def rebuilt(factor):
    """Return L D Lᵀ with the items back in their places."""
    L = factor.L.toarray().astype(np.float64)
    back = np.argsort(factor.order)
    return (L * factor.d @ L.T)[np.ix_(back, back)]


@given(histories(max_users=8), st.randoms(use_true_random=False), st.sampled_from([0.5, 4.0]))
def test_full_budget_gives_the_complete_factor(X, random, l2):
    """Whatever the order of the items."""
    order = np.array(random.sample(range(X.shape[1]), X.shape[1]))
    factor = incomplete_cholesky(sp.csr_array(X), l2=l2, density=1.0, order=order)
    np.testing.assert_allclose(rebuilt(factor), X.T @ X + l2 * np.eye(X.shape[1]), atol=1e-5)
    np.testing.assert_array_equal(factor.L.diagonal(), 1.0)
    assert factor.L.has_sorted_indices


@given(histories(max_users=8))
def test_norms_are_those_of_the_gram_matrix(X):
    """Lengths and numbers of nonzeros, without the matrix."""
    lengths, counts = gram_norms(sp.csr_array(X))
    np.testing.assert_allclose(lengths, np.linalg.norm(X.T @ X, axis=0))
    np.testing.assert_array_equal(counts, ((X.T @ X) != 0).sum(axis=0))


@pytest.mark.parametrize("density", [0.0, 0.1, 0.3])
def test_budget_is_kept_and_the_largest_entries_with_it(density):
    """At least two entries a column; what is unused goes to later columns."""
    X = sp.csr_array((np.random.default_rng(0).random((300, 50)) < 0.1).astype(np.float32))
    factor = incomplete_cholesky(X, l2=20.0, density=density, order=np.arange(50))
    budget = max(int(np.ceil(density * 2500)), 100)
    assert 0.8 * budget < factor.L.nnz <= budget
    complete = incomplete_cholesky(X, l2=20.0, density=1.0, order=np.arange(50)).L
    whole, kept = (np.abs(each.toarray()[1:, 0]) for each in (complete, factor.L))
    n_kept = np.count_nonzero(kept)
    assert 1 <= n_kept < np.count_nonzero(whole)
    np.testing.assert_allclose(np.sort(kept)[-n_kept:], np.sort(whole)[-n_kept:])


def test_dropped_entries_still_count_on_the_diagonal():
    """With one entry a column beside the diagonal, later pivots are as in the complete factor."""
    X = sp.csr_array(np.array([[3.0, 1.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    order = np.arange(3)
    short = incomplete_cholesky(X, l2=1.0, density=0.5, order=order)  # 6 entries would be whole
    assert short.L[:, 0].nnz == 2
    assert short.d[1] == pytest.approx(
        incomplete_cholesky(X, l2=1.0, density=1.0, order=order).d[1]
    )


def test_pivot_that_fails_is_met_by_a_larger_shift():
    """Nearly equal items and a tiny ridge: all pivots become positive all the same."""
    rng = np.random.default_rng(1)
    X = sp.csr_array(np.repeat(rng.random((4, 1)), 40, axis=1) + 0.01 * rng.random((4, 40)))
    factor = incomplete_cholesky(X, l2=1e-9, density=0.06, order=np.arange(40))
    assert (factor.d > 0.0).all()
    assert factor.d[0] > np.sum(X[:, [0]].toarray() ** 2) + 1e-4  # the shift is on the diagonal
