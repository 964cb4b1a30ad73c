"""Why an item is listed by an item-item model: the seen item that adds most to its score."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

from models.blas_thread import workers
from models.item_item.item_item import ItemItem, SparseItemItem, narrowed
from models.ranking.selection import compiled

_ROWS = 256  # explained at once by a thread


def explain_item_item(
    model: ItemItem | SparseItemItem, X: sp.csr_array, items: Int[np.ndarray, "batch k"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seen item that contributes most to every listed item, and its share.

    The score of an unseen item i is the sum over the history of ``x_j B_ji``: the largest term
    names the reason (equal terms: the lowest index), and its share is taken of the sum of all
    positive terms.

    Args:
        model: fitted.
        X: histories with weights, shape (batch, at least n_items), sorted indices.
        items: lists of unseen items, padded with -1.

    Returns:
        Because (batch, k) int32, -1 where no term is positive; share (batch, k) float32 in
        (0, 1], nan where there is no reason.
    """
    because = np.full(items.shape, -1, dtype=np.int32)
    largest, total = np.zeros(items.shape), np.zeros(items.shape)
    X = narrowed(X, (model.B if isinstance(model, ItemItem) else model.left).shape[0])
    explain, weights = _loop(model, X.shape[1])

    def explain_rows(start: int) -> None:
        rows = slice(start, min(start + _ROWS, len(items)))
        own = X.indptr[rows.start : rows.stop + 1], X.indices, X.data
        found = because[rows], largest[rows], total[rows]
        explain(*weights, *own, items[rows], *found)

    with workers() as pool:
        list(pool.map(explain_rows, range(0, len(items), _ROWS)))
    share = np.divide(largest, total, out=np.full(items.shape, np.nan), where=because >= 0)
    return because, share.astype(np.float32)


def _loop(
    model: ItemItem | SparseItemItem, n_items: int
) -> tuple[Callable[..., None], list[np.ndarray]]:
    """Return what explains some rows, and the weights that it takes first."""
    if isinstance(model, ItemItem):
        return _explain_dense, [np.asarray(model.B)]
    identity = sp.eye_array(n_items, dtype=np.float32, format="csr")
    parts = (model.left, identity if model.right is None else model.right)
    return _explain_sparse, [array for M in parts for array in (M.indptr, M.indices, M.data)]


@compiled
def _explain_dense(
    B: np.ndarray, indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, items: np.ndarray,
    because: np.ndarray, largest: np.ndarray, total: np.ndarray,
) -> None:  # fmt: skip
    terms = np.zeros(items.shape[1])
    for user in range(len(items)):
        for entry in range(indptr[user], indptr[user + 1]):
            row, x = B[indices[entry]], data[entry]
            for place, item in enumerate(items[user]):
                terms[place] = x * row[item] if item >= 0 else 0.0
            _count(terms, indices[entry], because[user], largest[user], total[user])


@compiled
def _explain_sparse(
    left_indptr: np.ndarray, left_indices: np.ndarray, left_data: np.ndarray,
    right_indptr: np.ndarray, right_indices: np.ndarray, right_data: np.ndarray,
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, items: np.ndarray,
    because: np.ndarray, largest: np.ndarray, total: np.ndarray,
) -> None:  # fmt: skip
    n_items, k = len(right_indptr) - 1, items.shape[1]
    place_of = np.full(n_items, k)  # of a listed item in its list; k for all others
    terms = np.zeros(k + 1)
    for user in range(len(items)):
        listed = items[user][items[user] >= 0]
        place_of[listed] = np.flatnonzero(items[user] >= 0)
        for entry in range(indptr[user], indptr[user + 1]):
            terms[:] = 0.0
            j = indices[entry]
            for first in range(left_indptr[j], left_indptr[j + 1]):
                middle, weight = left_indices[first], data[entry] * left_data[first]
                for second in range(right_indptr[middle], right_indptr[middle + 1]):
                    terms[place_of[right_indices[second]]] += weight * right_data[second]
            _count(terms[:k], j, because[user], largest[user], total[user])
        place_of[listed] = k


@compiled
def _count(
    terms: np.ndarray, item: int, because: np.ndarray, largest: np.ndarray, total: np.ndarray
) -> None:
    for place, term in enumerate(terms):
        if term > 0.0:
            total[place] += term
            if term > largest[place]:
                largest[place], because[place] = term, item
