"""Compiled loops behind ELSA's residual weights; they release the interpreter lock."""

from typing import NamedTuple

import numpy as np

from models.ranking.selection import compiled

_NOBODY = np.int64(-1)


class Columns(NamedTuple):
    """A matrix column by column."""

    indptr: np.ndarray  # (n_items + 1,)
    rows: np.ndarray
    data: np.ndarray


class LowRank(NamedTuple):
    """What the low rank P says, as far as the regression must know it."""

    XtH: np.ndarray  # Xᵀ times the users' factors, (n_items, n_factors) float32
    A: np.ndarray  # item factors, the same shape
    read: np.ndarray  # what an item is multiplied by before it is read, (n_items,) float32
    told: np.ndarray  # what its score is multiplied by, (n_items,) float32


@compiled
def add_gram_product(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, read: np.ndarray,
    A: np.ndarray, product: np.ndarray,
) -> None:  # fmt: skip
    """Add Xᵀ (X diag(read) A) to product, shape (n_items, n_columns), user by user."""
    h = np.empty(A.shape[1], np.float32)
    for user in range(len(indptr) - 1):
        h[:] = np.float32(0.0)
        for entry in range(indptr[user], indptr[user + 1]):
            x, a = data[entry] * read[indices[entry]], A[indices[entry]]
            for f in range(len(h)):
                h[f] += x * a[f]
        for entry in range(indptr[user], indptr[user + 1]):
            x, total = data[entry], product[indices[entry]]
            for f in range(len(h)):
                total[f] += x * h[f]


@compiled
def _gram(
    X: Columns, items: np.ndarray, latest: np.ndarray, entry_of: np.ndarray, before: np.ndarray,
    G: np.ndarray,
) -> None:  # fmt: skip
    """Write the lower triangle of the Gram matrix of some items.

    Args:
        X: weights.
        items: which.
        latest: -1 for every user, shape (n_users,), and so again at the end.
        entry_of: room for the entries of all items: place in X.
        before: the same: the user's entry before this one.
        G: shape (len(items), len(items)).
    """
    G[:] = 0.0
    place_of = np.empty(len(before), np.int32)
    n = 0
    for place in range(len(items)):
        for entry in range(X.indptr[items[place]], X.indptr[items[place] + 1]):
            user, x = X.rows[entry], np.float64(X.data[entry])
            entry_of[n], place_of[n], before[n], latest[user] = entry, place, latest[user], n
            other = n
            while other != _NOBODY:
                G[place, place_of[other]] += x * X.data[entry_of[other]]
                other = before[other]
            n += 1
    for each in range(n):
        latest[X.rows[entry_of[each]]] = _NOBODY


@compiled
def regress(
    X: Columns, n_users: int, near_indptr: np.ndarray, near: np.ndarray, low_rank: LowRank,
    scale: float, ridges: np.ndarray, shrink: float, weights: np.ndarray, first: int, last: int,
) -> None:  # fmt: skip
    """Regress what the low rank leaves of some items on their neighbours.

    Args:
        X: interaction weights, shape (n_users, n_items).
        n_users: rows of X.
        near_indptr: where each item's neighbours begin, shape (n_items + 1,).
        near: the neighbours.
        low_rank: what it says.
        scale: what that is multiplied by to be near X.
        ridges: each is added, one after the other, to a neighbour's sum of squares.
        shrink: share of itself that is added to it.
        weights: of the neighbours, in units of the low rank's scores, shape (n_ridges, n);
            written.
        first: item to begin with.
        last: item to end before.
    """
    most = 0
    for item in range(first, last):
        n_entries = X.indptr[item + 1] - X.indptr[item]
        for neighbour in near[near_indptr[item] : near_indptr[item + 1]]:
            n_entries += X.indptr[neighbour + 1] - X.indptr[neighbour]
        most = max(most, n_entries)
    latest = np.full(n_users, _NOBODY)
    entry_of, before = np.empty(most, np.int64), np.empty(most, np.int64)
    for item in range(first, last):
        start, stop = near_indptr[item], near_indptr[item + 1]
        n, a = stop - start, low_rank.A[item]
        items = np.append(near[start:stop], np.int32(item))
        G = np.empty((n + 1, n + 1))
        _gram(X, items, latest, entry_of, before, G)
        left = G[n, :n].copy()
        for place in range(n):
            product = 0.0
            for f in range(len(a)):
                product += low_rank.XtH[items[place], f] * a[f]
            own = low_rank.read[item] * G[n, place]
            left[place] -= scale * low_rank.told[item] * (product - own)
            G[place, place] += shrink * G[place, place]
            for other in range(place):
                G[other, place] = G[place, other]
        for each in range(len(ridges) if n else 0):
            ridged = G[:n, :n] + ridges[each] * np.eye(n)
            weights[each, start:stop] = np.linalg.solve(ridged, left) / scale
