"""Compiled loops that fill lists and count what could fill them; they release the interpreter lock.

Rows come in order of their (list, group), so that what they share is found once: the places of
eligible items, as far as a row had to walk, or where in the list an item stands.
"""

from collections.abc import Callable
from inspect import unwrap
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


class Lists(NamedTuple):
    """What is filled; items is padded with -1."""

    items: np.ndarray  # (n_users, n) int32
    scores: np.ndarray  # (n_users, n) float32
    source: np.ndarray  # (n_users, n) int8


class Rules(NamedTuple):
    """What may be listed; a row is restricted if it has allowed entries."""

    eligible: np.ndarray  # (n_groups, n_items) bool
    group: np.ndarray  # (n_users,) int32
    hidden_indptr: np.ndarray  # (n_users + 1,) int64
    hidden: np.ndarray  # (n_hidden,) int32
    allowed_indptr: np.ndarray  # (n_users + 1,) int64
    allowed: np.ndarray  # (n_allowed,) int32
    category: np.ndarray  # (n_items,) int32, -1 for none
    caps: np.ndarray  # (n_categories,) int32


class Order(NamedTuple):
    """Where items come from: ranked lists, -1 is skipped."""

    items: np.ndarray  # (n_lists, m) int32
    scores: np.ndarray  # (n_lists, m) float32
    of_row: np.ndarray  # (n_users,) int32
    code: np.int8


def compiled(loop: _Loop) -> _Loop:
    """Return the loop in machine code, kept on disk where the package may be written."""
    return njit(unwrap(loop), nogil=True, cache=True)


@compiled
def walk(
    lists: Lists, rules: Rules, order: Order, rows: np.ndarray, patience: int, stuck: np.ndarray
) -> None:
    """Fill rows without restriction by walking their lists from the top.

    Args:
        lists: changed.
        rules: of all rows.
        order: of all rows.
        rows: which to fill, in order of (list, group).
        patience: how many items of full categories a row passes before it is left.
        stuck: set for the rows that were left, shape (n_users,).
    """
    n, m = lists.items.shape[1], order.items.shape[1]
    category, caps = rules.category, rules.caps
    mark, used = np.zeros(len(category), np.int32), np.zeros(len(caps), np.int32)
    near, found, scanned = np.empty(m, np.int32), 0, 0
    for k in range(len(rows)):
        row = rows[k]
        if k == 0 or _differs(order, rules, rows[k - 1], row):
            found = scanned = 0
        end = _enter(lists, rules, row, k + 1, mark, used)
        mine = order.items[order.of_row[row]]
        step = passed = 0
        while end < n and passed <= patience:
            if step == found:
                found, scanned = _find_next(order, rules, row, near, found, scanned)
                if step == found:
                    break
            item = mine[near[step]]
            step += 1
            if mark[item] == k + 1:
                continue
            if category[item] >= 0 and used[category[item]] >= caps[category[item]]:
                passed += 1  # without a call, which costs more than all else here
                continue
            mark[item] = k + 1
            end += _take(lists, rules, order, row, end, near[step - 1], used)
        stuck[row] = passed > patience
        _leave(lists, rules, row, end, used)


@compiled
def fill_by_category(lists: Lists, rules: Rules, order: Order, rows: np.ndarray) -> None:
    """Fill rows without restriction, each category of a list walked only while it has room."""
    n, m, n_categories = lists.items.shape[1], order.items.shape[1], len(rules.caps)
    mark, used = np.zeros(len(rules.category), np.int32), np.zeros(n_categories, np.int32)
    start, near = np.zeros(n_categories + 2, np.int64), np.empty(m, np.int32)
    places = np.empty(n * (n_categories + 1), np.int32)
    for k in range(len(rows)):
        row = rows[k]
        if k == 0 or _differs(order, rules, rows[k - 1], row):
            _sort_by_category(order, rules, row, start, near)
        end = _enter(lists, rules, row, k + 1, mark, used)
        found = 0
        for c in range(-1, n_categories):
            room = n - end if c < 0 else min(n - end, rules.caps[c] - used[c])
            for i in range(start[c + 1], start[c + 2]):
                if room <= 0:
                    break
                item = order.items[order.of_row[row], near[i]]
                if mark[item] != k + 1:
                    mark[item] = k + 1
                    places[found] = near[i]
                    found, room = found + 1, room - 1
        end = _take_sorted(lists, rules, order, row, end, np.sort(places[:found]), used)
        _leave(lists, rules, row, end, used)


@compiled
def fill_restricted(lists: Lists, rules: Rules, order: Order, rows: np.ndarray) -> None:
    """Fill restricted rows: their allowed items in the order of the list."""
    n_items = len(rules.category)
    mark, used = np.zeros(n_items, np.int32), np.zeros(len(rules.caps), np.int32)
    place_of, listed_in = np.empty(n_items, np.int32), np.full(n_items, -1, np.int32)
    for k in range(len(rows)):
        row = rows[k]
        mine = order.of_row[row]
        if k == 0 or order.of_row[rows[k - 1]] != mine:
            for place in range(order.items.shape[1] - 1, -1, -1):
                item = _checked(order.items[mine, place], n_items)
                if item >= 0:
                    place_of[item], listed_in[item] = place, mine
        end = _enter(lists, rules, row, k + 1, mark, used)
        allowed = rules.allowed[rules.allowed_indptr[row] : rules.allowed_indptr[row + 1]]
        places, found = np.empty(len(allowed), np.int32), 0
        for item in allowed:
            may = rules.eligible[rules.group[row], item] and mark[item] != k + 1
            if may and listed_in[item] == mine:
                mark[item] = k + 1
                places[found] = place_of[item]
                found += 1
        end = _take_sorted(lists, rules, order, row, end, np.sort(places[:found]), used)
        _leave(lists, rules, row, end, used)


@compiled
def _differs(order: Order, rules: Rules, row: int, other: int) -> bool:
    return order.of_row[row] != order.of_row[other] or rules.group[row] != rules.group[other]


@compiled
def _checked(item: int, n_items: int) -> int:
    if item >= n_items:
        raise ValueError("order must hold items of eligible, got one beyond them")
    return item


@compiled
def _enter(
    lists: Lists, rules: Rules, row: int, stamp: int, mark: np.ndarray, used: np.ndarray
) -> int:
    """Mark what the row has and must not get, count its categories; return its length."""
    end = 0
    while end < lists.items.shape[1] and lists.items[row, end] >= 0:
        item = lists.items[row, end]
        mark[item] = stamp
        if rules.category[item] >= 0:
            used[rules.category[item]] += 1
        end += 1
    for k in range(rules.hidden_indptr[row], rules.hidden_indptr[row + 1]):
        mark[rules.hidden[k]] = stamp
    return end


@compiled
def _leave(lists: Lists, rules: Rules, row: int, end: int, used: np.ndarray) -> None:
    """Make the counts of categories zero again."""
    for k in range(end):
        category = rules.category[lists.items[row, k]]
        if category >= 0:
            used[category] = 0


@compiled
def _find_next(
    order: Order, rules: Rules, row: int, near: np.ndarray, found: int, scanned: int
) -> tuple[int, int]:
    """Append the place of the next eligible item to near, if there is one."""
    mine, group = order.of_row[row], rules.group[row]
    while scanned < order.items.shape[1]:
        item = _checked(order.items[mine, scanned], len(rules.category))
        scanned += 1
        if item >= 0 and rules.eligible[group, item]:
            near[found] = scanned - 1
            return found + 1, scanned
    return found, scanned


@compiled
def _sort_by_category(
    order: Order, rules: Rules, row: int, start: np.ndarray, near: np.ndarray
) -> None:
    """Write the places of eligible items by category (none first), then by place."""
    mine, group = order.of_row[row], rules.group[row]
    start[:] = 0
    for item in order.items[mine]:
        if _checked(item, len(rules.category)) >= 0 and rules.eligible[group, item]:
            start[rules.category[item] + 1] += 1
    end = 0
    for c in range(len(start)):
        end, start[c] = end + start[c], end
    for place in range(order.items.shape[1]):
        item = order.items[mine, place]
        if item >= 0 and rules.eligible[group, item]:
            near[start[rules.category[item] + 1]] = place
            start[rules.category[item] + 1] += 1
    for c in range(len(start) - 1, 0, -1):
        start[c] = start[c - 1]
    start[0] = 0


@compiled
def _take(
    lists: Lists, rules: Rules, order: Order, row: int, end: int, place: int, used: np.ndarray
) -> bool:
    """Put what stands at a place of the row's list at its end, if its category has room."""
    mine = order.of_row[row]
    item = order.items[mine, place]
    category = rules.category[item]
    if category >= 0:
        if used[category] >= rules.caps[category]:
            return False
        used[category] += 1
    lists.items[row, end] = item
    lists.scores[row, end] = order.scores[mine, place]
    lists.source[row, end] = order.code
    return True


@compiled
def _take_sorted(
    lists: Lists,
    rules: Rules,
    order: Order,
    row: int,
    end: int,
    places: np.ndarray,
    used: np.ndarray,
) -> int:
    for place in places:
        if end == lists.items.shape[1]:
            break
        if _take(lists, rules, order, row, end, place, used):
            end += 1
    return end
