"""ELSA's exact form: loss and gradient from H = X A and G = AᵀA, never from the output y.

Reference: Vančura et al., RecSys 2022, doi:10.1145/3523227.3551482 (loss and model). With
y = x A Aᵀ - x and h = x A, both x·y = h·h - x·x and |y|² = h G hᵀ - 2 h·h + x·x are functions of
h and G alone, so nothing of the size of y is formed.
"""

from typing import TypeVar

import numpy as np
from torch import Tensor

Array = TypeVar("Array", np.ndarray, Tensor)  # the same lines serve the CPU and any torch device


def derivatives(
    H: Array, G: Array, squares: Array, weight: Array, *, scale: float, floor: float
) -> tuple[Array, Array, Array]:
    """Return the losses of a batch and the derivatives of their sum by H and G.

    Those by A are then Xᵀ (dL/dH) + 2 A (dL/dG).

    Args:
        H: rows' factors X A, shape (batch, n_factors).
        G: Gram matrix AᵀA, shape (n_factors, n_factors).
        squares: x·x of every row, shape (batch,).
        weight: what a row's loss counts, shape (batch,).
        scale: factor of the sum, such as 1 / batch.
        floor: smallest |y|² / |x|² that has a direction. A row below it adds its loss and no
            gradient.

    Returns:
        weight (1 - cos(x, y)) of every row, shape (batch,); dL/dH, as H; dL/dG, as G.
    """
    HG = H @ G
    hh = (H * H).sum(1)
    p = hh - squares  # x·y
    q2 = (HG * H).sum(1) - 2.0 * hh + squares  # |y|²
    moves = q2 > floor * squares
    q2 = moves * q2 + ~moves * (floor * squares)
    sq = (squares * q2) ** 0.5
    pull = scale * weight / sq
    dp = -(moves * pull)
    dq2 = moves * (0.5 * pull * p / q2)
    HG *= (2.0 * dq2)[:, None]
    HG += (2.0 * dp - 4.0 * dq2)[:, None] * H
    return weight * (1.0 - p / sq), HG, (H * dq2[:, None]).T @ H
