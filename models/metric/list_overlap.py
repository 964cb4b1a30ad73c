"""How alike two rankings are: overlap, rank-biased overlap, and sameness with the popular list."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.metric.ranking_metric import hit_matrix


class Common(NamedTuple):
    """Items that stand in both lists of a user, one entry each."""

    user: Int[np.ndarray, " n_common"]  # row of the user
    rank: Int[np.ndarray, " n_common"]  # place in the one list, from 1
    rank_before: Int[np.ndarray, " n_common"]  # place in the other, from 1


def shared_items(
    items: Int[np.ndarray, "n_users k"], others: Int[np.ndarray, "n_users k_others"], n_items: int
) -> Int[np.ndarray, " n_users"]:
    """Return how many items of each list stand in the other list of the same user.

    Args:
        items: lists, padded with -1, no item twice in one.
        others: the other lists, likewise.
        n_items: items are numbered below this.
    """
    user, place = np.nonzero(others >= 0)
    pairs = (np.ones(len(user), np.float32), (user, others[user, place]))
    return hit_matrix(items, sp.csr_array(pairs, shape=(len(items), n_items))).sum(axis=1)


def overlap(
    common: Common, n: Int[np.ndarray, " n_users"], n_before: Int[np.ndarray, " n_users"]
) -> Float[np.ndarray, " n_users"]:
    """Return the share of the longer list that stands in the other one too.

    Args:
        common: items of both lists.
        n: length of every user's list, at least 1.
        n_before: length of the other list, at least 1.
    """
    return _per_user(common.user, len(n)) / np.maximum(n, n_before)


def unchanged(
    common: Common, n: Int[np.ndarray, " n_users"], n_before: Int[np.ndarray, " n_users"]
) -> Bool[np.ndarray, " n_users"]:
    """Tell whose two lists hold the same items in the same places."""
    kept = common.user[common.rank == common.rank_before]
    return (n == n_before) & (_per_user(kept, len(n)) == n)


def rank_biased_overlap(
    common: Common,
    n: Int[np.ndarray, " n_users"],
    n_before: Int[np.ndarray, " n_users"],
    *,
    persistence: float,
) -> Float[np.ndarray, " n_users"]:
    """Return the extrapolated rank-biased overlap of two lists without ties.

    It is 1 for equal lists and 0 for lists without a common item. What lies below the last
    places is taken to agree as much as the lists do at their ends.

    Reference: Webber, Moffat and Zobel, "A similarity measure for indefinite rankings",
    TOIS 2010, doi:10.1145/1852102.1852106, equation 32 (persistence is its p, S the shorter
    list, L the longer, X_d the number of common items down to depth d).

    Args:
        common: items of both lists.
        n: length of every user's list, at least 1.
        n_before: length of the other list, at least 1.
        persistence: between 0 and 1; the first d places weigh about 1 - p^d.

    Raises:
        ValueError: persistence is not between 0 and 1.
    """
    if not 0.0 < persistence < 1.0:
        raise ValueError(f"persistence must lie between 0 and 1, got {persistence}")
    short, long = np.minimum(n, n_before), np.maximum(n, n_before)
    depth = np.arange(int(long.max(initial=0)) + 1)
    terms = (1.0 - persistence) / persistence * persistence**depth
    terms[0] = 0.0
    power = np.cumsum(terms)  # of (1 - p) / p p^d, down to every depth
    harmonic = np.cumsum(terms / np.maximum(depth, 1))  # the same of (1 - p) / p p^d / d
    met = np.maximum(common.rank, common.rank_before)  # depth from which both lists hold the item
    X_long = _per_user(common.user, len(n))
    X_short = _per_user(common.user[met <= short[common.user]], len(n))
    agreed = np.bincount(common.user, harmonic[long[common.user]] - harmonic[met - 1], len(n))
    beyond = (power[long] - power[short]) / short - (harmonic[long] - harmonic[short])
    last = (X_long - X_short) / long + X_short / short
    return agreed + X_short * beyond + last * persistence ** long.astype(np.float64)


def is_popular(
    user: Int[np.ndarray, " n_rows"],
    rank: Int[np.ndarray, " n_rows"],
    popular_rank: Int[np.ndarray, " n_rows"],
    n: Int[np.ndarray, " n_users"],
    *,
    met_user: Int[np.ndarray, " n_met"],
    met_rank: Int[np.ndarray, " n_met"],
) -> Bool[np.ndarray, " n_users"]:
    """Tell whose list is the popular one: the most popular items in order, but for items met.

    Args:
        user: row of the user, for every listed item.
        rank: its place in the list, from 1.
        popular_rank: its place among all items by popularity, from 1; 0 for an item without.
        n: length of every user's list, at least 1.
        met_user: row of the user, for every item that a user has met and that is not listed.
        met_rank: its place by popularity.
    """
    order = np.lexsort((rank, user))
    places, owner = popular_rank[order], user[order]
    falls = (np.diff(places) <= 0) & (np.diff(owner) == 0)
    faults = np.concatenate((owner[1:][falls], owner[places == 0]))
    in_order = _per_user(faults, len(n)) == 0
    deepest = np.zeros(len(n), np.int64)
    np.maximum.at(deepest, owner, places)
    skipped_met = _per_user(met_user[met_rank <= deepest[met_user]], len(n))
    return in_order & (deepest - n == skipped_met)


def _per_user(user: Int[np.ndarray, " n_entries"], n_users: int) -> Int[np.ndarray, " n_users"]:
    return np.bincount(user, minlength=n_users)
