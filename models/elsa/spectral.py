"""Leading singular vectors of a sparse matrix, by a random range and a stream of its rows."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

_OVERSAMPLING = 16
_BLOCK = 65_536  # rows of X at once


def leading_right_vectors(
    X: sp.csr_array, n_vectors: int, *, seed: int, n_iterations: int = 3
) -> tuple[Float[np.ndarray, "n_items n_vectors"], Float[np.ndarray, " n_vectors"]]:
    """Return V and s, the largest singular values first; no array has as many rows as X.

    Reference: Halko, Martinsson and Tropp, SIAM Review 2011, doi:10.1137/090771806 (algorithms
    4.4 and 5.1, on XᵀX).

    Args:
        X: shape (n_users, n_items).
        n_vectors: how many; those beyond the rank of X are zero, with value 0.
        seed: of the random range.
        n_iterations: products with XᵀX; more is more exact.
    """
    n_items = X.shape[1]
    width = min(n_items, n_vectors + _OVERSAMPLING)
    Q = np.random.default_rng(seed).normal(size=(n_items, width)).astype(np.float32)
    for _ in range(n_iterations):
        Q, _ = np.linalg.qr(_gram_product(X, Q))
    values, rotation = np.linalg.eigh((Q.T @ _gram_product(X, Q)).astype(np.float64))
    kept = np.argsort(values)[::-1][:n_vectors]
    V, s = np.zeros((n_items, n_vectors), np.float32), np.zeros(n_vectors, np.float32)
    V[:, : len(kept)] = Q @ rotation[:, kept].astype(np.float32)
    s[: len(kept)] = np.sqrt(np.maximum(values[kept], 0.0))
    return V * (s > 1e-6 * s.max()), s


def _gram_product(X: sp.csr_array, Q: np.ndarray) -> np.ndarray:
    """Return Xᵀ X Q, shape (n_items, width)."""
    product = np.zeros_like(Q)
    for start in range(0, X.shape[0], _BLOCK):
        block = X[start : start + _BLOCK]
        product += block.T @ (block @ Q)
    return product
