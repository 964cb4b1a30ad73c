"""Histories with an order: the items of each row in the order that its values say."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int


class Sequences(NamedTuple):
    """Items of all rows, one row after the other, each from its earliest to its latest."""

    offsets: Int[np.ndarray, " n_rows_and_1"]  # where each row begins
    item: Int[np.ndarray, " n"]

    @property
    def lengths(self) -> Int[np.ndarray, " n_rows"]:
        """Return the number of items of every row."""
        return np.diff(self.offsets)

    def padded(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, "batch longest"]:
        """Return some rows, padded behind their end with -1."""
        lengths = self.lengths[rows]
        place = np.arange(max(int(lengths.max(initial=0)), 1))
        inside = place < lengths[:, None]
        out = np.full(inside.shape, -1, dtype=np.int64)
        out[inside] = self.item[(self.offsets[rows][:, None] + place)[inside]]
        return out


def sequences_of(X: sp.csr_array, max_length: int | None = None) -> Sequences:
    """Return the items of every row in their order.

    Args:
        X: an entry's value says when it happened, a larger one being later; shape (n_rows,
            n_items). Equal values are ordered by item.
        max_length: only the last so many items of a row are kept, by default all.
    """
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    order = np.lexsort((X.indices, X.data, row))
    item, indptr = X.indices[order].astype(np.int64), X.indptr.astype(np.int64)
    if max_length is None:
        return Sequences(indptr, item)
    kept = indptr[1:][row] - np.arange(len(item)) <= max_length
    lengths = np.minimum(np.diff(indptr), max_length)
    return Sequences(np.concatenate(([0], np.cumsum(lengths))), item[kept])


def by_length(
    lengths: Int[np.ndarray, " n_rows"], rng: np.random.Generator, rows: np.ndarray,
    batch_size: int, n_pooled: int = 16,
) -> np.ndarray:  # fmt: skip
    """Return rows in a random order in which those of a batch are about equally long.

    Rows are shuffled, pools of some batches are sorted by length, and the batches are shuffled:
    padding stays small, and every epoch has other batches.

    Args:
        lengths: of all rows.
        rng: what the order is drawn from.
        rows: those to order.
        batch_size: rows of a batch.
        n_pooled: batches that are sorted together.
    """
    drawn = rng.permutation(rows)
    size = batch_size * n_pooled
    pools = [drawn[start : start + size] for start in range(0, len(drawn), size)]
    ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    n_whole = len(ordered) // batch_size
    whole = ordered[: n_whole * batch_size].reshape(n_whole, batch_size)
    return np.concatenate([whole[rng.permutation(n_whole)].ravel(), ordered[whole.size :]])
