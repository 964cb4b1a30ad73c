"""Compiled loops over events of many users; they release the interpreter lock."""

import numpy as np

from models.ranking.selection import compiled

_FEW = 24  # rows that are sorted by insertion
_ROW = 0xFFFFFFFF  # the part of a key that is the number of a row


@compiled
def order_rows(
    user: np.ndarray, item: np.ndarray, moment: np.ndarray, kind: np.ndarray,
    ends: np.ndarray, rows: np.ndarray,
    items: np.ndarray, moments: np.ndarray, kinds: np.ndarray,
) -> None:  # fmt: skip
    """Write the rows by user, item, moment and kind; equal ones stay as given.

    Args:
        user: of every row.
        item: of every row.
        moment: of every row.
        kind: of every row.
        ends: shape (n_users + 1,), zeros; receives where each user's rows begin and end.
        rows: receives the number of every row, in order.
        items: receives the item of every row, in order.
        moments: receives its moment.
        kinds: receives its kind.
    """
    for row in range(len(user)):
        ends[user[row] + 1] += 1
    for place in range(1, len(ends)):
        ends[place] += ends[place - 1]
    keys = np.empty(len(user), np.int64)  # item and row: what moves is one number a row
    for row in range(len(user)):
        place = ends[user[row]]
        ends[user[row]] += 1
        keys[place] = np.int64(item[row]) << 32 | row
    for place in range(len(ends) - 1, 0, -1):
        ends[place] = ends[place - 1]
    ends[0] = 0
    for place in range(len(ends) - 1):
        _sort(keys[ends[place] : ends[place + 1]], moment, kind)
    for place in range(len(keys)):
        row = keys[place] & _ROW
        rows[place], items[place] = row, keys[place] >> 32
        moments[place], kinds[place] = moment[row], kind[row]


@compiled
def _sort(keys: np.ndarray, moment: np.ndarray, kind: np.ndarray) -> None:
    """Sort the keys of one user's rows: by item, of one item by moment and kind."""
    _sort_keys(keys)
    first = 0
    while first < len(keys):
        end = first + 1
        while end < len(keys) and keys[end] >> 32 == keys[first] >> 32:
            end += 1
        if end - first > 1:
            _sort_by_time(keys[first:end], moment, kind)
        first = end


@compiled
def _sort_by_time(keys: np.ndarray, moment: np.ndarray, kind: np.ndarray) -> None:
    """Sort the keys of one user and item by moment and kind; equal ones stay as they are."""
    when = np.empty(len(keys), np.int64)
    for place in range(len(keys)):
        row = keys[place] & _ROW
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
def take_entries(
    indptr: np.ndarray, item: np.ndarray, values: np.ndarray, taken: np.ndarray,
    ends: np.ndarray, indices: np.ndarray, data: np.ndarray,
) -> None:  # fmt: skip
    """Write some entries of every row as CSR arrays.

    Args:
        indptr: where each row's entries begin and end.
        item: of every entry.
        values: of every entry.
        taken: which ones.
        ends: shape (n_rows + 1,); receives where each row's taken entries begin and end.
        indices: shape (number of taken,); receives their items.
        data: receives their values.
    """
    place = 0
    ends[0] = 0
    for row in range(len(indptr) - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            if taken[entry]:
                indices[place], data[place] = item[entry], values[entry]
                place += 1
        ends[row + 1] = place


@compiled
def count_marked(ends: np.ndarray, marked: np.ndarray, counts: np.ndarray) -> None:
    """Count every user's marked rows into counts, shape (n_users,), zeros."""
    for user in range(len(ends) - 1):
        for row in range(ends[user], ends[user + 1]):
            counts[user] += marked[row]


@compiled
def count_pairs(ends: np.ndarray, items: np.ndarray, kept: np.ndarray, n_pairs: np.ndarray) -> None:
    """Count the distinct items of every user's kept rows into n_pairs, shape (n_users,)."""
    for user in range(len(ends) - 1):
        last = -1
        for row in range(ends[user], ends[user + 1]):
            if kept[row] and items[row] != last:
                last = items[row]
                n_pairs[user] += 1


@compiled
def sum_pairs(
    ends: np.ndarray, items: np.ndarray, moments: np.ndarray, kinds: np.ndarray,
    kept: np.ndarray, shares: np.ndarray, end: int, half_life: float, cut: int,
    unit: float, cap: float,
    item: np.ndarray, weight: np.ndarray, before: np.ndarray,
    first: np.ndarray, last: np.ndarray, n_events: np.ndarray,
) -> None:  # fmt: skip
    """Write one entry per user and item of the kept rows, in order.

    Args:
        ends: where each user's rows begin and end.
        items: of every row, in order.
        moments: of every row.
        kinds: of every row.
        kept: which rows count.
        shares: weight of every kind, as a share of the cap.
        end: moment from which age counts.
        half_life: age at which an event counts half, 0 for never.
        cut: what lies before it counts in ``before`` as well.
        unit: into how many parts the cap is split.
        cap: largest weight.
        item: receives the item of every entry.
        weight: receives its weight.
        before: receives its weight of what lies before the cut.
        first: receives its first moment.
        last: receives its last moment.
        n_events: receives its number of rows.
    """
    entry = -1
    for user in range(len(ends) - 1):
        met, total, early = -1, 0, 0
        for row in range(ends[user], ends[user + 1]):
            if not kept[row]:
                continue
            if items[row] != met:
                met, total, early = items[row], 0, 0
                entry += 1
                item[entry], first[entry], n_events[entry] = met, moments[row], 0
            part = share = shares[kinds[row]]
            if half_life > 0.0:
                part = share * np.exp2((moments[row] - end) / half_life)
            fixed = int(np.rint(min(part, 1.0) * unit))
            if share > 0.0 and fixed < 1:
                fixed = 1  # however old: it was met
            total += fixed
            if moments[row] < cut:
                early += fixed
            last[entry] = moments[row]
            n_events[entry] += 1
            weight[entry] = min(total / unit, 1.0) * cap
            before[entry] = min(early / unit, 1.0) * cap


@compiled
def relabel_rows(
    indptr: np.ndarray, item: np.ndarray, labels: np.ndarray,
    indices: np.ndarray, places: np.ndarray,
) -> None:  # fmt: skip
    """Write every row's items under other labels, in their order, and where each entry was.

    Args:
        indptr: where each row's entries begin and end.
        item: of every entry.
        labels: the other label of every item.
        indices: receives the labels, sorted within a row.
        places: receives the place of each entry before.
    """
    longest = 0
    for row in range(len(indptr) - 1):
        longest = max(longest, indptr[row + 1] - indptr[row])
    space = np.empty(longest, np.int64)
    for row in range(len(indptr) - 1):
        start, end = indptr[row], indptr[row + 1]
        key = space[: end - start]
        for k in range(end - start):
            key[k] = np.int64(labels[item[start + k]]) << 32 | k
        _sort_keys(key)
        for k in range(end - start):
            indices[start + k] = key[k] >> 32
            places[start + k] = start + (key[k] & _ROW)
