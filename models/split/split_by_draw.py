"""Splits by lot: of users, of items, of pairs; and the fixed split that files bring along."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from models.split.split import share_of
from models.split.split_result import Split, check_events, counted_split, first_events, member

Universe = Literal["train", "all"]
_TIMELESS = "time is not looked at: training holds what came after the targets"


def draw_users(n_users: int, *, sizes: tuple[int, ...], seed: int) -> list[np.ndarray]:
    """Return disjoint groups of users, each in order: test users, validation users.

    Raises:
        ValueError: there are fewer users than are to be drawn.
    """
    if sum(sizes) > n_users:
        raise ValueError(f"at most {n_users} users can be drawn, got sizes {sizes}")
    order = np.random.default_rng(seed).permutation(n_users)
    ends = np.cumsum(sizes)
    return [np.sort(order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def strong_generalisation(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    *,
    test_users: Int[np.ndarray, " n_test"],
    left_out_users: Int[np.ndarray, " n_left_out"] | None = None,
    target_share: float = 0.2,
    min_items: int = 5,
    items: Universe = "train",
    seed: int,
) -> Split:
    """Return the split of which a model never meets the users it is judged on.

    Reference: Liang et al., WWW 2018, arXiv:1802.05814, section 4.1.

    Args:
        user: row of the user.
        item: column of the item.
        test_users: judged; nothing of theirs is in training.
        left_out_users: neither in training nor judged, as test users while validating.
        target_share: of a test user's items, drawn to be asked, rounded down, at least one.
        min_items: a test user with fewer is not judged.
        items: "train" forgets what test users did with items that training does not hold, as
            Liang does; "all" asks for them too.
        seed: which items are drawn.

    Raises:
        ValueError: columns are not equally long, a number is negative, the share is not
            between 0 and 1, or min_items is below 2.
    """
    _check(user, item, target_share)
    if min_items < 2:
        raise ValueError(f"min_items must be at least 2, got {min_items}")
    tested = member(test_users, user)
    left_out = np.zeros_like(tested) if left_out_users is None else member(left_out_users, user)
    train = ~tested & ~left_out
    known = member(item[train], item) if items == "train" else np.ones_like(train)
    target, asked = _drawn(user, item, tested & known, target_share, min_items, seed)
    rule = (
        f"{target_share:.0%} of the items of users held out of training are asked, "
        f"of users with {min_items} items and more"
    )
    universe = {"train": "items of training users", "all": "all items"}[items]
    return counted_split(
        user, item, train=train, fold_in=tested & known & ~asked, target=target,
        may_be_asked=tested, words=(rule, _TIMELESS, universe), seed=seed,
    )  # fmt: skip


def random_pairs(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    *,
    share: float,
    seed: int,
) -> Split:
    """Return the split that asks every user for some of their items, whenever they met them.

    It is here to compare with published figures: it lets a model see the future of the very
    users it is judged on.

    Args:
        user: row of the user.
        item: column of the item.
        share: of a user's items, rounded down, at least one; a single item is not asked.
        seed: which items are drawn.

    Raises:
        ValueError: columns are not equally long, a number is negative, or the share is not
            between 0 and 1.
    """
    _check(user, item, share)
    everything = np.ones(len(user), dtype=bool)
    target, asked = _drawn(user, item, everything, share, 2, seed)
    return counted_split(
        user, item, train=~asked, fold_in=~asked, target=target, may_be_asked=everything,
        words=(f"{share:.0%} of each user's items, drawn", _TIMELESS, "items of training"),
        seed=seed,
    )  # fmt: skip


def cold_items(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    *,
    share: float,
    seed: int,
) -> Split:
    """Return the split that asks for items of which a model has seen no event at all.

    Args:
        user: row of the user.
        item: column of the item.
        share: of all items that occur, drawn to be cold, rounded down, at least one.
        seed: which items are drawn.

    Raises:
        ValueError: columns are not equally long, a number is negative, or the share is not
            between 0 and 1.
    """
    _check(user, item, share)
    there = np.unique(item)
    n_cold = min(len(there), max(1, int(share * len(there) + 1e-9)))
    drawn = np.random.default_rng(seed).permutation(there)[:n_cold]
    cold = member(drawn, item)
    target = cold & first_events(user, item) & member(user[~cold], user)
    return counted_split(
        user, item, train=~cold, fold_in=~cold, target=target, may_be_asked=cold,
        words=(f"{share:.0%} of the items, drawn, are held out", _TIMELESS, "all items"),
        seed=seed,
    )  # fmt: skip


def fixed_split(
    user: Int[np.ndarray, " n_events"],
    item: Int[np.ndarray, " n_events"],
    *,
    is_test: Bool[np.ndarray, " n_events"],
    name: str,
) -> Split:
    """Return the split that others have published, as two files.

    What a user is asked although training holds it, and what is asked twice, is left out; a
    user of whom training knows nothing is not judged.

    Args:
        user: row of the user, of both files one after the other.
        item: column of the item.
        is_test: which rows are those of the test file.
        name: of the split, for the report.

    Raises:
        ValueError: columns are not equally long, a number is negative, or a file is empty.
    """
    check_events(user, item)
    if is_test.all() or not is_test.any():
        raise ValueError(
            f"both files must hold rows, got {(~is_test).sum()} and {is_test.sum()} of them"
        )
    first = first_events(user, item, is_test.astype(np.int8))  # training rows before test rows
    target = is_test & first & member(user[~is_test], user)
    words = (f"fixed files: {name}", "as published", "items of training; others are missed")
    return counted_split(
        user, item, train=~is_test, fold_in=~is_test, target=target, may_be_asked=is_test,
        words=words,
    )  # fmt: skip


def _check(user: np.ndarray, item: np.ndarray, share: float) -> None:
    check_events(user, item)
    if not 0.0 < share < 1.0:
        raise ValueError(f"the share must be between 0 and 1, got {share}")


def _drawn(
    user: np.ndarray, item: np.ndarray, of: np.ndarray, share: float, min_items: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw some of every user's items; return the first events of these, and all of them."""
    first = first_events(user, item)
    pairs = np.flatnonzero(first & of)
    owner = user[pairs]
    n_items = np.bincount(owner, minlength=1 + int(user.max(initial=-1)))
    n_asked = np.where(n_items < min_items, 0, share_of(n_items, share))
    order = np.lexsort((item[pairs], owner))  # the draw does not depend on the order of events
    draw = np.empty(len(pairs))
    draw[order] = np.random.default_rng(seed).random(len(pairs))
    by_draw = np.lexsort((draw, owner))
    place = np.empty(len(pairs), dtype=np.int64)
    place[by_draw] = np.arange(len(pairs)) - (np.cumsum(n_items) - n_items)[owner[by_draw]]
    target = np.zeros(len(user), dtype=bool)
    target[pairs] = place < n_asked[owner]
    return target, target[_first_of(user, item, first)]


def _first_of(user: np.ndarray, item: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the place of the first event of every event's user and item."""
    order = np.lexsort((item, user))  # stable, so that the first event leads its pair
    leaders = order[first[order]]
    leader = np.empty(len(user), dtype=np.int64)
    leader[order] = leaders[np.cumsum(first[order]) - 1]
    return leader
