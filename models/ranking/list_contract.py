"""What finished lists must keep, counted rule by rule on arrays read back from the table."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

CATALOGUE, ALLOW_LIST, SEEN, CATEGORY_CAPS, SOURCES = range(5)  # places in SHORT_REASONS


@dataclass(frozen=True)
class Lists:
    """Rows of one table: user and item indices, rank from 1, in the order of the file."""

    user: Int[np.ndarray, " n_rows"]
    item: Int[np.ndarray, " n_rows"]  # -1: an id nobody knows
    rank: Int[np.ndarray, " n_rows"]
    score: Float[np.ndarray, " n_rows"]
    by_model: Bool[np.ndarray, " n_rows"]


@dataclass(frozen=True)
class Terms:
    """What may stand in the lists of n_users users."""

    n: int
    eligible: Bool[np.ndarray, "n_groups n_items"]
    known: Bool[np.ndarray, " n_items"]  # to the model
    group: Int[np.ndarray, " n_users"]
    hidden: sp.csr_array
    allowed: sp.csr_array | None
    category: Int[np.ndarray, " n_items"]
    caps: Int[np.ndarray, " n_categories"]
    complete: bool  # a fallback knows every item, so a list is as long as the rules allow
    scores_fall: bool  # no rule of the surface may put a lower score above a higher one


def violations(
    lists: Lists, terms: Terms, reason: Int[np.ndarray, " n_users"], *, n_proven: int
) -> dict[str, int]:
    """Return how often every rule is broken.

    Args:
        lists: of users 0 to n_users - 1, in order of user and rank.
        terms: what may be listed.
        reason: why a user's list is short, -1 where it is said to be whole.
        n_proven: most short lists whose reason is proven, the first ones.

    Returns:
        Rule -> rows or users that break it.
    """
    user, item = lists.user, lists.item
    lengths = np.bincount(user, minlength=len(terms.group))
    known = item >= 0
    place = np.where(known, item, 0)
    may = known & terms.eligible[terms.group[user], place]
    may &= ~lists.by_model | terms.known[place]
    restricted = _restricted(terms)
    barred = restricted[user] & ~contains(terms.allowed, user, place)
    return {
        "hidden": int((known & contains(terms.hidden, user, place)).sum()),
        "ineligible": int((~may).sum()),
        "not_allowed": int((known & barred).sum()),
        "repeated": len(item) - len(np.unique(_keys(user, place, terms))),
        "not_finite": int((~np.isfinite(lists.score)).sum()),
        "rank_gap": _gaps(lists, terms),
        "category_caps": _over_caps(user, place, terms),
        "wrong_length": int(((lengths < terms.n) != (reason >= 0)).sum())
        + int((lengths > terms.n).sum()),
        "untrue_reason": _untrue(lists, terms, reason, lengths, n_proven),
    }


def contains(
    X: sp.csr_array | None, row: Int[np.ndarray, " n"], column: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Tell for every pair whether X has an entry there, be it 0."""
    if X is None or not X.nnz or not len(row):
        return np.zeros(len(row), dtype=bool)
    width = X.shape[1]
    rows = np.repeat(np.arange(X.shape[0], dtype=np.int64), np.diff(X.indptr))
    entries = np.sort(rows * width + X.indices)
    wanted = row.astype(np.int64) * width + column
    found = np.searchsorted(entries, wanted)
    return entries[np.minimum(found, len(entries) - 1)] == wanted


def _restricted(terms: Terms) -> np.ndarray:
    if terms.allowed is None:
        return np.zeros(len(terms.group), dtype=bool)
    return np.diff(terms.allowed.indptr) > 0


def _keys(user: np.ndarray, place: np.ndarray, terms: Terms) -> np.ndarray:
    return user.astype(np.int64) * terms.eligible.shape[1] + place


def _gaps(lists: Lists, terms: Terms) -> int:
    first = np.r_[True, lists.user[1:] != lists.user[:-1]][: len(lists.user)]
    expected = np.arange(len(first)) - np.maximum.accumulate(
        np.where(first, np.arange(len(first)), 0)
    )
    broken = lists.rank != expected + 1
    if terms.scores_fall:  # within the model's part; other sources have scores of their own
        rises = (np.diff(lists.score, prepend=np.inf) > 0) & ~first
        broken |= rises & lists.by_model & np.r_[False, lists.by_model[:-1]][: len(first)]
    return int(broken.sum())


def _over_caps(user: np.ndarray, place: np.ndarray, terms: Terms) -> int:
    category = terms.category[place]
    capped = category >= 0
    if not capped.any():
        return 0
    key = user[capped].astype(np.int64) * len(terms.caps) + category[capped]
    pairs, counts = np.unique(key, return_counts=True)
    return int((counts > terms.caps[pairs % len(terms.caps)]).sum())


def _untrue(
    lists: Lists, terms: Terms, reason: np.ndarray, lengths: np.ndarray, n_proven: int
) -> int:
    short = np.flatnonzero(reason >= 0)[:n_proven]
    starts = np.searchsorted(lists.user, short)
    return sum(
        not _is_true(terms, user, lists.item[start : start + lengths[user]], int(reason[user]))
        for user, start in zip(short.tolist(), starts.tolist(), strict=True)
    )


def _is_true(terms: Terms, user: int, listed: np.ndarray, reason: int) -> bool:
    may = terms.eligible[terms.group[user]].copy()
    left = [int(may.sum())]
    if terms.allowed is not None and terms.allowed.indptr[user] < terms.allowed.indptr[user + 1]:
        own = np.zeros_like(may)
        own[_row(terms.allowed, user)] = True
        may &= own
    left.append(int(may.sum()))
    may[_row(terms.hidden, user)] = False
    left.append(int(may.sum()))
    left.append(_most_under_caps(terms, may))
    lacking = [count < terms.n for count in left]
    if not any(lacking):
        return reason == SOURCES
    return reason == lacking.index(True) and (len(listed) == left[-1] or not terms.complete)


def _row(X: sp.csr_array, row: int) -> np.ndarray:
    return X.indices[X.indptr[row] : X.indptr[row + 1]]


def _most_under_caps(terms: Terms, may: np.ndarray) -> int:
    category = terms.category[may]
    counts = np.bincount(category[category >= 0], minlength=len(terms.caps))
    return int((category < 0).sum() + np.minimum(counts, terms.caps).sum())
