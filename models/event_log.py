"""Events of many users: which repeat another, and what they add up to, as one weight a pair."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from models.event_kernel import (
    count_pairs,
    mark_repeats,
    order_rows,
    relabel_rows,
    sum_pairs,
)

_UNIT = 2.0**40  # parts of the cap: weights are summed as integers, so order does not matter


class Events(NamedTuple):
    """Rows of a log, in any order."""

    user: Int[np.ndarray, " n"]  # 0 .. n_users - 1
    item: Int[np.ndarray, " n"]  # not negative
    kind: Int[np.ndarray, " n"]  # 0 .. n_kinds - 1
    moment: Int64[np.ndarray, " n"]  # microseconds


class Ordered(NamedTuple):
    """Rows by user, item, moment and kind; equal events stay as given."""

    ends: Int64[np.ndarray, " n_users_plus_1"]  # where each user's rows begin and end
    row: Int[np.ndarray, " n"]  # which row it was
    item: Int[np.ndarray, " n"]
    moment: Int64[np.ndarray, " n"]
    kind: Int[np.ndarray, " n"]


class Decay(NamedTuple):
    """How events become weights; moments and ages in microseconds."""

    shares: np.ndarray  # weight of every kind as a share of the cap, shape (n_kinds,)
    cap: float  # largest weight of a pair
    end: int  # age counts from it
    half_life: float | None  # at this age an event counts half
    cut: int  # what lies before it is summed apart as well


class Pairs(NamedTuple):
    """One entry per user and item, by user and item; CSR without a shape."""

    indptr: Int64[np.ndarray, " n_users_plus_1"]
    item: Int[np.ndarray, " nnz"]
    weight: Float32[np.ndarray, " nnz"]
    weight_before_cut: Float32[np.ndarray, " nnz"]
    first_seen: Int64[np.ndarray, " nnz"]
    last_seen: Int64[np.ndarray, " nnz"]
    n_events: Int[np.ndarray, " nnz"]


def in_order(events: Events, n_users: int) -> Ordered:
    """Return the rows by user, item, moment and kind: what equals another comes after it."""
    n = len(events.user)
    ordered = Ordered(
        np.zeros(n_users + 1, np.int64), np.empty(n, np.int32 if n < 2**31 else np.int64),
        *(np.empty_like(column) for column in (events.item, events.moment, events.kind)),
    )  # fmt: skip
    order_rows(events.user, events.item, events.moment, events.kind, *ordered)
    return ordered


def repeats(order: Ordered, taken: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Tell for every ordered row whether a taken one before it tells the same event.

    Args:
        order: the rows.
        taken: which of them take part; of the others none repeats, nor is repeated.
    """
    repeated = np.zeros(len(taken), bool)
    mark_repeats(order.ends, order.item, order.moment, order.kind, taken, repeated)
    return repeated


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
        decay.half_life or 0.0, decay.cut, _UNIT, decay.cap, *pairs[1:],
    )  # fmt: skip
    return pairs


def relabelled(pairs: Pairs, labels: Int[np.ndarray, " n_items"]) -> Pairs:
    """Return the same entries under other labels of items, in the order of those.

    Args:
        pairs: a user and item each.
        labels: the other label of every item.
    """
    n = len(pairs.item)
    indices, places = np.empty(n, np.int32), np.empty(n, np.int64)
    relabel_rows(pairs.indptr, pairs.item, labels, indices, places)
    others = (values[places] for values in pairs[2:])
    return Pairs(pairs.indptr, indices, *others)
