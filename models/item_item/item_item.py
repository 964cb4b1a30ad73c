"""Fitted item-item models, dense and sparse: scores are X B, B with a zero diagonal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.item_item.sparse_product import sparse_product
from models.ranking.ranking import Block, rank_users

LEAST = float(np.finfo(np.float32).smallest_subnormal)  # of the positive scores


@dataclass(frozen=True)
class ItemItem:
    """A dense item-item model; row i says what a user who only has item i should get."""

    B: Float[np.ndarray, "n_items n_items"]
    consumes: ClassVar[str] = "weighted matrix"

    @property
    def n_bytes(self) -> int:
        """Bytes of the weights."""
        return self.B.nbytes

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return X B, float32; items of X beyond B are unknown: they add and score 0."""
        B, rows = np.asarray(self.B), narrowed(X, len(self.B))
        known = np.asarray(rows.astype(B.dtype) @ B, dtype=np.float32)
        if rows is X:
            return known
        scores = np.zeros(X.shape, dtype=np.float32)
        scores[:, : len(B)] = known
        return scores


@dataclass(frozen=True)
class SparseItemItem:
    """A sparse item-item model: B is left, or left @ right plus the identity."""

    left: sp.csr_array  # (n_items, n_items) float32
    right: sp.csr_array | None = None  # the same; the product has the diagonal -1
    consumes: ClassVar[str] = "weighted matrix"

    @property
    def n_bytes(self) -> int:
        """Bytes of values and indices."""
        parts = [self.left] if self.right is None else [self.left, self.right]
        return sum(each.data.nbytes + each.indices.nbytes + each.indptr.nbytes for each in parts)

    def scores(self, X: sp.csr_array) -> sp.csr_array:
        """Return X B, shape (batch, n_items), float32; items without an entry score 0.

        Items of X beyond B are unknown: they add nothing and score 0.
        """
        known = sp.csr_array(narrowed(X, self.left.shape[0]).astype(np.float32))
        S = sparse_product(known, self.left)
        if self.right is not None:
            S = sp.csr_array(sparse_product(S, self.right) + known)
            S.sort_indices()
        return sp.csr_array((S.data, S.indices, S.indptr), shape=X.shape)


def narrowed(X: sp.csr_array, n_items: int) -> sp.csr_array:
    """Return the first columns of X, X itself if it has no others."""
    return X if X.shape[1] == n_items else sp.csr_array(X[:, :n_items])


def rank_similar(
    model: ItemItem | SparseItemItem,
    *,
    k: int,
    eligible: Bool[np.ndarray, " n_items"],
    sources: Int[np.ndarray, " n_sources"] | None = None,
    block_size: int | None = None,
) -> Iterator[Block]:
    """Yield the eligible items that score best for a user who has nothing but the source item.

    Args:
        model: scores rows.
        k: length of a list.
        eligible: items that may be listed.
        sources: item indices to find neighbours of; all items by default.
        block_size: sources at once, as rank_users.

    Yields:
        As rank_users, rows being places in sources; only positive scores are neighbours.
    """
    n_items = len(eligible)
    wanted = np.arange(n_items) if sources is None else sources
    itself = sp.csr_array(
        (np.ones(len(wanted), np.float32), wanted, np.arange(len(wanted) + 1)),
        shape=(len(wanted), n_items),
    )
    return rank_users(
        model, itself, seen=itself, eligible=eligible, k=k, min_score=LEAST, block_size=block_size
    )
