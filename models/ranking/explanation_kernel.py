"""Compiled search for the largest term of a score; it releases the interpreter lock."""

import numpy as np

from models.elsa.elsa_kernel import compiled

_ZERO, _NONE = np.float32(0.0), np.float32(np.nan)
_TOGETHER = 4  # items of a history for which a listed item is read once


@compiled
def _gather(A: np.ndarray, items: np.ndarray, listed: np.ndarray) -> None:
    """Copy the factors of a list side by side; padding is left as it is."""
    for place in range(len(items)):
        if items[place] >= 0:
            a, copy = A[items[place]], listed[place]
            for f in range(len(a)):
                copy[f] = a[f]


@compiled
def _weigh(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, x: np.ndarray,
    listed: np.ndarray, terms: np.ndarray,
) -> None:  # fmt: skip
    """Write what four items of a history add to every listed item, shape (4, k)."""
    for place in range(len(listed)):
        i = listed[place]
        first, second, third, fourth = _ZERO, _ZERO, _ZERO, _ZERO
        for f in range(len(i)):
            first += a[f] * i[f]
            second += b[f] * i[f]
            third += c[f] * i[f]
            fourth += d[f] * i[f]
        terms[0, place] = x[0] * first
        terms[1, place] = x[1] * second
        terms[2, place] = x[2] * third
        terms[3, place] = x[3] * fourth


@compiled
def _beside(
    W_indptr: np.ndarray, W_indices: np.ndarray, W_data: np.ndarray, item: int, x: float,
    items: np.ndarray, terms: np.ndarray,
) -> None:  # fmt: skip
    """Add what an item's row of W says of every listed item."""
    first, last = W_indptr[item], W_indptr[item + 1]
    for place in range(len(items)):
        low, high = first, last
        while low < high:
            middle = (low + high) // 2
            if W_indices[middle] < items[place]:
                low = middle + 1
            else:
                high = middle
        if low < last and W_indices[low] == items[place]:
            terms[place] += x * W_data[low]


@compiled
def _take(
    terms: np.ndarray, item: int, best: np.ndarray, total: np.ndarray, because: np.ndarray
) -> None:
    """Add one item's positive terms, and name it where its term is the largest yet."""
    for place in range(len(terms)):
        term = terms[place]
        if term > _ZERO:
            total[place] += term
            if term > best[place]:
                best[place], because[place] = term, item


@compiled
def _forget(terms: np.ndarray, items: np.ndarray, item: int) -> None:
    """Take away what an item adds to itself: that is no part of its score."""
    for place in range(len(items)):
        if items[place] == item:
            terms[place] = _ZERO


@compiled
def _share(items: np.ndarray, best: np.ndarray, total: np.ndarray, because: np.ndarray,
           share: np.ndarray) -> None:  # fmt: skip
    for place in range(len(items)):
        if items[place] >= 0 and best[place] > _ZERO:
            share[place] = best[place] / total[place]
        else:
            because[place], share[place] = -1, _NONE


@compiled
def explain_products(
    A: np.ndarray, D: np.ndarray, indptr: np.ndarray, indices: np.ndarray, data: np.ndarray,
    W_indptr: np.ndarray, W_indices: np.ndarray, W_data: np.ndarray, x: np.ndarray,
    items: np.ndarray, because: np.ndarray, share: np.ndarray,
) -> None:  # fmt: skip
    """Write reasons where item j of a history adds ``data_j (a_j · d_i) + x_j W_ji`` to item i.

    Args:
        A: factors of items that are read, shape (n_items, n_factors), float32.
        D: of items that are listed, the same.
        indptr: where histories begin, shape (rows + 1,), int64.
        indices: their items, int32.
        data: their weights as A reads them, float32.
        W_indptr: where rows of W begin, shape (n_items + 1,); empty where there is no W.
        W_indices: their items, rising.
        W_data: their values.
        x: weights as W reads them, as data.
        items: lists, shape (rows, k), int32, padded with -1.
        because: shape (rows, k), int32; written.
        share: shape (rows, k), float32; written.
    """
    k = items.shape[1]
    listed, terms = np.zeros((k, A.shape[1]), np.float32), np.empty((_TOGETHER, k), np.float32)
    weights, best, total = np.empty(_TOGETHER, np.float32), np.empty(k, np.float32), np.empty(k)
    for row in range(len(items)):
        best[:], total[:] = _ZERO, 0.0
        start, stop = indptr[row], indptr[row + 1]
        if start < stop:
            _gather(D, items[row], listed)
        for entry in range(start, stop, _TOGETHER):
            last = stop - 1
            one, two = min(entry + 1, last), min(entry + 2, last)
            three = min(entry + 3, last)
            weights[0], weights[1] = data[entry], data[one]
            weights[2], weights[3] = data[two], data[three]
            _weigh(
                A[indices[entry]], A[indices[one]], A[indices[two]], A[indices[three]],
                weights, listed, terms,
            )  # fmt: skip
            for each in range(min(_TOGETHER, stop - entry)):
                item = indices[entry + each]
                if len(W_indptr):
                    _beside(
                        W_indptr, W_indices, W_data, item, x[entry + each], items[row], terms[each]
                    )
                _forget(terms[each], items[row], item)
                _take(terms[each], item, best, total, because[row])
        _share(items[row], best, total, because[row], share[row])
