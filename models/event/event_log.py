"""Events of many users: in order, and which of them count."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Integer, UInt64

from models.event.event_kernel import (
    count_marked,
    mark_repeats,
    mark_taken,
    order_pairs,
    order_times,
    settle_fates,
)


class Events(NamedTuple):
    """Rows of a log, in any order."""

    user: Integer[np.ndarray, " n"]  # 0 .. n_users - 1
    item: Integer[np.ndarray, " n"]  # not negative
    kind: Integer[np.ndarray, " n"]  # 0 .. n_kinds - 1, fewer than 256
    moment: Int64[np.ndarray, " n"]  # microseconds


class Ordered(NamedTuple):
    """Rows by user, item, moment and kind; equal events stay as given."""

    ends: Int64[np.ndarray, " n_users_plus_1"]  # where each user's rows begin and end
    row: Integer[np.ndarray, " n"]  # which row it was
    item: Integer[np.ndarray, " n"]
    moment: Int64[np.ndarray, " n"]
    kind: Integer[np.ndarray, " n"]


class Files(NamedTuple):
    """Which file each row of a log is of."""

    source: Integer[np.ndarray, " n"]  # of every row, in any order
    replaced: Bool[np.ndarray, " n_files"]  # a later night read the file anew


def in_order(events: Events, n_users: int) -> Ordered:
    """Return the rows by user, item, moment and kind: what equals another comes after it."""
    n = len(events.user)
    ends, keys = pairs_in_order(events, n_users)
    ordered = (
        np.empty(n, np.int32 if n < 2**31 else np.int64),
        *(np.empty_like(column) for column in (events.item, events.moment, events.kind)),
    )
    order_times(ends, keys, events.moment, events.kind, *ordered)
    return Ordered(ends, *ordered)


def pairs_in_order(
    events: Events, n_users: int
) -> tuple[Int64[np.ndarray, " n_users_plus_1"], Int64[np.ndarray, " n"]]:
    """Return where each user's rows begin and end, and keys of rows by user and item.

    A key holds the item in its upper 32 bits and the number of the row in its lower.
    """
    ends, keys = np.zeros(n_users + 1, np.int64), np.empty(len(events.user), np.int64)
    order_pairs(events.user, events.item, ends, keys)
    return ends, keys


def rows_that_stand(order: Ordered, files: Files, start: int) -> Bool[np.ndarray, " n"]:
    """Tell of every ordered row whether its file stands and its moment is not before the start."""
    taken = np.empty(len(order.row), bool)
    mark_taken(order.row, order.moment, files.source, files.replaced, start, taken)
    return taken


def fates_by_file(
    order: Ordered,
    files: Files,
    taken: Bool[np.ndarray, " n"],
    repeated: Bool[np.ndarray, " n"],
    bots: Bool[np.ndarray, " n"],
) -> tuple[Bool[np.ndarray, " n"], Int64[np.ndarray, "n_files 4"]]:
    """Tell which ordered rows are kept, and what became of the rows of every file.

    Args:
        order: the rows.
        files: where they are from.
        taken: rows that stand.
        repeated: those of them that tell what another tells.
        bots: those of them that are of a bot.

    Returns:
        The rows that are kept; and per file, how many rows are replaced, filtered, repeated and
        kept.
    """
    kept = np.empty(len(taken), bool)
    counts = np.zeros((len(files.replaced), 4), np.int64)
    settle_fates(order.row, files.source, files.replaced, taken, repeated, bots, kept, counts)
    return kept, counts


def repeats(
    order: Ordered,
    taken: Bool[np.ndarray, " n"],
    key: UInt64[np.ndarray, " n"] | None = None,
    *,
    within: int | None = None,
) -> Bool[np.ndarray, " n"]:
    """Tell for every ordered row whether a taken one tells the same event, and is preferred.

    Rows with the same key tell the same event of a user, if each comes soon enough after the one
    before; of these the earliest counts, and of equally early ones the first. Rows without a key
    do if they are equal.

    Args:
        order: the rows.
        taken: which of them take part; of the others none repeats, nor is repeated.
        key: of every ordered row, 0 for none; by default no row has one.
        within: how soon, in microseconds; by default however late.
    """
    repeated = np.zeros(len(taken), bool)
    plain = taken if key is None else taken & (key == 0)
    mark_repeats(order.ends, order.item, order.moment, order.kind, plain, repeated)
    if key is not None:
        rows = np.flatnonzero(taken & (key != 0))
        user = users_of(order)[rows]
        by_key = np.lexsort((order.moment[rows], key[rows], user))  # stable: else as ordered
        rows, user = rows[by_key], user[by_key]
        again = (user[1:] == user[:-1]) & (key[rows[1:]] == key[rows[:-1]])
        if within is not None:
            again &= np.diff(order.moment[rows]) <= within
        repeated[rows[1:][again]] = True
    return repeated


def users_of(order: Ordered) -> Integer[np.ndarray, " n"]:
    """Return the user of every ordered row."""
    return np.repeat(np.arange(len(order.ends) - 1, dtype=np.uint32), np.diff(order.ends))


def marked_by_user(
    ends: Int64[np.ndarray, " n_users_plus_1"], marked: Bool[np.ndarray, " n"]
) -> Int64[np.ndarray, " n_users"]:
    """Return how many marked rows every user has, given where the users' rows begin and end."""
    counts = np.zeros(len(ends) - 1, np.int64)
    count_marked(ends, marked, counts)
    return counts
