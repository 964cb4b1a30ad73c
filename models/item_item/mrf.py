"""The dense Markov random field: EASE on the covariance of items, scaled by their variance."""

import numpy as np
from jaxtyping import Float

from models.item_item.dense_inverse import check_memory, invert
from models.item_item.ease import check_l2, regression_weights
from models.item_item.gram import Rows, n_rows, row_shards, upper_gram
from models.item_item.item_item import ItemItem

_BLOCK = 1024


def fit_mrf(
    X: Rows,
    *,
    l2: float,
    alpha: float = 0.75,
    dtype: type[np.floating] = np.float32,
    device: str = "cpu",
    memory_limit: int | None = None,
) -> ItemItem:
    """Return the dense MRF: item j regressed on all others, in units of their spread^alpha.

    The covariance (times n_users) is scaled on both sides by v^(-alpha/2), v being its diagonal;
    l2 is added there; what comes out is scaled back.

    Reference: Steck, NeurIPS 2019, "Markov Random Fields for Collaborative Filtering" (the dense
    model; alpha is the exponent of its code).

    Args:
        X: interaction weights, shape (n_users, n_items), or row shards of them.
        l2: ridge weight, in scaled units.
        alpha: 0 scales nothing, 1 turns the covariance into a correlation.
        dtype: float32 or float64, of the computation and of B.
        device: torch device that computes the inverse; it holds one such array.
        memory_limit: most bytes of the one n_items x n_items array; see ease_bytes.

    Raises:
        ValueError: l2 is not positive, alpha not in [0, 1], or a weight is not finite.
        MemoryError: the array does not fit.
        ArithmeticError: l2 is too small for the precision.
    """
    check_l2(l2)
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    shards = row_shards(X)
    check_memory(shards[0].shape[1], dtype, memory_limit)
    sums = np.sum([each.sum(axis=0, dtype=np.float64) for each in shards], axis=0)
    C = upper_gram(shards, dtype)
    scale = scale_covariance(C, sums / n_rows(shards), n_rows(shards), alpha)
    C.flat[:: len(C) + 1] += dtype(l2)
    B = regression_weights(invert(C, device))
    _scale_both(B, scale, 1.0 / scale)
    return ItemItem(B)


def scale_covariance(
    G: Float[np.ndarray, "n_items n_items"],
    mean: Float[np.ndarray, " n_items"],
    n_users: int,
    alpha: float,
) -> Float[np.ndarray, " n_items"]:
    """Turn a Gram matrix into the scaled covariance, in place; return the scale of an item.

    Items without variance keep the scale 1.

    Args:
        G: XᵀX, or its upper triangle; the other one means nothing afterwards.
        mean: of the columns of X.
        n_users: rows of X.
        alpha: exponent of the variance.
    """
    variance = np.diag(G).astype(np.float64) - n_users * mean**2
    scale = np.where(variance > 1e-9, np.maximum(variance, 1e-9), 1.0) ** (-alpha / 2)
    for start in range(0, len(G), _BLOCK):
        rows = slice(start, start + _BLOCK)
        G[rows] -= np.outer(n_users * mean[rows], mean).astype(G.dtype)
    _scale_both(G, scale, scale)
    return scale


def _scale_both(M: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    left, right = left.astype(M.dtype), right.astype(M.dtype)
    for start in range(0, len(M), _BLOCK):
        rows = slice(start, start + _BLOCK)
        M[rows] *= left[rows, None]
        M[rows] *= right
