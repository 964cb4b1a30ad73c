"""Where ELSA's training starts: anywhere, at the singular vectors of X, or at an earlier model."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from models.elsa.spectral import leading_right_vectors

_NORM, _NEW_NORM = 1.0, 0.2  # of rows that know their place, and of new ones: short rows turn fast
_BLOCK = 65_536  # rows of X at once
Start = tuple[np.ndarray, np.ndarray]  # unit rows (n_items, n_factors) and their lengths


def xavier_start(n_items: int, n_factors: int, seed: int) -> Start:
    """Return a uniform start of Xavier's width, as the reference has it."""
    bound = np.sqrt(6.0 / (n_items + n_factors))
    W = np.random.default_rng(seed).uniform(-bound, bound, (n_items, n_factors))
    return unit_rows(W.astype(np.float32))


def spectral_start(X: sp.csr_array, n_factors: int, seed: int) -> Start:
    """Return V S^½ of the rows of X at unit length, its own rows at unit length too.

    Items that the vectors do not reach start at random.
    """
    squares = np.add.reduceat(X.data.astype(np.float64) ** 2, X.indptr[:-1])
    unit = X.data / np.repeat(np.sqrt(squares), np.diff(X.indptr)).astype(np.float32)
    V, s = leading_right_vectors(
        sp.csr_array((unit, X.indices, X.indptr), shape=X.shape), n_factors, seed=seed
    )
    return _filled(V * np.sqrt(s), seed), np.full(len(V), _NORM, np.float32)


def warm_start(
    X: sp.csr_array, A: Float[np.ndarray, "n_items n_earlier"], n_factors: int, seed: int
) -> Start:
    """Return an earlier model's rows; a row of zeros becomes the mean of co-occurring items.

    New rows are short, so that the first steps turn them and leave the others where they are.

    Args:
        X: tonight's rows, shape (n_users, n_items).
        A: earlier factors over tonight's items, zero where an item is new.
        n_factors: rank of tonight's model; more than A has start at random, of fewer the
            leading ones are kept.
        seed: of items without a neighbour, which start at random.
    """
    new = np.flatnonzero(~A.any(axis=1))
    known = _of_rank(np.asarray(A, dtype=np.float32), n_factors, seed)
    filled = known.copy()
    for first in range(0, X.shape[0], _BLOCK):
        block = X[first : first + _BLOCK]
        filled[new] += block[:, new].T @ (block @ known)
    norm = np.full(len(A), _NORM, np.float32)
    norm[new] = _NEW_NORM
    return _filled(filled, seed), norm


def unit_rows(W: Float[np.ndarray, "n_items n_factors"]) -> Start:
    """Return W's rows at unit length, and their lengths."""
    norm = np.maximum(np.linalg.norm(W, axis=1), 1e-12).astype(np.float32)
    return W / norm[:, None], norm


def _of_rank(A: np.ndarray, n_factors: int, seed: int) -> np.ndarray:
    """Return a copy of A with so many columns."""
    n_items, n_earlier = A.shape
    if n_earlier > n_factors:
        _, axes = np.linalg.eigh(A.T @ A)
        return A @ axes[:, ::-1][:, :n_factors]
    noise = np.random.default_rng(seed).normal(size=(n_items, n_factors - n_earlier))
    small = (0.1 / np.sqrt(n_factors) * noise).astype(np.float32)
    return np.hstack([A, small * A.any(axis=1, keepdims=True)])


def _filled(A: np.ndarray, seed: int) -> np.ndarray:
    empty = np.flatnonzero(np.linalg.norm(A, axis=1) < 1e-6)
    A[empty] = np.random.default_rng(seed).normal(size=(len(empty), A.shape[1]))
    return unit_rows(A.astype(np.float32))[0]
