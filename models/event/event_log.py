"""Events of many users: which repeat another, and what they add up to, as one weight a pair."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64, Integer, UInt64

from models.event.event_kernel import (
    count_marked,
    count_pairs,
    mark_repeats,
    mark_taken,
    order_rows,
    relabel_rows,
    settle_fates,
    sum_pairs,
    take_entries,
)

_OF_PAIRS = ("weight", "weight_before_cut", "first_seen", "last_seen", "n_events")
_UNIT = 2.0**40  # parts of the cap: weights are summed as integers, so order does not matter


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


class Decay(NamedTuple):
    """How events become weights; moments and ages in microseconds."""

    shares: np.ndarray  # weight of every kind as a share of the cap, shape (n_kinds,)
    cap: float  # largest weight of a pair
    end: int  # age counts from it
    half_life: float | None  # at this age an event counts half
    cut: int  # what lies before it is summed apart as well
    user_cap: float | None = None  # largest sum of a user's weights; larger ones are scaled down


class Pairs(NamedTuple):
    """One entry per user and item, by user and item; CSR without a shape."""

    indptr: Int64[np.ndarray, " n_users_plus_1"]
    item: Integer[np.ndarray, " nnz"]
    weight: Float32[np.ndarray, " nnz"]
    weight_before_cut: Float32[np.ndarray, " nnz"]
    first_seen: Int64[np.ndarray, " nnz"]
    last_seen: Int64[np.ndarray, " nnz"]
    n_events: Integer[np.ndarray, " nnz"]
    value: Float32[np.ndarray, " nnz"] | None = None  # of the last event, where events have one


def in_order(events: Events, n_users: int) -> Ordered:
    """Return the rows by user, item, moment and kind: what equals another comes after it."""
    n = len(events.user)
    ordered = Ordered(
        np.zeros(n_users + 1, np.int64), np.empty(n, np.int32 if n < 2**31 else np.int64),
        *(np.empty_like(column) for column in (events.item, events.moment, events.kind)),
    )  # fmt: skip
    order_rows(events.user, events.item, events.moment, events.kind, *ordered)
    return ordered


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


def add_up(order: Ordered, kept: Bool[np.ndarray, " n"], decay: Decay) -> Pairs:
    """Return one decayed and capped weight per user and item of the kept ones of ordered rows.

    An event of weight w and age a adds w 0.5^(a / half-life), at most the cap. However old,
    what has a weight never falls to 0: the item was met.
    """
    counts = np.zeros(len(order.ends) - 1, np.int64)
    count_pairs(order.ends, order.item, kept, counts)
    indptr = np.concatenate(([0], np.cumsum(counts)))
    n = int(indptr[-1])
    pairs = Pairs(
        indptr, np.empty(n, np.uint32), np.empty(n, np.float32), np.empty(n, np.float32),
        np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint32),
    )  # fmt: skip
    sum_pairs(
        order.ends, order.item, order.moment, order.kind, kept, decay.shares, decay.end,
        decay.half_life or 0.0, decay.cut, _UNIT, decay.cap, *pairs[1:7],
    )  # fmt: skip
    if decay.user_cap is not None:
        for weight in (pairs.weight, pairs.weight_before_cut):
            _scale_down(indptr, weight, decay.user_cap)
    return pairs


def _scale_down(indptr: np.ndarray, weight: np.ndarray, cap: float) -> None:
    """Scale the rows whose sum is above the cap, in place; what has a weight keeps some."""
    total = np.concatenate(([0.0], np.cumsum(weight, dtype=np.float64)))
    sums = np.diff(total[indptr])
    scale = np.minimum(1.0, cap / np.maximum(sums, cap)).astype(np.float32)
    tiny = np.finfo(np.float32).tiny
    scaled = np.maximum(weight * np.repeat(scale, np.diff(indptr)), tiny)
    np.copyto(weight, scaled, where=weight > 0)


def last_values(
    order: Ordered, kept: Bool[np.ndarray, " n"], value: Float32[np.ndarray, " n"]
) -> Float32[np.ndarray, " nnz"]:
    """Return the value of the last kept row of every user and item, in order of both.

    Args:
        order: the rows; among equal ones the last given counts.
        kept: which of them count.
        value: of every ordered row.
    """
    rows = np.flatnonzero(kept)
    user, item = users_of(order)[rows], order.item[rows]
    is_last = np.ones(len(rows), bool)
    is_last[:-1] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    return value[rows[is_last]]


def marked_by_user(
    ends: Int64[np.ndarray, " n_users_plus_1"], marked: Bool[np.ndarray, " n"]
) -> Int64[np.ndarray, " n_users"]:
    """Return how many marked rows every user has, given where the users' rows begin and end."""
    counts = np.zeros(len(ends) - 1, np.int64)
    count_marked(ends, marked, counts)
    return counts


def csr_of(
    indptr: Int64[np.ndarray, " n_users_plus_1"],
    item: Integer[np.ndarray, " nnz"],
    values: Float32[np.ndarray, " nnz"],
    taken: Bool[np.ndarray, " nnz"],
) -> tuple[np.ndarray, np.ndarray, Float32[np.ndarray, " n_taken"]]:
    """Return indptr, indices and data of some entries of every user.

    The two index arrays have one type, as scipy wants it: it copies a mapped one of another.
    """
    n = np.count_nonzero(taken)
    index = np.int32 if n < 2**31 else np.int64
    ends, indices = np.empty(len(indptr), index), np.empty(n, index)
    data = np.empty(n, np.float32)
    take_entries(indptr, item, values, taken, ends, indices, data)
    return ends, indices, data


def relabelled(pairs: Pairs, labels: Integer[np.ndarray, " n_items"]) -> Pairs:
    """Return the same entries under other labels of items, in the order of those.

    Args:
        pairs: a user and item each.
        labels: the other label of every item.
    """
    n = len(pairs.item)
    indices, places = np.empty(n, np.int32), np.empty(n, np.int64)
    relabel_rows(pairs.indptr, pairs.item, labels, indices, places)
    columns = pairs._asdict()
    moved = {name: columns[name].take(places) for name in _OF_PAIRS}
    value = None if pairs.value is None else pairs.value.take(places)
    return pairs._replace(item=indices, value=value, **moved)
