"""Why an item is listed: the seen item that adds most to its score, exactly."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from models.blas_thread import workers
from models.ranking.explanation_kernel import explain_products

_ROWS = 256  # explained at once by a thread
_Parts = tuple[np.ndarray, np.ndarray, np.ndarray]
_NO_WEIGHTS = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)


def explain(
    A: Float[np.ndarray, "n_items n_factors"],
    X: sp.csr_array,
    items: Int[np.ndarray, "batch k"],
    *,
    D: Float[np.ndarray, "n_items n_factors"] | None = None,
    beside: tuple[sp.csr_array, sp.csr_array] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seen item that contributes most to every listed item, and its share.

    The score of an unseen item i is the sum over the history of ``x_j (a_j · d_i)``: the
    largest term names the reason (equal terms: the lowest index), and its share is taken of
    the sum of all positive terms. A listed item's own entry is no reason for it.

    Args:
        A: item factors.
        X: histories with weights, shape (batch, n_items), sorted indices.
        items: lists, padded with -1.
        D: factors of listed items where they are others than A.
        beside: weights W of items for items, shape (n_items, n_items), sorted indices, and
            histories Z with the pattern of X: every term has ``z_j W_ji`` besides.

    Returns:
        Because (batch, k) int32, -1 where no term is positive; share (batch, k) float32 in
        (0, 1], nan where there is no reason.
    """
    factors = np.require(A, np.float32, ["C"])
    listed = factors if D is None else np.require(D, np.float32, ["C"])
    W: _Parts = _NO_WEIGHTS if beside is None else _parts(beside[0])
    weights = X.data if beside is None else beside[1].data
    lists = np.require(items, np.int32, ["C"])
    because = np.empty(items.shape, np.int32)
    share = np.empty(items.shape, np.float32)

    def explain_rows(start: int) -> None:
        rows = slice(start, min(start + _ROWS, len(lists)))
        first, last = X.indptr[rows.start], X.indptr[rows.stop]
        indptr = X.indptr[rows.start : rows.stop + 1].astype(np.int64) - first
        indices, data = X.indices[first:last], X.data[first:last]
        history = indptr, indices.astype(np.int32), data.astype(np.float32)
        x = weights[first:last].astype(np.float32)
        explain_products(factors, listed, *history, *W, x, lists[rows], because[rows], share[rows])

    with workers() as pool:
        list(pool.map(explain_rows, range(0, len(lists), _ROWS)))
    return because, share


def _parts(W: sp.csr_array) -> _Parts:
    types = (W.indptr, np.int64), (W.indices, np.int32), (W.data, np.float32)
    indptr, indices, data = (np.asarray(each).astype(kind, copy=False) for each, kind in types)
    return indptr, indices, data


def explain_sparse(
    A: sp.csr_array, X: sp.csr_array, items: Int[np.ndarray, "batch k"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for factors that are kept sparse, shape (n_items, n_factors).

    Dense are only the rows of items that these users had or are listed.
    """
    involved, place = np.unique(np.append(X.indices, items[items >= 0]), return_inverse=True)
    if not len(involved):
        return explain(np.zeros((0, A.shape[1]), np.float32), X, items)
    compact = sp.csr_array(
        (X.data, place[: X.nnz].astype(np.int32), X.indptr), shape=(X.shape[0], len(involved))
    )
    lists = np.full(items.shape, -1, dtype=np.int32)
    lists[items >= 0] = place[X.nnz :]
    because, share = explain(A[involved].toarray(), compact, lists)
    return np.where(because >= 0, involved[because], -1).astype(np.int32), share
