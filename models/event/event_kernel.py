"""Compiled loops over events of many users; they release the interpreter lock."""

import numpy as np

from models.ranking.selection import compiled

_FEW = 24  # rows that are sorted by insertion


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
    longest = 0
    for place in range(1, len(ends)):
        longest = max(longest, ends[place])
        ends[place] += ends[place - 1]
    for row in range(len(user)):  # one pass over the rows as they come: their columns are far apart
        place = ends[user[row]]
        ends[user[row]] += 1
        rows[place], items[place] = row, item[row]
        moments[place], kinds[place] = moment[row], kind[row]
    for place in range(len(ends) - 1, 0, -1):
        ends[place] = ends[place - 1]
    ends[0] = 0
    key, spare = np.empty(longest, np.int64), np.empty(longest, np.int64)
    for place in range(len(ends) - 1):
        _sort(rows, items, moments, kinds, ends[place], ends[place + 1], key, spare)


@compiled
def _sort(
    rows: np.ndarray, items: np.ndarray, moments: np.ndarray, kinds: np.ndarray,
    start: int, end: int, key: np.ndarray, spare: np.ndarray,
) -> None:  # fmt: skip
    """Sort the rows of one user."""
    n = end - start
    key = key[:n]
    for k in range(n):
        key[k] = np.int64(items[start + k]) << 32 | k
    _sort_keys(key)
    for k in range(n):
        key[k] &= 0xFFFFFFFF
    k = 0
    while k < n:  # of one item there are a few rows: by moment and kind
        last = k + 1
        while last < n and items[start + key[last]] == items[start + key[k]]:
            last += 1
        for right in range(k + 1, last):
            _insert(key, k, right, moments, kinds, start)
        k = last
    _permute(rows, start, key, spare)
    _permute(items, start, key, spare)
    _permute(moments, start, key, spare)
    _permute(kinds, start, key, spare)


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
def _insert(
    key: np.ndarray, first: int, place: int,
    moments: np.ndarray, kinds: np.ndarray, start: int,
) -> None:  # fmt: skip
    row, free = key[place], place
    moment, kind = moments[start + row], kinds[start + row]
    while free > first:
        other = start + key[free - 1]
        if moments[other] < moment or (moments[other] == moment and kinds[other] <= kind):
            break
        key[free] = key[free - 1]
        free -= 1
    key[free] = row


@compiled
def _permute(values: np.ndarray, start: int, key: np.ndarray, spare: np.ndarray) -> None:
    for k in range(len(key)):
        spare[k] = values[start + key[k]]
    for k in range(len(key)):
        values[start + k] = spare[k]


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
    rows: np.ndarray, source: np.ndarray, replaced: np.ndarray, told: np.ndarray,
    taken: np.ndarray, repeated: np.ndarray, bots: np.ndarray,
    kept: np.ndarray, counts: np.ndarray,
) -> int:  # fmt: skip
    """Mark the rows that count, and count by file what became of every row.

    Args:
        rows: number of every row, in order.
        source: file of every row, by its number.
        replaced: of every file, whether it was read anew.
        told: of every row, by its number, whether its night counted it.
        taken: which rows take part, in order.
        repeated: which of these tell what another tells.
        bots: which are of a bot.
        kept: receives the marks, in order.
        counts: zeros, shape (n_files, 4); receives how many rows of a file are replaced,
            filtered, repeated and kept.

    Returns:
        How many repeated rows their night had counted.
    """
    n_told_again = 0
    for place in range(len(rows)):
        row = rows[place]
        file = source[row]
        kept[place] = taken[place] and not repeated[place] and not bots[place]
        if kept[place]:
            counts[file, 3] += 1
        elif repeated[place]:
            counts[file, 2] += 1
            n_told_again += told[row]
        elif replaced[file]:
            counts[file, 0] += 1
        else:
            counts[file, 1] += 1
    return n_told_again


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
                part = share * 0.5 ** ((end - moments[row]) / half_life)
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
            places[start + k] = start + (key[k] & 0xFFFFFFFF)
