"""The temporal hold-out: what a judged user has shown, and what they are asked."""

import numpy as np
from jaxtyping import Bool, Float, Int


def temporal_holdout(
    indptr: Int[np.ndarray, " n_users_plus_1"],
    weight: Float[np.ndarray, " nnz"],
    weight_before_cut: Float[np.ndarray, " nnz"],
    first_seen: Int[np.ndarray, " nnz"],
    *,
    fold_in_share: float,
) -> tuple[Bool[np.ndarray, " nnz"], Bool[np.ndarray, " nnz"]]:
    """Return which entries are shown (fold-in) and which are asked (target).

    A user with a history before the cut is shown that history and asked for the items first
    met after it. A user without one is shown the first share of their items, by time, and
    asked for the rest, at least one. A user with nothing to ask is not judged.

    Args:
        indptr: where each user's entries begin.
        weight: of every entry, as of the run date; entries of weight 0 take no part.
        weight_before_cut: of its events before the cut.
        first_seen: time of its first event.
        fold_in_share: of a new user's items, the share that is shown.

    Returns:
        Two masks over the entries, disjoint.
    """
    n_users = len(indptr) - 1
    user = np.repeat(np.arange(n_users), np.diff(indptr))
    before = weight_before_cut > 0
    after = (weight > 0) & ~before
    is_old = np.bincount(user[before], minlength=n_users) > 0
    met = np.flatnonzero(after & ~is_old[user])  # all items of users without a history
    shown_new, asked_new = _last_items(user[met], first_seen[met], n_users, 1.0 - fold_in_share)
    target = after & is_old[user]
    target[met] = asked_new
    judged = np.bincount(user[target], minlength=n_users) > 0
    shown = before & judged[user]
    shown[met] = shown_new & judged[user[met]]
    return shown, target


def _last_items(
    user: np.ndarray, first_seen: np.ndarray, n_users: int, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Split every user's items by time; the last share of two or more is asked, at least one."""
    n_items = np.bincount(user, minlength=n_users)
    n_asked = np.maximum(1, np.floor(share * n_items + 1e-9).astype(np.int64))
    n_asked[n_items < 2] = 0
    order = np.lexsort((first_seen, user))  # stable: equal times keep the order of items
    starts = np.cumsum(n_items) - n_items
    place = np.empty(len(user), dtype=np.int64)
    place[order] = np.arange(len(user)) - starts[user[order]]
    asked = place >= (n_items - n_asked)[user]
    return ~asked, asked
