"""Fitted item-item models, dense and sparse: scores are X B, B with a zero diagonal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.ranking import Block, rank_users

_LEAST = float(np.finfo(np.float32).smallest_subnormal)


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
        """Return X B, float32."""
        return np.asarray(X.astype(self.B.dtype) @ self.B, dtype=np.float32)


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
        """Return X B, shape (batch, n_items), float32; items without an entry score 0."""
        X = sp.csr_array(X.astype(np.float32))
        S = X @ self.left
        if self.right is not None:
            S = S @ self.right + X
        S = sp.csr_array(S)
        S.sort_indices()
        return S


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
        model, itself, seen=itself, eligible=eligible, k=k, min_score=_LEAST, block_size=block_size
    )
