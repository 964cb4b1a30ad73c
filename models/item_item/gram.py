"""The Gram matrix of a sparse matrix, given whole or in row shards, in bands that fit the cache."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float

from models.ranking.selection import compiled

Rows = sp.csr_array | Sequence[sp.csr_array]  # all users, or some shards of them
_BAND = 1 << 20  # numbers of the Gram matrix that a thread works on


def row_shards(X: Rows) -> list[sp.csr_array]:
    """Return the shards with sorted indices and without duplicates; they are copied if need be.

    Raises:
        ValueError: there is no shard, they differ in their columns, or a weight is not finite.
    """
    shards = [_canonical(each) for each in ([X] if isinstance(X, sp.csr_array) else X)]
    widths = {each.shape[1] for each in shards}
    if len(widths) != 1:
        raise ValueError(f"X must be shards with the same items, got {sorted(widths)} of them")
    if not all(np.isfinite(each.data).all() for each in shards):
        raise ValueError("the weights of X must be finite, got nan or inf")
    return shards


def upper_gram(
    shards: Sequence[sp.csr_array], dtype: type[np.floating] = np.float32
) -> Float[np.ndarray, "n_items n_items"]:
    """Return the upper triangle of XᵀX, zeros below it: one array, and nothing else of its size.

    X is neither stacked nor transposed. A band of rows of the result is added up at a time,
    user after user, so that the sums do not depend on the number of threads.

    Args:
        shards: rows of X as row_shards returns them, each (n_users, n_items).
        dtype: float32 or float64; sums are made in it.
    """
    n_items = shards[0].shape[1]
    G = np.zeros((n_items, n_items), dtype)
    height = max(1, _BAND // max(1, n_items))

    def add(first: int) -> None:
        for X in shards:
            _add_band(X.indptr, X.indices, X.data, first, G[first : first + height])

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(add, range(0, n_items, height)))
    return G


def n_rows(shards: Sequence[sp.csr_array]) -> int:
    """Return the number of users in all shards."""
    return sum(each.shape[0] for each in shards)


def _canonical(X: sp.csr_array) -> sp.csr_array:
    if X.has_canonical_format:
        return X
    X = X.copy()
    X.sum_duplicates()
    return X


@compiled
def _add_band(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, first: int, band: np.ndarray
) -> None:
    last = first + band.shape[0]
    for user in range(len(indptr) - 1):
        end = indptr[user + 1]
        low, high = indptr[user], end
        while low < high:  # the user's first item of this band or of a later one
            middle = (low + high) // 2
            if indices[middle] < first:
                low = middle + 1
            else:
                high = middle
        while low < end and indices[low] < last:
            row, x = band[indices[low] - first], data[low]
            for k in range(low, end):
                row[indices[k]] += x * data[k]
            low += 1
