"""Why an item is listed: the seen item that adds most to its score, exactly."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from models.blas_thread import workers
from models.explanation_kernel import explain_dense, explain_products, explain_sparse

_ROWS = 256  # explained at once by a thread
_Explain = Callable[..., None]


def explain(
    A: Float[np.ndarray, "n_items n_factors"], X: sp.csr_array, items: Int[np.ndarray, "batch k"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seen item that contributes most to every listed item, and its share.

    The score of an unseen item i is the sum over the history of ``x_j (a_j · a_i)``: the
    largest term names the reason (equal terms: the lowest index), and its share is taken of
    the sum of all positive terms. A listed item's own entry is no reason for it.

    Args:
        A: item factors.
        X: histories with weights, shape (batch, n_items), sorted indices.
        items: lists, padded with -1.

    Returns:
        Because (batch, k) int32, -1 where no term is positive; share (batch, k) float32 in
        (0, 1], nan where there is no reason.
    """
    return _explained(explain_products, (np.require(A, np.float32, ["C"]),), X, items)


def explain_item_item(
    B: Float[np.ndarray, "n_items n_items"] | sp.csr_array,
    X: sp.csr_array,
    items: Int[np.ndarray, "batch k"],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for scores ``X @ B``: item j of a history adds ``x_j B_ji`` to item i.

    Here an item's own entry counts, as it does in the score; models whose diagonal is zero have
    none.

    Args:
        B: item-item matrix, dense or in sparse rows.
        X: as in explain.
        items: as in explain.
    """
    if isinstance(B, np.ndarray):
        return _explained(explain_dense, (np.require(B, np.float32, ["C"]),), X, items)
    B = B if B.has_canonical_format else _canonical(B)
    rows = B.indptr.astype(np.int64), B.indices.astype(np.int32), B.data.astype(np.float32)
    return _explained(explain_sparse, rows, X, items)


def _explained(
    kernel: _Explain, model: tuple[np.ndarray, ...], X: sp.csr_array, items: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    lists = np.require(items, np.int32, ["C"])
    because = np.empty(items.shape, np.int32)
    share = np.empty(items.shape, np.float32)

    def explain_rows(start: int) -> None:
        rows = slice(start, min(start + _ROWS, len(lists)))
        first, last = X.indptr[rows.start], X.indptr[rows.stop]
        indptr = X.indptr[rows.start : rows.stop + 1].astype(np.int64) - first
        indices, data = X.indices[first:last], X.data[first:last]
        history = indptr, indices.astype(np.int32), data.astype(np.float32)
        kernel(*model, *history, lists[rows], because[rows], share[rows])

    with workers() as pool:
        list(pool.map(explain_rows, range(0, len(lists), _ROWS)))
    return because, share


def _canonical(B: sp.csr_array) -> sp.csr_array:
    summed = B.copy()
    summed.sum_duplicates()
    return summed
