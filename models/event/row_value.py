"""Values of entries besides their weights: of the pairs they are, or places in an order."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float32, Int64, Integer, Num


def entry_places(
    X: sp.csr_array,
    indptr: Integer[np.ndarray, " n_users_plus_1"],
    item: Integer[np.ndarray, " n_pairs"],
) -> Int64[np.ndarray, " nnz"]:
    """Return the place of every entry of X among pairs of the same users.

    Args:
        X: shape (n_users, n_items), indices sorted.
        indptr: where each user's pairs begin.
        item: of every pair, sorted for each user.

    Raises:
        ValueError: X has other users, or an entry that is no pair.
    """
    if len(indptr) != len(X.indptr):
        raise ValueError(f"the pairs must be of {X.shape[0]} users, got {len(indptr) - 1}")
    asked, keys = (
        _rows(ends) * X.shape[1] + items for ends, items in ((X.indptr, X.indices), (indptr, item))
    )
    places = np.searchsorted(keys, asked)
    if len(asked) and (places[-1] >= len(keys) or not np.array_equal(keys[places], asked)):
        raise ValueError("every entry must be one of the pairs, got one that is not")
    return places


def with_values(
    X: sp.csr_array, values: Num[np.ndarray, " nnz"], kept: Bool[np.ndarray, " nnz"]
) -> sp.csr_array:
    """Return some entries of X with other values, a 0 among them stored too; X stays as it is."""
    indptr = np.concatenate(([0], np.cumsum(kept)))[X.indptr].astype(X.indptr.dtype)
    data = values[kept].astype(np.float32)
    return sp.csr_array((data, X.indices[kept], indptr), shape=X.shape)


def order_in_rows(
    indptr: Integer[np.ndarray, " n_rows_plus_1"], moment: Num[np.ndarray, " nnz"]
) -> Float32[np.ndarray, " nnz"]:
    """Return every entry's place in its row by time, from 1; of equal moments the first is first.

    Args:
        indptr: where each row's entries begin.
        moment: of every entry.
    """
    row = _rows(indptr)
    order = np.lexsort((moment, row))  # stable
    place = np.empty(len(row), np.float32)
    place[order] = np.arange(len(row)) - indptr[row] + 1
    return place


def _rows(indptr: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
