"""Compiled loops over events of many users; they release the interpreter lock."""

import numpy as np

from models.ranking.selection import compiled

_FEW = 64  # rows that are sorted by insertion: most users, and fast where parts come in order
ROW = 0xFFFFFFFF  # the part of a key that is the number of a row


@compiled
def order_pairs(user: np.ndarray, item: np.ndarray, ends: np.ndarray, keys: np.ndarray) -> None:
    """Write item and number of every row, by user and item; those of one pair stay as given.

    Args:
        user: of every row.
        item: of every row.
        ends: shape (n_users + 1,), zeros; receives where each user's rows begin and end.
        keys: receives, in order, the item in the upper 32 bits and the number of the row in the
            lower: what moves is one number a row.
    """
    for row in range(len(user)):
        ends[user[row] + 1] += 1
    for place in range(1, len(ends)):
        ends[place] += ends[place - 1]
    for row in range(len(user)):
        place = ends[user[row]]
        ends[user[row]] += 1
        keys[place] = np.int64(item[row]) << 32 | row
    for place in range(len(ends) - 1, 0, -1):
        ends[place] = ends[place - 1]
    ends[0] = 0
    for place in range(len(ends) - 1):
        _sort_keys(keys[ends[place] : ends[place + 1]])


@compiled
def order_times(
    ends: np.ndarray, keys: np.ndarray, moment: np.ndarray, kind: np.ndarray,
    rows: np.ndarray, items: np.ndarray, moments: np.ndarray, kinds: np.ndarray,
) -> None:  # fmt: skip
    """Write the rows by user, item, moment and kind; equal ones stay as given.

    Args:
        ends: where each user's rows begin and end.
        keys: of the rows (see order_pairs); they change places.
        moment: of every row.
        kind: of every row.
        rows: receives the number of every row, in order.
        items: receives the item of every row, in order.
        moments: receives its moment.
        kinds: receives its kind.
    """
    for user in range(len(ends) - 1):
        first = ends[user]
        while first < ends[user + 1]:
            end = first + 1
            while end < ends[user + 1] and keys[end] >> 32 == keys[first] >> 32:
                end += 1
            if end - first > 1:
                _sort_by_time(keys[first:end], moment, kind)
            first = end
    for place in range(len(keys)):
        row = keys[place] & ROW
        rows[place], items[place] = row, keys[place] >> 32
        moments[place], kinds[place] = moment[row], kind[row]


@compiled
def _sort_by_time(keys: np.ndarray, moment: np.ndarray, kind: np.ndarray) -> None:
    """Sort the keys of one user and item by moment and kind; equal ones stay as they are."""
    when = np.empty(len(keys), np.int64)
    for place in range(len(keys)):
        row = keys[place] & ROW
        when[place] = np.int64(moment[row]) << 8 | kind[row]
    if len(keys) > _FEW:
        keys[:] = keys[np.argsort(when, kind="mergesort")]
        return
    for place in range(1, len(keys)):
        time, key, free = when[place], keys[place], place
        while free > 0 and when[free - 1] > time:
            when[free], keys[free] = when[free - 1], keys[free - 1]
            free -= 1
        when[free], keys[free] = time, key


@compiled
def _sort_keys(key: np.ndarray) -> None:
    if len(key) > _FEW:
        key.sort()
        return
    for k in range(1, len(key)):
        value, free = key[k], k
        while free > 0 and key[free - 1] > value:
            key[free] = key[free - 1]
            free -= 1
        key[free] = value


@compiled
def mark_repeats(
    ends: np.ndarray, items: np.ndarray, moments: np.ndarray, kinds: np.ndarray,
    taken: np.ndarray, repeated: np.ndarray,
) -> None:  # fmt: skip
    """Mark every taken row that comes after a taken one of the same event.

    Args:
        ends: where each user's rows begin and end.
        items: of every row, in order.
        moments: of every row.
        kinds: of every row.
        taken: which rows take part.
        repeated: all false; receives the marks.
    """
    for user in range(len(ends) - 1):
        last = -1
        for row in range(ends[user], ends[user + 1]):
            if not taken[row]:
                continue
            if (
                last >= 0 and items[last] == items[row]
                and moments[last] == moments[row] and kinds[last] == kinds[row]
            ):  # fmt: skip
                repeated[row] = True
            else:
                last = row


@compiled
def mark_taken(
    rows: np.ndarray, moments: np.ndarray, source: np.ndarray, replaced: np.ndarray, start: int,
    taken: np.ndarray,
) -> None:  # fmt: skip
    """Mark the rows whose file nobody read anew and whose moment is not before the start.

    Args:
        rows: number of every row, in order.
        moments: of every row, in order.
        source: file of every row, by its number.
        replaced: of every file, whether it was read anew.
        start: first moment that counts.
        taken: receives the marks, in order.
    """
    for place in range(len(rows)):
        taken[place] = moments[place] >= start and not replaced[source[rows[place]]]


@compiled
def settle_fates(
    rows: np.ndarray, source: np.ndarray, replaced: np.ndarray,
    taken: np.ndarray, repeated: np.ndarray, bots: np.ndarray,
    kept: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Mark the rows that count, and count by file what became of every row.

    Args:
        rows: number of every row, in order.
        source: file of every row, by its number.
        replaced: of every file, whether it was read anew.
        taken: which rows take part, in order.
        repeated: which of these tell what another tells.
        bots: which are of a bot.
        kept: receives the marks, in order.
        counts: zeros, shape (n_files, 4); receives how many rows of a file are replaced,
            filtered, repeated and kept.
    """
    for place in range(len(rows)):
        file = source[rows[place]]
        kept[place] = taken[place] and not repeated[place] and not bots[place]
        if kept[place]:
            counts[file, 3] += 1
        elif repeated[place]:
            counts[file, 2] += 1
        elif replaced[file]:
            counts[file, 0] += 1
        else:
            counts[file, 1] += 1


@compiled
def count_marked(ends: np.ndarray, marked: np.ndarray, counts: np.ndarray) -> None:
    """Count every user's marked rows into counts, shape (n_users,), zeros."""
    for user in range(len(ends) - 1):
        for row in range(ends[user], ends[user + 1]):
            counts[user] += marked[row]
