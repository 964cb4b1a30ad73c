"""Leading singular vectors: those of a dense decomposition."""

import numpy as np
import pytest
import scipy.sparse as sp

from models.elsa import spectral
from models.elsa.spectral import leading_right_vectors


def low_rank(seed: int = 0) -> sp.csr_array:
    """Return a matrix with six strong directions and noise."""
    rng = np.random.default_rng(seed)
    X = (rng.random((300, 6)) < 0.3) @ (rng.random((6, 80)) < 0.3) + 0.05 * rng.random((300, 80))
    return sp.csr_array(np.where(X > 0.5, X, 0.0).astype(np.float32))


@pytest.mark.parametrize("block", [70, 100_000])
def test_values_and_span_are_those_of_a_dense_decomposition(monkeypatch, block):
    """However many rows are read at once."""
    monkeypatch.setattr(spectral, "_BLOCK", block)
    X = low_rank()
    V, s = leading_right_vectors(X, 6, seed=0)
    _, expected, Vt = np.linalg.svd(X.toarray(), full_matrices=False)
    np.testing.assert_allclose(s, expected[:6], rtol=1e-3)
    np.testing.assert_allclose(V.T @ V, np.eye(6), atol=1e-4)
    overlap = np.abs(np.diag(V.T @ Vt[:6].T))
    np.testing.assert_allclose(overlap, 1.0, atol=1e-2)


def test_vectors_beyond_the_rank_are_zero():
    """A matrix of rank two has two directions, and fewer items than vectors is no error."""
    X = sp.csr_array(np.outer([1, 2, 0, 1], [1, 0, 1]).astype(np.float32))
    V, s = leading_right_vectors(X, 5, seed=0)
    assert V.shape == (3, 5)
    np.testing.assert_allclose(s[0], np.sqrt(12.0), rtol=1e-5)
    assert not V[:, 1:].any()
