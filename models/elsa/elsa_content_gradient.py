"""Loss and gradient of ELSA with item information: y = x E Dᵀ - x diag(e_i·d_i), one side learnt.

With h = x E, k = x D, δ_i = e_i·d_i and G = DᵀD, a linear output is never formed:

    x·y = h·k - Σ x_i² δ_i        |y|² = h G hᵀ - 2 h·(x diag(δ) D) + Σ x_i² δ_i²

With p = dL/d(x·y) and q = dL/d|y|² of every row, M = Xᵀ diag(q) H and X² the squared weights,

    dL/dδ = 2 δ (X²ᵀ q) - X²ᵀ p - 2 rowsum(D * M)
    dL/dE = Xᵀ (p K + 2 q (H G - X diag(δ) D)) + diag(dL/dδ) D
    dL/dD = Xᵀ (p H) + 2 D (Hᵀ diag(q) H) - 2 diag(δ) M + diag(dL/dδ) E
"""

from typing import Literal

import torch
from torch import Tensor

from models.elsa.elsa_torch import Batch

Mode = Literal["decoder", "encoder"]  # the side that is given by content
Output = Literal["linear", "relu"]
_BLOCK = 1 << 26  # numbers of y at once


def content_gradient(
    E: Tensor, D: Tensor, batch: Batch, *, mode: Mode, output: Output
) -> tuple[Tensor, Tensor]:
    """Return the mean of weight (1 - cos(x, y)) of a batch, and its derivative by the learnt side.

    A row whose output has no length adds its weight and no gradient.

    Args:
        E: encoder, shape (n_items, n_factors).
        D: decoder, of that shape.
        batch: rows that hold at least one item, and every item at most once.
        mode: the side that stays.
        output: whether y is linear, or its positive part: then it is formed, in blocks of rows.
    """
    if output == "linear":
        return _exact(E, D, batch, mode=mode)
    return _positive(E, D, batch, mode=mode)


def _exact(E: Tensor, D: Tensor, batch: Batch, *, mode: Mode) -> tuple[Tensor, Tensor]:
    X, Xt, n_rows = batch.X, batch.Xt, batch.X.shape[0]
    own = (E * D).sum(dim=1)  # δ
    H, K, J = X @ E, X @ D, X @ (own[:, None] * D)
    HG = H @ (D.T @ D)
    x, of_item = X.values(), own[X.col_indices()]
    squares = _row_sums(x * x, X)
    p = (H * K).sum(dim=1) - _row_sums(x * x * of_item, X)
    q2 = (H * (HG - 2.0 * J)).sum(dim=1) + _row_sums((x * of_item).square(), X)
    losses, dp, dq = _slopes(p, q2, squares, batch.weight / n_rows)
    M = Xt @ (dq[:, None] * H)
    weight = Xt.values().square()
    pulled = _row_sums(weight * dp[Xt.col_indices()], Xt)
    pushed = _row_sums(weight * dq[Xt.col_indices()], Xt)
    d_own = 2.0 * own * pushed - pulled - 2.0 * (D * M).sum(dim=1)
    if mode == "decoder":
        dH = dp[:, None] * K + 2.0 * dq[:, None] * (HG - J)
        return losses.sum(), (Xt @ dH).addcmul_(d_own[:, None], D)
    dD = Xt @ (dp[:, None] * H)
    dD.addmm_(D, H.T @ (dq[:, None] * H), alpha=2.0)
    return losses.sum(), dD.addcmul_(own[:, None], M, value=-2.0).addcmul_(d_own[:, None], E)


def _positive(E: Tensor, D: Tensor, batch: Batch, *, mode: Mode) -> tuple[Tensor, Tensor]:
    X, n_rows, n_items = batch.X, *batch.X.shape
    own, H, learnt = (E * D).sum(dim=1), X @ E, torch.zeros_like(E)
    column, x = X.col_indices().to(torch.int64), X.values()
    dH, d_own, losses = torch.empty_like(H), torch.zeros_like(own), []
    offsets, size = X.crow_indices().to(torch.int64), max(1, _BLOCK // n_items)
    for start in range(0, n_rows, size):
        rows = slice(start, min(start + size, n_rows))
        held = slice(int(offsets[rows.start]), int(offsets[rows.stop])) if size < n_rows else ...
        Y, items, weights = H[rows] @ D.T, column[held], x[held]
        row = torch.repeat_interleave(
            torch.arange(len(Y), device=Y.device), offsets.diff()[rows], output_size=len(items)
        )
        loss, d_held = _to_slope(Y, row, items, weights, own, batch.weight[rows] / n_rows)
        losses.append(loss)
        d_own.index_add_(0, items, weights * d_held, alpha=-1.0)
        if mode == "decoder":
            dH[rows] = Y @ D
        else:
            learnt.addmm_(Y.T, H[rows])
    if mode == "decoder":
        learnt = batch.Xt @ dH
    fixed = D if mode == "decoder" else E
    return torch.cat(losses).sum(), learnt.addcmul_(d_own[:, None], fixed)


def _to_slope(
    Y: Tensor, row: Tensor, items: Tensor, x: Tensor, own: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Turn x E Dᵀ into the slope of every row's loss in place; return losses and slopes held."""
    flat, cell = Y.view(-1), row * Y.shape[1] + items
    flat[cell] -= x * own[items]
    Y.relu_()
    y = flat[cell]
    counts = torch.bincount(row, minlength=len(Y))
    squares = torch.segment_reduce(x * x, "sum", lengths=counts)
    p = torch.segment_reduce(x * y, "sum", lengths=counts)
    losses, dp, dq = _slopes(p, torch.linalg.vector_norm(Y, dim=1).square(), squares, weight)
    Y *= 2.0 * dq[:, None]
    flat[cell] += dp[row] * x * (y > 0)
    return losses, flat[cell]


def _slopes(
    p: Tensor, q2: Tensor, squares: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return weight (1 - cos(x, y)) of every row and its derivatives by x·y and |y|²."""
    floor = torch.finfo(p.dtype).eps * squares
    moves = q2 > floor
    q2 = torch.maximum(q2, floor)
    pull = weight * moves / (squares * q2).sqrt()
    return weight - pull * p, -pull, 0.5 * pull * p / q2


def _row_sums(values: Tensor, X: Tensor) -> Tensor:
    return torch.segment_reduce(values, "sum", offsets=X.crow_indices().to(torch.int64))
