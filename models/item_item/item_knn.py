"""ItemKNN: items liken items by the cosine of their columns."""

import numpy as np
import scipy.sparse as sp
import torch
from sparse_dot_topn import sp_matmul_topn

from models.item_item.gram import Rows, row_shards
from models.item_item.item_item import SparseItemItem


def fit_item_knn(X: Rows, *, n_neighbours: int) -> SparseItemItem:
    """Return a model in which every item keeps the items of the largest cosine to it.

    Row i of B holds the neighbours of item i, itself left out.

    Reference: Sarwar et al., WWW 2001, doi:10.1145/371920.372071 (cosine).

    Args:
        X: interaction weights, shape (n_users, n_items), or row shards of them.
        n_neighbours: most entries of a row of B.

    Raises:
        ValueError: n_neighbours is not positive, or a weight is not finite.
    """
    if n_neighbours < 1:
        raise ValueError(f"n_neighbours must be positive, got {n_neighbours}")
    unit = _unit_columns(row_shards(X))
    nearest = sp_matmul_topn(
        sp.csr_matrix(unit.T), sp.csr_matrix(unit), top_n=n_neighbours + 1,  # and itself
        n_threads=torch.get_num_threads(),
    )  # fmt: skip
    return SparseItemItem(_without_self(sp.csr_array(nearest), n_neighbours))


def _unit_columns(shards: list[sp.csr_array]) -> sp.csr_array:
    X = sp.csr_array(sp.vstack(shards, format="csr")).astype(np.float32)
    squares = np.bincount(X.indices, np.square(X.data, dtype=np.float64), minlength=X.shape[1])
    length = np.sqrt(np.where(squares > 0.0, squares, 1.0)).astype(np.float32)
    return sp.csr_array((X.data / length[X.indices], X.indices, X.indptr), shape=X.shape)


def _without_self(C: sp.csr_array, n_neighbours: int) -> sp.csr_array:
    """Drop the diagonal, and the farthest where a twin has pushed the item itself out."""
    item = np.repeat(np.arange(C.shape[0]), np.diff(C.indptr))
    order = np.lexsort((C.indices, -C.data, item))
    order = order[item[order] != C.indices[order]]
    item = item[order]
    rank = np.arange(len(item)) - np.searchsorted(item, item)
    kept = order[rank < n_neighbours]
    row = item[rank < n_neighbours]
    B = sp.csr_array(sp.coo_array((C.data[kept], (row, C.indices[kept])), shape=C.shape))
    B.sort_indices()
    return B
