"""How likely rows of zeros and ones are under a decoder, and its slope, in one buffer."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Likelihood = Literal["multinomial", "gaussian", "logistic"]


class Entries(NamedTuple):
    """Where a batch of rows has its ones; no place twice."""

    row: Int[Tensor, " nnz"]
    column: Int[Tensor, " nnz"]


def negative_log_likelihood(
    h: Float[Tensor, "batch n_in"],
    W: Float[Tensor, "n_in n_items"],
    b: Float[Tensor, " n_items"],
    entries: Entries,
    *,
    likelihood: Likelihood,
    weight: float = 1.0,
    buffer: Float[Tensor, "most n_items"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean over rows of -log p(x | h W + b), to be derived by h, W and b, once.

    The outputs are turned into their own slope in place: there is one array of batch x items.
    Up to constants: multinomial, -sum x log softmax(f); gaussian, sum c (x - f)^2 / 2 where c is
    ``weight`` for a one and 1 for a zero; logistic, -sum x log s(f) + (1 - x) log(1 - s(f)).

    Reference: Liang et al., WWW 2018, arXiv:1802.05814, section 2.2.

    Args:
        h: output of the last layer but one.
        W: weights of the last layer.
        b: biases of the last layer.
        entries: the ones of the rows.
        likelihood: of the rows.
        weight: see above.
        buffer: at least as many rows as the batch; overwritten. By default a new one.
    """
    place = h.new_empty(len(h), W.shape[1]) if buffer is None else buffer[: len(h)]
    apply: Callable[..., Tensor] = _Reconstruction.apply
    return apply(h, W, b, entries, likelihood, weight, place)


class _Reconstruction(torch.autograd.Function):
    """The slope by the outputs is ready with the loss: only products are left for backward."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, W: Tensor, b: Tensor, entries: Entries, likelihood: Likelihood,
        weight: float, place: Tensor,
    ) -> Tensor:  # fmt: skip
        f = torch.addmm(b, h, W, out=place)
        match likelihood:
            case "multinomial":
                loss = _multinomial(f, entries)
            case "gaussian":
                loss = _gaussian(f, entries, weight)
            case "logistic":
                loss = _logistic(f, entries)
        ctx.save_for_backward(h, W)
        ctx.slope = f
        return loss / len(h)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        h, W = ctx.saved_tensors
        scale = upstream[0] / len(h)
        slope = ctx.slope
        return (slope @ W.T) * scale, (h * scale).T @ slope, slope.sum(0) * scale, *(None,) * 4


def _multinomial(f: Tensor, entries: Entries) -> Tensor:
    n_ones = torch.bincount(entries.row, minlength=len(f)).to(f.dtype)
    f -= f.amax(1, keepdim=True)
    told = f[entries].sum()
    total = f.exp_().sum(1)
    f *= (n_ones / total)[:, None]
    f[entries] -= 1.0
    return torch.dot(n_ones, total.log()) - told


def _gaussian(f: Tensor, entries: Entries, weight: float) -> Tensor:
    own = f[entries]
    f[entries] = 0.0
    zeros = torch.linalg.vector_norm(f).square()
    f[entries] = weight * (own - 1.0)
    return (zeros + weight * (own - 1.0).square().sum()) / 2.0


def _logistic(f: Tensor, entries: Entries) -> Tensor:
    loss = torch.nn.functional.softplus(f).sum() - f[entries].sum()
    f.sigmoid_()
    f[entries] -= 1.0
    return loss
