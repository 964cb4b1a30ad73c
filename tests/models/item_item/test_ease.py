"""EASE: golden values, its optimality, and the rules of its weights."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.item_item.ease import ease_bytes, fit_ease
from tests.models.contract import PersonalModelContract, checkerboard
from tests.models.strategies import histories

X = sp.csr_array(
    np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 1, 0], [0, 0, 1, 1]], np.float32)
)
B = np.array(
    [
        [0, 0.4, 0.125, 0.18181818],
        [0.4375, 0, 0.4375, -0.31818182],
        [0.125, 0.4, 0, 0.45454545],
        [0.25, -0.4, 0.625, 0],
    ]
)


class TestEASE(PersonalModelContract):
    """EASE is a personal model."""

    def fit(self, X):
        """Fit with a small ridge."""
        return fit_ease(X, l2=1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_golden_values(dtype):
    """Weights and scores by hand, in both precisions."""
    model = fit_ease(X, l2=1.0, dtype=dtype)
    assert model.B.dtype == dtype
    np.testing.assert_allclose(model.B, B, atol=1e-6)
    np.testing.assert_allclose(model.scores(X)[0], [0.4375, 0.4, 0.5625, -0.13636364], atol=1e-6)


@given(histories(max_users=8), st.sampled_from([0.5, 2.0, 10.0]))
def test_every_column_is_the_ridge_regression_on_all_other_items(X, l2):
    """The definition of EASE, solved item by item."""
    B = fit_ease(sp.csr_array(X), l2=l2, dtype=np.float64).B
    for item in range(X.shape[1]):
        others = np.delete(X, item, axis=1)
        normal = others.T @ others + l2 * np.eye(others.shape[1])
        expected = np.linalg.solve(normal, others.T @ X[:, item])
        np.testing.assert_allclose(np.delete(B[:, item], item), expected, atol=1e-9)
        assert B[item, item] == 0.0


@given(histories(), st.integers(0, 6))
def test_shards_give_the_model_of_their_stack(X, cut):
    """Weights of halves and thirds are exact in any order."""
    whole = fit_ease(sp.csr_array(X), l2=1.0).B
    parts = fit_ease([sp.csr_array(X[:cut]), sp.csr_array(X[cut:])], l2=1.0).B
    np.testing.assert_array_equal(parts, whole)


def test_strong_ridge_leaves_the_gram_matrix():
    """l2 B tends to G off the diagonal."""
    G = (X.T @ X).toarray()
    np.fill_diagonal(G, 0.0)
    np.testing.assert_allclose(1e6 * fit_ease(X, l2=1e6).B, G, atol=1e-4)


def test_item_nobody_took_is_harmless():
    """Its row and column are zero, the others as without it."""
    wider = sp.csr_array(np.insert(X.toarray(), 2, 0.0, axis=1))
    model = fit_ease(wider, l2=1.0)
    assert not model.B[2].any()
    assert not model.B[:, 2].any()
    np.testing.assert_allclose(np.delete(np.delete(model.B, 2, 0), 2, 1), B, atol=1e-6)


def test_what_does_not_fit_is_refused():
    """Before it is allocated."""
    assert ease_bytes(16) == 1024
    with pytest.raises(MemoryError, match="one 16 x 16 matrix of float64"):
        fit_ease(checkerboard(), l2=1.0, dtype=np.float64, memory_limit=ease_bytes(16))
    with pytest.raises(ValueError, match=r"l2 must be positive, got 0\.0"):
        fit_ease(X, l2=0.0)
    with pytest.raises(ValueError, match="l2 must be positive, got nan"):
        fit_ease(X, l2=float("nan"))
    twins = sp.csr_array(np.full((100, 2), 1e4))
    with pytest.raises(ArithmeticError, match="raise l2"):
        fit_ease(twins, l2=1e-9)
