"""ELSA's forms that need the output y itself, of all items: with ReLU, or linear as a yardstick.

Reference: Vančura et al., RecSys 2022, doi:10.1145/3523227.3551482, whose published experiments
put ReLU on y. With z = x A Aᵀ - x, y = z or max(z, 0) and c = scale / batch,

    dL/dz = (c / |x||y|) (y (x·y) / |y|² - x) where y moves with z, else 0
    dL/dA = dZᵀ H + Xᵀ (dZ A), H = X A

so that y can be turned into dL/dz in place, and x is only ever read at the items a row holds.
"""

from typing import Literal

import torch
from torch import Tensor

from models.elsa.elsa_torch import Batch, Form

Output = Literal["linear", "relu"]
Loss = Literal["nmse", "cosine"]
_BLOCK = 1 << 28  # numbers of y at once: 1 GB in float32


def dense_form(*, output: Output, loss: Loss) -> Form:
    """Return the form that makes y for all items, in blocks of rows if the batch is large.

    Args:
        output: whether y is x A Aᵀ - x or its positive part.
        loss: mean over batch and items of (y/|y| - x/|x|)², or mean over the batch of
            1 - cos(x, y); the first is 2 / n_items times the second.
    """

    def form(A: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return output_gradient(A, batch, output=output, loss=loss)

    return form


def output_gradient(
    A: Tensor, batch: Batch, *, output: Output, loss: Loss
) -> tuple[Tensor, Tensor]:
    """Return the loss of a batch and its derivative by A, as A.

    A row whose |y|² is below the precision's epsilon times |x|² has no direction: it adds the
    loss of two orthogonal vectors and no gradient.

    Args:
        A: item factors with unit rows, shape (n_items, n_factors).
        batch: rows that hold at least one item, and every item at most once.
        output: as in dense_form.
        loss: as in dense_form.
    """
    n_rows, n_items = batch.X.shape
    scale = batch.weight * ((2.0 / n_items if loss == "nmse" else 1.0) / n_rows)
    counts = batch.X.crow_indices().to(torch.int64).diff()
    column, value = batch.X.col_indices().to(torch.int64), batch.X.values()
    H = batch.X @ A
    dH, dA = torch.empty_like(H), torch.zeros_like(A)
    losses = []
    for rows, held in _blocks(batch.X):
        Y = H[rows] @ A.T  # (block, n_items); from here to dL/dz it is one buffer
        losses.append(_to_slope(Y, counts[rows], column[held], value[held], scale[rows], output))
        dH[rows] = Y @ A
        dA.addmm_(Y.T, H[rows])
    dA += batch.Xt @ dH
    return torch.cat(losses).sum(), dA


def _to_slope(
    Y: Tensor, counts: Tensor, column: Tensor, x: Tensor, scale: Tensor, output: Output
) -> Tensor:
    """Turn x A Aᵀ into dL/dz in place; return the scaled loss of every row.

    Args:
        Y: x A Aᵀ, shape (block, n_items).
        counts: items that a row holds, shape (block,).
        column: the held items, row after row, shape (nnz,).
        x: their weights, shape (nnz,).
        scale: factor of each row's loss, shape (block,).
        output: as in dense_form.
    """
    rows = torch.arange(len(Y), device=Y.device)
    row = torch.repeat_interleave(rows, counts, output_size=len(x))
    flat, cell, floor = Y.view(-1), row * Y.shape[1] + column, torch.finfo(Y.dtype).eps
    y = flat[cell] - x
    flat[cell] = y
    if output == "relu":
        Y.relu_()
        y.relu_()
    squares = torch.segment_reduce(x * x, "sum", lengths=counts)
    p = torch.segment_reduce(x * y, "sum", lengths=counts)  # x·y
    q2 = torch.linalg.vector_norm(Y, dim=1).square_()
    moves = q2 > floor * squares
    q2 = torch.maximum(q2, floor * squares)
    pull = moves / (squares * q2).sqrt() * scale
    Y *= (pull * p / q2)[:, None]
    own = x * pull[row]
    flat[cell] -= own if output == "linear" else own * (y > 0)
    return scale * (1.0 - moves * p / (squares * q2).sqrt())


def _blocks(X: Tensor) -> list[tuple[slice, slice]]:
    """Return the blocks' rows and the entries of X in them; many blocks make the host wait."""
    n_rows, n_items = X.shape
    size = max(1, _BLOCK // n_items)
    if n_rows <= size:
        return [(slice(0, n_rows), slice(0, len(X.values())))]
    edges = [*range(0, n_rows, size), n_rows]
    offsets = X.crow_indices()[edges].tolist()
    return [(slice(*edges[i : i + 2]), slice(*offsets[i : i + 2])) for i in range(len(edges) - 1)]
