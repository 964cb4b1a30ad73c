"""Compiled loop that counts how many items each of some short lists could hold."""

import numpy as np

from models.ranking.fallback_kernel import Rules, compiled


@compiled
def reasons_of_rows(rules: Rules, rows: np.ndarray, n: int, reasons: np.ndarray) -> None:
    """Write the reason of every short row; what a group shares is counted once.

    Args:
        rules: of all rows.
        rows: which are short, in order of their groups.
        n: items that a whole list has.
        reasons: changed, shape (n_users,) int8.
    """
    n_items, n_categories = len(rules.category), len(rules.caps)
    mark, counts = np.zeros(n_items, np.int32), np.zeros(n_categories, np.int32)
    of_group, n_eligible, n_under_caps = np.zeros(n_categories, np.int32), 0, 0
    for k in range(len(rows)):
        row = rows[k]
        if k == 0 or rules.group[rows[k - 1]] != rules.group[row]:
            n_eligible, n_under_caps = _of_group(rules, rules.group[row], of_group)
        if rules.allowed_indptr[row] < rules.allowed_indptr[row + 1]:
            left = _of_allowed(rules, row, k + 1, mark, counts)
        else:
            n_hidden, n_fewer = _of_hidden(rules, row, of_group, counts)
            left = (n_eligible, n_eligible - n_hidden, n_under_caps - n_fewer)
        reasons[row] = _first_below(n, n_eligible, left)


@compiled
def _first_below(n: int, n_eligible: int, left: tuple[int, int, int]) -> int:
    if n_eligible < n:
        return 0
    for reason in range(3):
        if left[reason] < n:
            return reason + 1
    return 4


@compiled
def _of_group(rules: Rules, group: int, of_group: np.ndarray) -> tuple[int, int]:
    """Write the eligible items per category; return their number, and that under the caps."""
    of_group[:] = 0
    n_eligible = n_free = 0
    for item in range(len(rules.category)):
        if rules.eligible[group, item]:
            n_eligible += 1
            if rules.category[item] >= 0:
                of_group[rules.category[item]] += 1
            else:
                n_free += 1
    return n_eligible, n_free + np.minimum(of_group, rules.caps).sum()


@compiled
def _of_hidden(rules: Rules, row: int, of_group: np.ndarray, counts: np.ndarray) -> tuple[int, int]:
    """Return how many eligible items are hidden, and how many fewer then fit under the caps."""
    eligible = rules.eligible[rules.group[row]]
    hidden = rules.hidden[rules.hidden_indptr[row] : rules.hidden_indptr[row + 1]]
    n_hidden = n_fewer = 0
    for item in hidden:
        if eligible[item]:
            n_hidden += 1
            c = rules.category[item]
            if c < 0:
                n_fewer += 1
                continue
            counts[c] += 1
            n_fewer += of_group[c] - counts[c] < rules.caps[c]
    for item in hidden:
        if rules.category[item] >= 0:
            counts[rules.category[item]] = 0
    return n_hidden, n_fewer


@compiled
def _of_allowed(
    rules: Rules, row: int, stamp: int, mark: np.ndarray, counts: np.ndarray
) -> tuple[int, int, int]:
    """Return how many eligible items are allowed, not hidden of these, under the caps of these."""
    eligible = rules.eligible[rules.group[row]]
    allowed = rules.allowed[rules.allowed_indptr[row] : rules.allowed_indptr[row + 1]]
    for k in range(rules.hidden_indptr[row], rules.hidden_indptr[row + 1]):
        mark[rules.hidden[k]] = stamp
    n_allowed = n_unseen = n_under_caps = 0
    for item in allowed:
        if not eligible[item]:
            continue
        n_allowed += 1
        if mark[item] == stamp:
            continue
        n_unseen += 1
        c = rules.category[item]
        n_under_caps += c < 0 or counts[c] < rules.caps[c]
        if c >= 0:
            counts[c] += 1
    for item in allowed:
        if rules.category[item] >= 0:
            counts[rules.category[item]] = 0
    return n_allowed, n_unseen, n_under_caps
