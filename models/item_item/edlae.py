"""EDLAE: EASE with an input dropout, in closed form, so that popular items are penalised more."""

import numpy as np

from models.item_item.dense_inverse import check_memory, invert
from models.item_item.ease import check_l2, regression_weights
from models.item_item.gram import Rows, row_shards, upper_gram
from models.item_item.item_item import ItemItem


def fit_edlae(
    X: Rows,
    *,
    dropout: float,
    l2: float,
    dtype: type[np.floating] = np.float32,
    device: str = "cpu",
    memory_limit: int | None = None,
) -> ItemItem:
    """Return the zero-diagonal B that rebuilds X best from inputs that drop out at random.

    Every interaction is kept with probability 1 - dropout, and then divided by it. In
    expectation that adds ``dropout / (1 - dropout) G_jj`` to the ridge weight of item j.

    Reference: Steck, NeurIPS 2020, "Autoencoders that don't overfit towards the Identity"
    (full rank, a = 1, b = 0; dropout is its p, l2 its lambda).

    Args:
        X: interaction weights, shape (n_users, n_items), or row shards of them.
        dropout: probability in [0, 1); 0 is EASE.
        l2: ridge weight on B, besides.
        dtype: float32 or float64, of the computation and of B.
        device: torch device that computes the inverse; it holds one such array.
        memory_limit: most bytes of the one n_items x n_items array; see ease_bytes.

    Raises:
        ValueError: dropout is not in [0, 1), l2 is not positive, or a weight is not finite.
        MemoryError: the array does not fit.
        ArithmeticError: l2 is too small for the precision.
    """
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
    check_l2(l2)
    shards = row_shards(X)
    check_memory(shards[0].shape[1], dtype, memory_limit)
    G = upper_gram(shards, dtype)
    diagonal = G.flat[:: len(G) + 1]
    G.flat[:: len(G) + 1] = diagonal * dtype(1.0 / (1.0 - dropout)) + dtype(l2)
    return ItemItem(regression_weights(invert(G, device)))
