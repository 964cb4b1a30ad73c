"""What follows each item of a sequence, and the loss of guessing it, without places x items."""

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.network.sequence import Sequences

CELLS = 1 << 22  # logits held at once
Ahead = Literal["next", "next_k", "rest"]


class NextItems(NamedTuple):
    """Places of some rows that something follows, row by row, and the items that follow."""

    place: np.ndarray  # (batch, longest) bool: padded places that have something to guess
    ends: np.ndarray  # (n_places + 1,) where the items that follow a place begin
    item: np.ndarray  # (n_guessed,) int64
    weight: np.ndarray  # (n_places,) float32, of a place's loss
    share: np.ndarray  # (n_places,) float32, a place's part of the mean over places and rows


def next_items(sequences: Sequences, rows: np.ndarray, ahead: Ahead, k: int) -> NextItems:
    """Return what follows each item of some rows; rows of one item have nothing to guess.

    The loss of a row is the sum over its places, over the number of items to guess at its first
    place; the loss of a batch is the mean over its rows.

    Reference: Sachdeva et al., WSDM 2019, arXiv:1811.09975, section 4.3.

    Args:
        sequences: items of all rows.
        rows: those of a batch.
        ahead: whether the next item is guessed, the next k, or all that follow.
        k: for "next_k".
    """
    n_places = np.maximum(sequences.lengths[rows] - 1, 0)
    place = np.arange(max(int(n_places.max(initial=0)), 1)) < n_places[:, None]
    row = np.repeat(np.arange(len(rows)), n_places)
    at = np.arange(len(row)) - np.repeat(np.cumsum(n_places) - n_places, n_places)
    most = {"next": 1, "next_k": k, "rest": np.iinfo(np.int64).max}[ahead]
    n_guessed = np.minimum(n_places[row] - at, most)
    ends = np.concatenate(([0], np.cumsum(n_guessed)))
    first = sequences.offsets[rows][row] + at + 1
    shift = np.repeat(first - ends[:-1], n_guessed)
    item = sequences.item[np.arange(ends[-1]) + shift]
    n_first = np.minimum(n_places, most)[row]
    weight = (1.0 / (n_first * len(rows))).astype(np.float32)
    share = (1.0 / (n_places[row] * len(rows))).astype(np.float32)
    return NextItems(place, ends, item, weight, share)


def next_items_loss(
    h: Float[Tensor, "n_places n_hidden"],
    W: Float[Tensor, "n_items n_hidden"],
    b: Float[Tensor, " n_items"],
    following: NextItems,
) -> Float[Tensor, ""]:
    """Return the weighted cross entropy of a softmax over all items against those that follow.

    Only a few places' logits are there at once; the gradient is made along with them.

    Args:
        h: what is known at each place.
        W: last weights, an item a row.
        b: last biases.
        following: the items that follow each place, rows of W, none of them twice.
    """
    item = torch.from_numpy(following.item).to(h.device)
    weight = torch.from_numpy(following.weight).to(h.device)
    loss: Tensor = _Loss.apply(h, W, b, item, weight, following.ends)  # type: ignore[no-untyped-call]
    return loss


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, h: Tensor, W: Tensor, b: Tensor, item: Tensor, weight: Tensor, ends: np.ndarray
    ) -> Tensor:
        n_guessed = torch.from_numpy(np.diff(ends)).to(h.device)
        row = torch.arange(len(h), device=h.device).repeat_interleave(n_guessed)
        gradients = torch.empty_like(h), torch.zeros_like(W), torch.zeros_like(b)
        total = h.new_zeros(())
        size = max(1, CELLS // len(W))
        for start in range(0, len(h), size):
            some = slice(start, start + size)
            pairs = slice(int(ends[start]), int(ends[min(start + size, len(h))]))
            guessed = row[pairs] - start, item[pairs]
            total += _part(h[some], W, b, guessed, weight[some], n_guessed[some], gradients, some)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def backward(ctx: Any, *above: Any) -> Any:
        (upper,) = above
        return *(upper * each for each in ctx.saved_tensors), None, None, None


def _part(
    h: Tensor, W: Tensor, b: Tensor, guessed: tuple[Tensor, Tensor], weight: Tensor,
    n_guessed: Tensor, gradients: tuple[Tensor, Tensor, Tensor], some: slice,
) -> Tensor:  # fmt: skip
    logits = torch.addmm(b, h, W.T)
    logits -= logits.logsumexp(dim=1, keepdim=True)
    loss = -(logits[guessed] * weight[guessed[0]]).sum()
    p = logits.exp_().mul_((weight * n_guessed)[:, None])
    p[guessed] -= weight[guessed[0]]
    gradients[0][some] = p @ W
    gradients[1].addmm_(p.T, h)
    gradients[2].add_(p.sum(dim=0))
    return loss
