"""Ranking, written once for all models: mask, top-k, ties by item index, in blocks of rows."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Block = tuple[slice, np.ndarray, np.ndarray]


@runtime_checkable
class FactorModel(Protocol):
    """A model whose scores are ``encode(X) @ decoder.T``, up to the score of seen items."""

    def encode(self, X: sp.csr_array) -> np.ndarray:
        """Return row factors, shape (batch, n_factors), float32."""
        ...

    @property
    def decoder(self) -> np.ndarray:
        """Item factors, shape (n_items, n_factors), float32."""
        ...


def rank_users(
    model: FactorModel,
    X: sp.csr_array,
    *,
    seen: sp.csr_array,
    eligible: Bool[np.ndarray, " n_items"],
    k: int,
    block_size: int = 1024,
) -> Iterator[Block]:
    """Yield the k best eligible unseen items of every row, block by block.

    Memory is bounded by block_size x n_items whatever the number of rows. Scores are those of
    unseen items (``encode(X) @ decoder.T``), so seen should cover the items of X.

    Args:
        model: scores rows.
        X: histories to score, shape (n_users, n_items).
        seen: items never to be listed, shape (n_users, n_items); values do not matter.
        eligible: items that may be listed.
        k: length of a list.
        block_size: rows at once.

    Yields:
        Slice of rows; items (rows, k) int32, best first, ties by item index, padded with -1
        where a row has fewer; scores (rows, k) float32, padded with nan.

    Raises:
        ValueError: model, X, seen and eligible disagree on n_items, or a score is not finite.
    """
    decoder = _tensor(model.decoder).T
    n_items = {decoder.shape[1], X.shape[1], seen.shape[1], len(eligible)}
    if len(n_items) > 1:
        raise ValueError(f"model, X, seen and eligible must agree on n_items, got {n_items}")
    banned = torch.from_numpy(np.flatnonzero(~eligible))
    buffer = torch.empty(min(block_size, X.shape[0]), decoder.shape[1])
    for start in range(0, X.shape[0], block_size):
        rows = slice(start, min(start + block_size, X.shape[0]))
        scores = buffer[: rows.stop - rows.start]
        torch.mm(_tensor(model.encode(X[rows])), decoder, out=scores)
        hidden = seen[rows]
        row = np.repeat(np.arange(hidden.shape[0]), np.diff(hidden.indptr))
        scores[
            torch.from_numpy(row), torch.from_numpy(hidden.indices.astype(np.int64))
        ] = -torch.inf
        scores.index_fill_(1, banned, -torch.inf)
        yield rows, *_best(scores, k)


def rank_items(
    A: Float[np.ndarray, "n_items n_factors"],
    *,
    k: int,
    eligible: Bool[np.ndarray, " n_items"],
    block_size: int = 1024,
    sources: Int[np.ndarray, " n_sources"] | None = None,
) -> Iterator[Block]:
    """Yield the k eligible items most similar to every source, itself left out.

    Args:
        A: item factors with unit rows, so that products are cosines.
        k: length of a list.
        eligible: items that may be listed.
        block_size: sources at once.
        sources: item indices to find neighbours of; all items by default.

    Yields:
        As rank_users, rows being places in sources.

    Raises:
        ValueError: a score is not finite.
    """
    factors = _tensor(A)
    wanted = torch.arange(len(A)) if sources is None else torch.from_numpy(sources.astype(np.int64))
    banned = torch.from_numpy(np.flatnonzero(~eligible))
    buffer = torch.empty(min(block_size, len(wanted)), len(factors))
    for start in range(0, len(wanted), block_size):
        items = wanted[start : start + block_size]
        scores = torch.mm(factors[items], factors.T, out=buffer[: len(items)])
        scores[torch.arange(len(items)), items] = -torch.inf
        scores.index_fill_(1, banned, -torch.inf)
        yield slice(start, start + len(items)), *_best(scores, k)


def top_k(
    scores: Float[np.ndarray, "batch n_items"], k: int
) -> tuple[Int[np.ndarray, "batch k"], Float[np.ndarray, "batch k"]]:
    """Return the k best columns of every row; -inf marks what is never returned.

    Args:
        scores: finite or -inf.
        k: length of a list.

    Returns:
        Items (batch, k) int32 padded with -1, scores (batch, k) float32 padded with nan; best
        first, equal scores by index, also where a tie is cut by k.

    Raises:
        ValueError: a score is nan or inf.
    """
    return _best(torch.from_numpy(scores), k)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.require(array, np.float32, ["C", "W"]))  # copies only if it must


def _best(scores: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    n_items = scores.shape[1]
    values, items = torch.topk(scores, min(k + 1, n_items), dim=1)
    if not (values[:, :1] < torch.inf).all():  # nan sorts first
        raise ValueError("scores must be finite or -inf, got nan or inf")
    if values.shape[1] > k:
        cut = (values[:, k - 1] == values[:, k]) & torch.isfinite(values[:, k])
        for row in torch.nonzero(cut).flatten().tolist():
            items[row, :k] = _lowest_of_the_tie(scores[row], values[row], k)
        items = items[:, :k]
        values = torch.gather(scores, 1, items)
    order = torch.argsort(items, dim=1)
    items, values = items.gather(1, order), values.gather(1, order)
    order = torch.argsort(values, dim=1, descending=True, stable=True)
    items, values = items.gather(1, order), values.gather(1, order)
    return _padded(items, values, k)


def _lowest_of_the_tie(row: Tensor, values: Tensor, k: int) -> Tensor:
    threshold = values[k - 1]
    above = torch.nonzero(row > threshold).flatten()
    tied = torch.nonzero(row == threshold).flatten()[: k - len(above)]
    return torch.cat([above, tied])


def _padded(items: Tensor, values: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    all_items = np.full((len(items), k), -1, dtype=np.int32)
    all_values = np.full((len(items), k), np.nan, dtype=np.float32)
    width, real = items.shape[1], torch.isfinite(values)
    all_items[:, :width] = torch.where(real, items, -1).numpy()
    all_values[:, :width] = torch.where(real, values, torch.nan).numpy()
    return all_items, all_values
