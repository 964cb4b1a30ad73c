"""Compiled loops over pairs of user and item; they release the interpreter lock."""

import numpy as np

from models.event.event_kernel import ROW
from models.ranking.selection import compiled


@compiled
def sum_pairs(
    ends: np.ndarray, keys: np.ndarray, moment: np.ndarray, kind: np.ndarray,
    shares: np.ndarray, end: int, half_life: float, cut: int, cap: float, unit: float,
    indptr: np.ndarray, item: np.ndarray, weight: np.ndarray, before: np.ndarray,
    first: np.ndarray, last: np.ndarray, n_events: np.ndarray,
) -> None:  # fmt: skip
    """Write one entry per user and item, in order.

    Args:
        ends: where each user's rows begin and end.
        keys: item and number of every row, in order (see event_kernel.order_pairs).
        moment: of every row.
        kind: of every row.
        shares: weight of every kind, as a share of the cap.
        end: moment from which age counts.
        half_life: age at which an event counts half, 0 for never.
        cut: what lies before it counts in ``before`` as well.
        cap: largest weight.
        unit: into how many parts the cap is split, a power of two.
        indptr: shape (n_users + 1,); receives where each user's entries begin and end.
        item: receives the item of every entry; as this and the following have room for an entry
            a row, what comes after the last entry is left as it is.
        weight: receives its weight.
        before: receives its weight of what lies before the cut.
        first: receives its first moment.
        last: receives the number of its last row by moment and kind, of equal ones the last given.
        n_events: receives its number of rows.
    """
    entry, place, part_of_cap = 0, 0, 1.0 / unit  # of a power of two without a remainder
    indptr[0] = 0
    for user in range(len(ends) - 1):
        while place < ends[user + 1]:
            met, begin = keys[place] >> 32, place
            newest = keys[place] & ROW
            oldest, total, early = moment[newest], 0, 0
            while place < ends[user + 1] and keys[place] >> 32 == met:
                row = keys[place] & ROW
                oldest = min(oldest, moment[row])
                if (moment[row], kind[row]) >= (moment[newest], kind[newest]):
                    newest = row
                part = share = shares[kind[row]]
                if half_life > 0.0:
                    part = share * np.exp2((moment[row] - end) / half_life)
                fixed = int(np.rint(min(part, 1.0) * unit))
                if share > 0.0 and fixed < 1:
                    fixed = 1  # however old: it was met
                total += fixed
                if moment[row] < cut:
                    early += fixed
                place += 1
            item[entry], n_events[entry] = met, place - begin
            first[entry], last[entry] = oldest, newest
            weight[entry] = min(total * part_of_cap, 1.0) * cap
            before[entry] = min(early * part_of_cap, 1.0) * cap
            entry += 1
        indptr[user + 1] = entry


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
