"""Ranking of sparse scores: what has a score first, then what is popular, never what was seen."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.ranking.selection import compiled

Ranked = tuple[np.ndarray, np.ndarray, np.ndarray]


def rank_sparse(
    S: sp.csr_array,
    *,
    seen: sp.csr_array,
    eligible: Bool[np.ndarray, " n_items"],
    order: Int[np.ndarray, " n_ordered"],
    k: int,
) -> Ranked:
    """Return the k best eligible unseen items of every row of sparse scores.

    An item without an entry scores 0, as in the dense matrix: it comes after all positive scores
    and before all negative ones. Positive scores are in their order, ties by item index; items
    that score 0 in the given order; a negative score is listed only when nothing else is left.

    Args:
        S: scores, shape (n_users, n_items).
        seen: items never to be listed, shape (n_users, n_items); values do not matter.
        eligible: items that may be listed.
        order: items for the free places, the most popular first; others are never filled in.
        k: length of a list.

    Returns:
        Items (n_users, k) int32, best first, padded with -1; scores (n_users, k) float32, padded
        with nan; the number of items of each row that had a positive score (n_users,) int32.

    Raises:
        ValueError: shapes disagree, k is not positive, or a score is not finite.
    """
    _check(S, seen, eligible, k)
    S, seen = _canonical(S), _canonical(seen)
    items = np.full((S.shape[0], k), -1, dtype=np.int32)
    scores = np.full((S.shape[0], k), np.nan, dtype=np.float32)
    n_scored = np.zeros(S.shape[0], dtype=np.int32)
    _rank(
        S.indptr, S.indices, S.data.astype(np.float32), seen.indptr, seen.indices,
        eligible, order.astype(np.int64), items, scores, n_scored,
    )  # fmt: skip
    return items, scores, n_scored


def popularity_order(
    counts: Float[np.ndarray, " n_items"] | Int[np.ndarray, " n_items"],
) -> Int[np.ndarray, " n_items"]:
    """Return items by falling count, ties by index."""
    return np.argsort(-counts.astype(np.float64), kind="stable")


def _check(S: sp.csr_array, seen: sp.csr_array, eligible: np.ndarray, k: int) -> None:
    if seen.shape != S.shape or len(eligible) != S.shape[1]:
        raise ValueError(
            f"seen and eligible must fit scores of shape {S.shape}, "
            f"got {seen.shape} and {eligible.shape}"
        )
    if k < 1:
        raise ValueError(f"k must be positive, got {k}")
    if not np.isfinite(S.data).all():
        raise ValueError("scores must be finite, got nan or inf")


def _canonical(X: sp.csr_array) -> sp.csr_array:
    if X.has_canonical_format:
        return X
    X = X.copy()
    X.sum_duplicates()
    return X


@compiled
def _rank(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray,
    seen_indptr: np.ndarray, seen: np.ndarray, eligible: np.ndarray, order: np.ndarray,
    items: np.ndarray, scores: np.ndarray, n_scored: np.ndarray,
) -> None:  # fmt: skip
    taken = np.full(len(eligible), -1)  # the last row that must not list an item any more
    below = np.full(len(eligible), -1)  # the last row in which it scores less than 0
    for row in range(len(items)):
        for entry in range(seen_indptr[row], seen_indptr[row + 1]):
            taken[seen[entry]] = row
        start, end = indptr[row], indptr[row + 1]
        item, score = indices[start:end], data[start:end]
        best = np.argsort(-score, kind="mergesort")  # ties by item index
        n_positive, n_negative = np.sum(score > 0.0), np.sum(score < 0.0)
        positive, negative = best[:n_positive], best[len(best) - n_negative :]
        lists = items[row], scores[row]
        n = _append(lists, 0, item[positive], score[positive], eligible, taken, row)
        n_scored[row] = n
        if n < items.shape[1]:
            below[item[negative]] = row
            n = _append_order(lists, n, order, eligible, taken, below, row)
            _append(lists, n, item[negative], score[negative], eligible, taken, row)


@compiled
def _append(
    lists: tuple[np.ndarray, np.ndarray], n: int, item: np.ndarray, score: np.ndarray,
    eligible: np.ndarray, taken: np.ndarray, row: int,
) -> int:  # fmt: skip
    listed, listed_score = lists
    for place in range(len(item)):
        if n == len(listed):
            break
        if eligible[item[place]] and taken[item[place]] != row:
            listed[n], listed_score[n] = item[place], score[place]
            taken[item[place]] = row
            n += 1
    return n


@compiled
def _append_order(
    lists: tuple[np.ndarray, np.ndarray], n: int, order: np.ndarray,
    eligible: np.ndarray, taken: np.ndarray, below: np.ndarray, row: int,
) -> int:  # fmt: skip
    listed, listed_score = lists
    for item in order:
        if n == len(listed):
            break
        if eligible[item] and taken[item] != row and below[item] != row:
            listed[n], listed_score[n] = item, 0.0
            taken[item] = row
            n += 1
    return n
