"""Splits by time: what is known by then is shown, what comes later is asked."""

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from models.event.event_log import marked_by_user
from models.split.split_result import Split, check_events, counted_split, first_events

_OTHERS = "events of other users after a target are in training"


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
    sizes, before = np.diff(indptr), weight_before_cut > 0
    met = (weight > 0) & ~before
    of_old = np.repeat(marked_by_user(indptr, before) > 0, sizes)
    target = met & of_old
    new = np.flatnonzero(met & ~of_old)
    user = np.searchsorted(indptr, new, side="right") - 1
    target[new] = _asked_of_new(user, first_seen[new], len(sizes), fold_in_share)
    judged = np.repeat(marked_by_user(indptr, target) > 0, sizes)
    before[new] = True  # of new users all that is not asked is shown
    return before & judged & ~target, target


def temporal_cut(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    time: Num[np.ndarray, " n_events"],
    *,
    cut: int | float,
    fold_in_share: float | None = None,
) -> Split:
    """Return the split at one moment for all users: the only one here that leaks nothing.

    A model learns from what happened before the cut. A user with a history is shown it, and
    asked for the items first met at the cut or later.

    Args:
        user: row of the user.
        item: column of the item.
        time: of the event.
        cut: the moment.
        fold_in_share: a user without a history is shown this first share of their items and
            asked for the rest; by default such users are not judged.

    Raises:
        ValueError: columns are not equally long, a number is negative, or the share is not
            between 0 and 1.
    """
    check_events(user, item, time)
    if fold_in_share is not None:
        _check_share("fold_in_share", fold_in_share)
    before, n_users = time < cut, 1 + int(user.max(initial=-1))
    met = first_events(user, item, time) & ~before
    shown, asked = _shown_and_asked(
        user, met, before, time, n_users=n_users, fold_in_share=fold_in_share
    )
    rule = f"everything before {cut} is known, items first met from then on are asked"
    universe = "items of training; others can be asked, and are missed"
    return counted_split(
        user, item, train=before, fold_in=shown, target=asked, may_be_asked=~before,
        words=(rule, "none", universe),
    )  # fmt: skip


def leave_last_n(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    time: Num[np.ndarray, " n_events"],
    *,
    n: int = 1,
) -> Split:
    """Return the split that asks every user for the last n items they met.

    A user with n items or fewer is not judged. Events of an asked user from the first target
    on are in no part. The future of other users is in training: figures are too good.

    Args:
        user: row of the user.
        item: column of the item.
        time: of the event.
        n: how many items are asked.

    Raises:
        ValueError: columns are not equally long, a number is negative, or n is below 1.
    """
    check_events(user, item, time)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    first = first_events(user, item, time)
    n_items = np.bincount(user[first])
    n_asked = np.where(n_items > n, n, 0)
    return _split_at_the_end(user, item, time, n_asked, rule=f"each user's last {n} items")


def user_temporal(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    time: Num[np.ndarray, " n_events"],
    *,
    share: float,
) -> Split:
    """Return the split that asks every user for the last share of the items they met.

    Rounded down, at least one; a user with a single item is not judged. Else as leave_last_n.

    Args:
        user: row of the user.
        item: column of the item.
        time: of the event.
        share: of a user's items.

    Raises:
        ValueError: columns are not equally long, a number is negative, or the share is not
            between 0 and 1.
    """
    check_events(user, item, time)
    _check_share("share", share)
    n_items = np.bincount(user[first_events(user, item, time)])
    n_asked = share_of(n_items, share)
    return _split_at_the_end(user, item, time, n_asked, rule=f"each user's last {share:.0%}")


def share_of(n_items: Int[np.ndarray, " n_users"], share: float) -> Int[np.ndarray, " n_users"]:
    """Return how many items are asked of every user: rounded down, one or more of two or more."""
    n_asked = np.maximum(1, np.floor(share * n_items + 1e-9).astype(np.int64))
    return np.where(n_items < 2, 0, n_asked)


def _check_share(name: str, share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"{name} must be between 0 and 1, got {share}")


def _shown_and_asked(
    user: np.ndarray,
    met: np.ndarray,
    before: np.ndarray,
    time: np.ndarray,
    *,
    n_users: int,
    fold_in_share: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    is_old = np.bincount(user[before], minlength=n_users) > 0
    new = np.flatnonzero(met & ~is_old[user])  # all items of users without a history
    target, shown = met & is_old[user], before.copy()
    if fold_in_share is not None:
        target[new] = _asked_of_new(user[new], time[new], n_users, fold_in_share)
        shown[new] = ~target[new]
    judged = np.bincount(user[target], minlength=n_users) > 0
    return shown & judged[user], target


def _asked_of_new(user: np.ndarray, time: np.ndarray, n_users: int, share: float) -> np.ndarray:
    """Mark every user's last entries, those after the share that is shown."""
    n_items = np.bincount(user, minlength=n_users)
    return _last(user, time, share_of(n_items, 1.0 - share))


def _last(user: np.ndarray, time: np.ndarray, n_asked: np.ndarray) -> np.ndarray:
    """Mark every user's last entries; n_asked is per user."""
    n_entries = np.bincount(user, minlength=len(n_asked))
    order = np.lexsort((time, user))  # stable: equal times keep their order
    starts = np.cumsum(n_entries) - n_entries
    place = np.empty(len(user), dtype=np.int64)
    place[order] = np.arange(len(user)) - starts[user[order]]
    return place >= (n_entries - n_asked)[user]


def _split_at_the_end(
    user: np.ndarray, item: np.ndarray, time: np.ndarray, n_asked: np.ndarray, *, rule: str
) -> Split:
    first = np.flatnonzero(first_events(user, item, time))
    target = np.zeros(len(user), dtype=bool)
    target[first] = _last(user[first], time[first], n_asked)
    place = np.empty(len(user), dtype=np.int64)
    place[np.lexsort((time, user))] = np.arange(len(user))
    end = np.full(len(n_asked), len(user), dtype=np.int64)
    np.minimum.at(end, user[target], place[target])
    known = place < end[user]  # what a user met before the first target
    return counted_split(
        user, item, train=known, fold_in=known, target=target,
        may_be_asked=np.ones(len(user), dtype=bool),
        words=(f"{rule} are asked", _OTHERS, "items of training; others are missed"),
    )  # fmt: skip
