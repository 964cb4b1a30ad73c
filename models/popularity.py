"""Popularity: the same list for everybody, but for what they have seen."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int, Num

from models.elsa.elsa_kernel import compiled


@dataclass(frozen=True)
class Popularity:
    """Scores every item by its count; a factor model with a single factor."""

    counts: Num[np.ndarray, " n_items"]

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch 1"]:
        """Return ones: every user likes what all like."""
        return np.ones((X.shape[0], 1), dtype=np.float32)

    @property
    def decoder(self) -> Float[np.ndarray, "n_items 1"]:
        """Return the counts as a single factor, float32."""
        return np.asarray(self.counts, dtype=np.float32)[:, None]


def add_popularity(
    total: Float[np.ndarray, "n_lists n_items"],
    X: sp.csr_array,
    list_of_row: Int[np.ndarray, " n_users"],
) -> None:
    """Add the weights of X to list 0, and those of a row in another list to that one too.

    Nothing as large as X is made, so X may be mapped from a file.

    Args:
        total: float64, changed.
        X: weights, shape (n_users, at most n_items).
        list_of_row: between 0 and n_lists - 1.

    Raises:
        ValueError: X is wider than total, or a row's list is not there.
    """
    if X.shape[1] > total.shape[1]:
        raise ValueError(f"X must have at most {total.shape[1]} items, got {X.shape[1]}")
    if list_of_row.shape != X.shape[:1]:
        raise ValueError(f"list_of_row must have shape {X.shape[:1]}, got {list_of_row.shape}")
    if len(list_of_row) and not 0 <= list_of_row.min() <= list_of_row.max() < len(total):
        raise ValueError(
            f"list_of_row must be between 0 and {len(total) - 1}, "
            f"got {list_of_row.min()} to {list_of_row.max()}"
        )
    _add(total, X.indptr, X.indices, X.data, list_of_row)


def ranked_items(
    values: Float[np.ndarray, "n_lists n_items"],
) -> tuple[Int[np.ndarray, "n_lists n_items"], Float[np.ndarray, "n_lists n_items"]]:
    """Return the items of every list, the largest value first, and their values as float32.

    Args:
        values: nan leaves an item out.

    Returns:
        Items int32, equal values (as float32) by item index, padded with -1; values of the
        same places, padded with nan.
    """
    order, scores = (np.empty(values.shape, dtype) for dtype in (np.int32, np.float32))
    for row, own in enumerate(values.astype(np.float32, copy=False)):
        order[row] = np.argsort(-own, kind="stable")  # nan comes last
        scores[row] = own[order[row]]
    order[np.isnan(scores)] = -1
    return order, scores


@compiled
def _add(
    total: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    list_of_row: np.ndarray,
) -> None:
    for row in range(len(indptr) - 1):
        own = list_of_row[row]
        for k in range(indptr[row], indptr[row + 1]):
            total[0, indices[k]] += data[k]
            if own > 0:
                total[own, indices[k]] += data[k]
