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
    n_new = np.bincount(user[after], minlength=n_users)  # of a new user, all items
    n_asked = np.maximum(1, np.floor((1.0 - fold_in_share) * n_new + 1e-9).astype(int))
    order = np.lexsort((np.arange(len(user)), first_seen, ~after, user))
    place = np.empty(len(user), dtype=np.int64)
    place[order] = np.arange(len(user)) - indptr[user[order]]
    is_last = after & (place >= (n_new - n_asked)[user])
    target = np.where(is_old[user], after, is_last & (n_new[user] > 1))
    judged = np.bincount(user[target], minlength=n_users) > 0
    shown = np.where(is_old[user], before, after & ~target)
    return shown & judged[user], target
