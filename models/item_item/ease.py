"""EASE: the best item-item matrix with a zero diagonal, in closed form."""

import numpy as np
from jaxtyping import Float

from models.item_item.dense_inverse import check_memory, dense_bytes, invert
from models.item_item.gram import Rows, row_shards, upper_gram
from models.item_item.item_item import ItemItem

_BLOCK = 1024


def ease_bytes(n_items: int, dtype: type[np.floating] = np.float32) -> int:
    """Return the bytes that fit_ease takes at its peak, apart from X: one matrix of the items."""
    return dense_bytes(n_items, dtype)


def fit_ease(
    X: Rows,
    *,
    l2: float,
    dtype: type[np.floating] = np.float32,
    device: str = "cpu",
    memory_limit: int | None = None,
) -> ItemItem:
    """Return EASE: the B that minimises ``|X - X B|² + l2 |B|²`` with a zero diagonal.

    Reference: Steck, WWW 2019, arXiv:1905.03375 (l2 is its lambda).

    Args:
        X: interaction weights, shape (n_users, n_items), or row shards of them.
        l2: ridge weight on B.
        dtype: float32 or float64, of the computation and of B.
        device: torch device that computes the inverse; it holds one such array.
        memory_limit: most bytes of the one n_items x n_items array; see ease_bytes.

    Raises:
        ValueError: l2 is not positive, or a weight is not finite.
        MemoryError: the array does not fit.
        ArithmeticError: l2 is too small for the precision.
    """
    check_l2(l2)
    shards = row_shards(X)
    check_memory(shards[0].shape[1], dtype, memory_limit)
    G = upper_gram(shards, dtype)
    G.flat[:: len(G) + 1] += dtype(l2)
    return ItemItem(regression_weights(invert(G, device)))


def regression_weights(
    P: Float[np.ndarray, "n_items n_items"],
) -> Float[np.ndarray, "n_items n_items"]:
    """Return ``-P_ij / P_jj`` with a zero diagonal, in the memory of P.

    Column j is the regression of item j on all others, if P inverts their Gram matrix.
    """
    scale = -1.0 / np.diag(P)
    for start in range(0, len(P), _BLOCK):
        P[start : start + _BLOCK] *= scale
    np.fill_diagonal(P, 0.0)
    return P


def check_l2(l2: float) -> None:
    """Refuse a ridge weight that leaves items without interactions singular.

    Raises:
        ValueError: l2 is not positive.
    """
    if not l2 > 0.0:
        raise ValueError(f"l2 must be positive, got {l2}")
