"""Incomplete Cholesky factor of XᵀX + l2 I within a budget; no Gram matrix is ever held."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from models.ranking.selection import compiled

_SHIFT_STEP, _SHIFT_FACTOR = 1e-3, 2.0
_MOST_RESTARTS = 60


class Factor(NamedTuple):
    """``L diag(d) Lᵀ`` of the permuted matrix."""

    L: sp.csc_array  # (n_items, n_items) unit lower triangular, float32, sorted indices
    d: np.ndarray  # (n_items,) float64, positive
    order: np.ndarray  # (n_items,): place in the factor -> item


class GramColumns(NamedTuple):
    """What a loop needs to add up the Gram matrix column by column."""

    indptr: np.ndarray  # X, items in the factor's order and sorted
    indices: np.ndarray
    data: np.ndarray
    entry_indptr: np.ndarray  # of every item: its entries in X, as places in data
    entries: np.ndarray
    row_end: np.ndarray  # of every entry of X: where its row ends


def gram_columns(X: sp.csr_array) -> GramColumns:
    """Return X with, for every item, the places of its entries: 16 bytes an interaction.

    Args:
        X: shape (n_users, n_items), sorted indices.
    """
    places = sp.csr_array((np.arange(X.nnz), X.indices, X.indptr), shape=X.shape).tocsc()
    ends = np.repeat(X.indptr[1:], np.diff(X.indptr))
    return GramColumns(
        X.indptr, X.indices, X.data.astype(np.float64), places.indptr, places.data, ends
    )


def gram_norms(X: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Return length and number of nonzeros of every column of XᵀX.

    Args:
        X: shape (n_users, n_items), sorted indices.
    """
    squares, counts = np.zeros(X.shape[1]), np.zeros(X.shape[1], np.int64)
    _sum_norms(gram_columns(X), squares, counts)
    return np.sqrt(squares), counts


def incomplete_cholesky(X: sp.csr_array, *, l2: float, density: float, order: np.ndarray) -> Factor:
    """Return an incomplete factor of ``XᵀX + l2 I`` with about density n_items² nonzeros.

    Every column keeps its largest entries; what a column leaves of its share goes to later
    ones. Dropped entries still reduce the diagonal. Where a pivot is not positive, all begins
    anew with a larger shift.

    Reference: Lin and Moré, SIAM J. Sci. Comput. 1999, doi:10.1137/S1064827597327334, with the
    budget of Spišák et al., RecSys 2023, doi:10.1145/3604915.3608827 (SANSA).

    Args:
        X: shape (n_users, n_items), sorted indices, finite.
        l2: what is added to the diagonal.
        density: nonzeros of the factor over n_items²; at least 2 / n_items is taken.
        order: place in the factor -> item.

    Raises:
        ArithmeticError: no shift makes the pivots positive.
    """
    n_items = X.shape[1]
    G = gram_columns(_reordered(X, order))
    budget = int(np.ceil(min(max(density, 2.0 / n_items), 1.0) * n_items**2))
    shift = l2
    for restart in range(_MOST_RESTARTS):
        factor = _attempt(G, shift, n_items, budget)
        if factor is not None:
            return Factor(*factor, order)
        shift = l2 + _SHIFT_STEP * _SHIFT_FACTOR**restart
    raise ArithmeticError(f"a pivot must be positive, got none up to l2 = {shift:.3g}: raise l2")


def _reordered(X: sp.csr_array, order: np.ndarray) -> sp.csr_array:
    X = sp.csr_array(X[:, order])
    X.sort_indices()
    return X


def _attempt(
    G: GramColumns, shift: float, n_items: int, budget: int
) -> tuple[sp.csc_array, Float[np.ndarray, " n_items"]] | None:
    size = min(budget, n_items * (n_items + 1) // 2)
    indptr = np.zeros(n_items + 1, np.int64)
    indices, values = np.empty(size, np.int32), np.empty(size, np.float32)
    pivots = np.full(n_items, shift)
    if not _factorise(G, indptr, indices, values, pivots, budget):
        return None
    used = indptr[-1]
    L = sp.csc_array((values[:used], indices[:used], indptr), shape=(n_items, n_items))
    return L, pivots


@compiled
def _gram_column(
    G: GramColumns, item: int, column: np.ndarray, stamp: np.ndarray, touched: np.ndarray
) -> int:
    """Add column `item` from the diagonal down; return how many places were touched."""
    n = 0
    for place in range(G.entry_indptr[item], G.entry_indptr[item + 1]):
        entry = G.entries[place]
        x = G.data[entry]
        for other in range(entry, G.row_end[entry]):
            row = G.indices[other]
            if stamp[row] != item:
                stamp[row] = item
                column[row] = 0.0
                touched[n] = row
                n += 1
            column[row] += x * G.data[other]
    return n


@compiled
def _sum_norms(G: GramColumns, squares: np.ndarray, counts: np.ndarray) -> None:
    n_items = len(squares)
    column = np.zeros(n_items)
    stamp, touched = np.full(n_items, -1), np.empty(n_items, np.int64)
    for item in range(n_items):
        n = _gram_column(G, item, column, stamp, touched)
        for row in touched[:n]:
            square = column[row] ** 2
            squares[item] += square
            counts[item] += 1
            if row != item:
                squares[row] += square
                counts[row] += 1


@compiled
def _factorise(
    G: GramColumns, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray,
    pivots: np.ndarray, budget: int,
) -> bool:  # fmt: skip
    """Write the unit factor and its pivots; tell whether all of them are positive.

    Columns whose next row is j hang in a list that begins at waiting[j]; head[k] is the place
    of that row in column k.
    """
    n = len(pivots)
    column = np.zeros(n)
    stamp, touched = np.full(n, -1), np.empty(n, np.int64)
    waiting, following = np.full(n, -1), np.full(n, -1)
    head = np.zeros(n, np.int64)
    used = 0
    _add_diagonal(G, pivots)
    for j in range(n):
        if not pivots[j] > 0.0:
            return False
        n_touched = _gram_column(G, j, column, stamp, touched)
        k = waiting[j]
        while k >= 0:
            following_k = following[k]
            n_touched = _eliminate(
                indices, values, head[k], indptr[k + 1], values[head[k]] * pivots[k],
                column, stamp, touched, n_touched, j,
            )  # fmt: skip
            head[k] += 1
            if head[k] < indptr[k + 1]:
                row = indices[head[k]]
                following[k], waiting[row] = waiting[row], k
            k = following_k
        rows = _below(touched, n_touched, column, j)
        for row in rows:
            column[row] /= pivots[j]
            pivots[row] -= column[row] ** 2 * pivots[j]
        left = n - j - 1  # later columns need a place for their diagonal
        allowance = (budget - used - 1 - left) // (left + 1)
        rows = _largest(rows, column, allowance)
        indices[used], values[used] = j, 1.0
        used += 1
        head[j] = used
        for row in rows:
            indices[used], values[used] = row, column[row]
            used += 1
        indptr[j + 1] = used
        if len(rows):
            following[j], waiting[rows[0]] = waiting[rows[0]], j
    return True


@compiled
def _add_diagonal(G: GramColumns, pivots: np.ndarray) -> None:
    for entry in range(len(G.data)):
        pivots[G.indices[entry]] += G.data[entry] ** 2


@compiled
def _eliminate(
    indices: np.ndarray, values: np.ndarray, start: int, end: int, weight: float,
    column: np.ndarray, stamp: np.ndarray, touched: np.ndarray, n_touched: int, j: int,
) -> int:  # fmt: skip
    for place in range(start, end):
        row = indices[place]
        if stamp[row] != j:
            stamp[row] = j
            column[row] = 0.0
            touched[n_touched] = row
            n_touched += 1
        column[row] -= values[place] * weight
    return n_touched


@compiled
def _below(touched: np.ndarray, n_touched: int, column: np.ndarray, j: int) -> np.ndarray:
    rows, n = np.empty(n_touched, np.int64), 0
    for row in touched[:n_touched]:
        if row > j and column[row] != 0.0:
            rows[n] = row
            n += 1
    return rows[:n]


@compiled
def _largest(rows: np.ndarray, column: np.ndarray, k: int) -> np.ndarray:
    """Return the k rows with the largest entries, in rising order; ties by row."""
    if len(rows) <= k:
        return np.sort(rows)
    if k <= 0:
        return rows[:0]
    size = np.abs(column[rows])
    bar = np.partition(size, len(size) - k)[len(size) - k]
    above, tied = rows[size > bar], np.sort(rows[size == bar])
    return np.sort(np.append(above, tied[: k - len(above)]))
