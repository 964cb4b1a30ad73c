"""Sets of (user, item) as sparse matrices."""

import numpy as np
import polars as pl
import scipy.sparse as sp


def csr_of_pairs(user: pl.Series, item: pl.Series, *, shape: tuple[int, int]) -> sp.csr_array:
    """Return a matrix with an entry of 1 for every pair; indices int32, sorted, each once.

    Args:
        user: rows.
        item: columns, as long as user.
        shape: (n_users, n_items).
    """
    n_users, n_items = shape
    place = np.sort(user.to_numpy().astype(np.int64) * n_items + item.to_numpy())
    place = place[np.diff(place, prepend=-1) > 0]  # far faster than np.unique, which hashes
    row, column = np.divmod(place, max(n_items, 1))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=n_users))))
    index = np.int32 if len(place) < 2**31 else np.int64
    ones = np.ones(len(place), dtype=np.float32)
    return sp.csr_array((ones, column.astype(index), indptr.astype(index)), shape=shape)


def united(A: sp.csr_array, B: sp.csr_array) -> sp.csr_array:
    """Return a matrix with the entries of both; their values are positive."""
    return sp.csr_array(A + B) if B.nnz else A
