"""What events add up to: one weight per user and item."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64, Integer

from models.event.event_log import Events, marked_by_user, pairs_in_order
from models.event.pair_kernel import sum_pairs, take_entries

# of the columns below, but for the last row in place of the last moment
_ROOM = (np.int32, np.float32, np.float32, np.int64, np.uint32, np.uint32)
_UNIT = 2.0**40  # parts of the cap: weights are summed as integers, so order does not matter


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


def add_up(
    events: Events, n_users: int, decay: Decay, value: Float32[np.ndarray, " n"] | None = None
) -> Pairs:
    """Return one decayed and capped weight per user and item, whatever the order of the events.

    An event of weight w and age a adds w 0.5^(a / half-life), at most the cap. However old,
    what has a weight never falls to 0: the item was met.

    Args:
        events: that count.
        n_users: number of users.
        decay: how they become weights.
        value: of every event, where they have one; that of a pair's last event counts.
    """
    ends, keys = pairs_in_order(events, n_users)
    indptr = np.empty(n_users + 1, np.int64)
    room: list[np.ndarray] = [np.empty(len(keys), kind) for kind in _ROOM]
    sum_pairs(
        ends, keys, events.moment, events.kind, decay.shares, decay.end,
        decay.half_life or 0.0, decay.cut, decay.cap, _UNIT, indptr, *room,
    )  # fmt: skip
    item, weight, before, first, last, n_events = (each[: indptr[-1]] for each in room)
    if decay.user_cap is not None:
        for each in (weight, before):
            _scale_down(indptr, each, decay.user_cap)
    values = None if value is None else value.take(last)
    return Pairs(indptr, item, weight, before, first, events.moment.take(last), n_events, values)


def weighted(pairs: Pairs) -> Pairs:
    """Return the entries that have a weight."""
    taken = pairs.weight > 0
    if taken.all():
        return pairs
    indptr = np.concatenate(([0], np.cumsum(marked_by_user(pairs.indptr, taken))))
    item, weight, before, first, last, n_events = (column[taken] for column in pairs[1:7])
    value = None if pairs.value is None else pairs.value[taken]
    return Pairs(indptr, item, weight, before, first, last, n_events, value)


def _scale_down(indptr: np.ndarray, weight: np.ndarray, cap: float) -> None:
    """Scale the rows whose sum is above the cap, in place; what has a weight keeps some."""
    total = np.concatenate(([0.0], np.cumsum(weight, dtype=np.float64)))
    sums = np.diff(total[indptr])
    scale = np.minimum(1.0, cap / np.maximum(sums, cap)).astype(np.float32)
    tiny = np.finfo(np.float32).tiny
    scaled = np.maximum(weight * np.repeat(scale, np.diff(indptr)), tiny)
    np.copyto(weight, scaled, where=weight > 0)


def csr_of(
    indptr: Integer[np.ndarray, " n_users_plus_1"],
    item: Integer[np.ndarray, " nnz"],
    values: Float32[np.ndarray, " nnz"],
    taken: Bool[np.ndarray, " nnz"],
) -> tuple[np.ndarray, np.ndarray, Float32[np.ndarray, " n_taken"]]:
    """Return indptr, indices and data of some entries of every user.

    The two index arrays have one type, as scipy wants it: it copies a mapped one of another.
    """
    n = int(np.count_nonzero(taken))
    index = np.int32 if n < 2**31 else np.int64
    ends, indices = np.empty(len(indptr), index), np.empty(n, index)
    data = np.empty(n, np.float32)
    take_entries(indptr, item, values, taken, ends, indices, data)
    return ends, indices, data
