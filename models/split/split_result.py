"""What a split gives: who learns from what, who is asked what, and the words that go with it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int, Num

RECALL_RULE = "hits / min(k, targets)"


@dataclass(frozen=True)
class SplitDescription:
    """How a split was made; figures mean nothing without it."""

    split: str  # the rule, with its parameters
    leak: str  # what the rule lets a model know of the time after a target, "none" if nothing
    item_universe: str
    seed: int | None = None  # None where nothing is drawn
    recall_rule: str = RECALL_RULE
    n_users: int = 0  # with a target: the mean is over these
    n_users_without_target: int = 0  # they drop out of the mean
    n_targets: int = 0
    n_targets_unknown: int = 0  # of items that no training event holds: a model can only miss them

    def words(self) -> dict[str, str]:
        """Return everything as text, for a report or a manifest."""
        return {
            "split": self.split,
            "leak": self.leak,
            "item universe": self.item_universe,
            "seed": "nothing is drawn" if self.seed is None else str(self.seed),
            "recall rule": self.recall_rule,
            "users": f"{self.n_users} judged, {self.n_users_without_target} without a target",
            "targets": f"{self.n_targets}, {self.n_targets_unknown} of items not in training",
        }


@dataclass(frozen=True)
class Split:
    """Three masks over the events.

    An event may be in train and in fold_in. No user is asked for an item they are shown, and
    none is asked for an item twice: a target is the first event of its user and item.
    """

    train: Bool[np.ndarray, " n_events"]  # what a model may learn from
    fold_in: Bool[np.ndarray, " n_events"]  # what is shown of judged users
    target: Bool[np.ndarray, " n_events"]  # what is asked
    description: SplitDescription


def counted_split(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    *,
    train: Bool[np.ndarray, " n_events"],
    fold_in: Bool[np.ndarray, " n_events"],
    target: Bool[np.ndarray, " n_events"],
    may_be_asked: Bool[np.ndarray, " n_events"],
    words: tuple[str, str, str],
    seed: int | None = None,
) -> Split:
    """Return the split with its counts; only users with a target are shown anything.

    Args:
        user: row of the user.
        item: column of the item.
        train: what a model may learn from.
        fold_in: what may be shown.
        target: what is asked.
        may_be_asked: events of the users of whom some drop out for want of a target.
        words: the rule, its leak, and the item universe.
        seed: what was drawn with, if anything was.
    """
    judged = member(user[target], user)
    unknown = ~member(item[train], item[target])
    n_judged, n_candidates = len(np.unique(user[target])), len(np.unique(user[may_be_asked]))
    rule, leak, universe = words
    description = SplitDescription(
        split=rule, leak=leak, item_universe=universe, seed=seed, n_users=n_judged,
        n_users_without_target=n_candidates - n_judged,
        n_targets=int(target.sum()), n_targets_unknown=int(unknown.sum()),
    )  # fmt: skip
    return Split(train, fold_in & judged, target, description)


class SplitRows(NamedTuple):
    """A split as matrices."""

    train: sp.csr_array  # (n_users, n_items)
    fold_in: sp.csr_array  # (n_judged, n_items)
    target: sp.csr_array  # (n_judged, n_items), every row with an item
    users: Int[np.ndarray, " n_judged"]  # who the rows of fold_in and target are


def split_rows(
    split: Split,
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    *,
    n_users: int,
    n_items: int,
    weight: Num[np.ndarray, " n_events"] | None = None,
) -> SplitRows:
    """Return a split as matrices, for fits and metrics.

    Args:
        split: of these events.
        user: row of the user, between 0 and n_users - 1.
        item: column of the item, between 0 and n_items - 1.
        n_users: rows of train.
        n_items: columns.
        weight: summed over the events of a pair; by default a pair weighs 1.

    Returns:
        Matrices in float32; targets weigh 1.
    """
    users = np.unique(user[split.target])

    def matrix(mask: np.ndarray, weight: Num[np.ndarray, " n_events"] | None) -> sp.csr_array:
        data = np.ones(int(mask.sum())) if weight is None else weight[mask]
        X = sp.csr_array((data, (user[mask], item[mask])), shape=(n_users, n_items))
        X.sum_duplicates()
        if weight is None:
            X.data[:] = 1.0
        return X.astype(np.float32)

    target = matrix(split.target, None)[users]
    return SplitRows(
        matrix(split.train, weight), matrix(split.fold_in, weight)[users], target, users
    )


def member(
    some: Int[np.ndarray, " n_some"], all_of_them: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Tell which of many small non-negative numbers are among some."""
    size = 1 + max(some.max(initial=-1), all_of_them.max(initial=-1))
    return (np.bincount(some, minlength=size) > 0)[all_of_them]


def first_events(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    time: Num[np.ndarray, " n_events"] | None = None,
) -> Bool[np.ndarray, " n_events"]:
    """Tell which events are the first of their user and item; equal times keep their order."""
    keys = (item, user) if time is None else (time, item, user)
    order = np.lexsort(keys)  # stable
    by_user, by_item = user[order], item[order]
    first = np.ones(len(user), dtype=bool)
    first[order[1:]] = (np.diff(by_user) != 0) | (np.diff(by_item) != 0)
    return first


def check_events(
    user: Int[np.ndarray, " n_users_of_events"],
    item: Int[np.ndarray, " n_items_of_events"],
    time: Num[np.ndarray, " n_times_of_events"] | None = None,
) -> None:
    """Raise ValueError unless the columns are as long as each other and hold no negative."""
    lengths = {len(column) for column in (user, item, time) if column is not None}
    if len(lengths) > 1:
        raise ValueError(f"user, item and time must be equally long, got {sorted(lengths)}")
    lowest = min(user.min(initial=0), item.min(initial=0))
    if lowest < 0:
        raise ValueError(f"users and items must be numbered from 0, got {lowest}")
    if time is not None and not np.isfinite(time).all():
        raise ValueError("every time must be finite, got nan or inf")
