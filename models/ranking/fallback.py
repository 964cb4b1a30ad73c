"""Fill the places that a model leaves empty, and say truly why a list stays short."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.ranking.fallback_kernel import (
    Lists,
    Order,
    Rules,
    fill_by_category,
    fill_restricted,
    walk,
)
from models.ranking.short_reason_kernel import reasons_of_rows

_PATIENCE = 256  # items of full categories that are passed before the list is sorted by category


def fill(
    items: Int[np.ndarray, "n_users n"],
    scores: Float[np.ndarray, "n_users n"],
    source: Int[np.ndarray, "n_users n"],
    *,
    order: Int[np.ndarray, "n_lists m"],
    order_scores: Float[np.ndarray, "n_lists m"],
    code: int,
    eligible: Bool[np.ndarray, "n_groups n_items"],
    group: Int[np.ndarray, " n_users"],
    hidden: sp.csr_array,
    allowed: sp.csr_array | None,
    category: Int[np.ndarray, " n_items"],
    caps: Int[np.ndarray, " n_categories"],
    row_order: Int[np.ndarray, " n_users"],
    patience: int = _PATIENCE,
) -> None:
    """Append to every list that has free places what its ranked list of items offers, in order.

    An item is appended if it is eligible, not hidden, allowed, not listed already, and its
    category has room. Greedy from the top: no list could hold more of these items.

    Args:
        items: lists, padded with -1 at their ends; int32, changed.
        scores: float32, changed where items are appended.
        source: int8, likewise.
        order: ranked items, -1 is skipped.
        order_scores: their scores.
        code: written into source.
        eligible: what may be listed to users of a group.
        group: of every row.
        hidden: items never to be listed, shape (n_users, n_items); values do not matter.
        allowed: the only items a row may hold, if it has entries; shape (n_users, n_items).
        category: of every item, -1 for none.
        caps: most items of a category in one list.
        row_order: which of the lists a row takes.
        patience: items of full categories that a row passes before its list is looked at
            category by category; the result does not depend on it.

    Raises:
        ValueError: shapes, types, groups, categories or lists do not fit one another.
    """
    rules = _rules(items, eligible, group, hidden, allowed, category, caps)
    lists = _lists(items, scores, source)
    found = _order(lists, order, order_scores, row_order, code)
    short = np.flatnonzero(items[:, -1] < 0) if items.shape[1] else np.arange(0)
    short = short[np.lexsort((rules.group[short], found.of_row[short]))]
    restricted = np.diff(rules.allowed_indptr)[short] > 0
    stuck = np.zeros(len(items), dtype=np.bool_)
    free = short[~restricted]
    walk(lists, rules, found, free, patience, stuck)
    fill_by_category(lists, rules, found, free[stuck[free]])
    fill_restricted(lists, rules, found, short[restricted])


def short_reasons(
    items: Int[np.ndarray, "n_users n"],
    *,
    eligible: Bool[np.ndarray, "n_groups n_items"],
    group: Int[np.ndarray, " n_users"],
    hidden: sp.csr_array,
    allowed: sp.csr_array | None,
    category: Int[np.ndarray, " n_items"],
    caps: Int[np.ndarray, " n_categories"],
) -> Int[np.ndarray, " n_users"]:
    """Return why each list has fewer than n items, the first of five reasons that is true.

    0 catalogue: fewer than n items are eligible for the group. 1 allow_list: fewer of them are
    allowed. 2 seen: fewer of those are not hidden. 3 category_caps: fewer of those fit under
    the caps. 4 sources: n items could be listed, nobody offered them.

    Args:
        items: lists, padded with -1 at their ends.
        eligible: as in fill, and so the rest.
        group: of every row.
        hidden: items never to be listed.
        allowed: the only items a row may hold, if it has entries.
        category: of every item, -1 for none.
        caps: most items of a category in one list.

    Returns:
        Places in that order, int8; -1 for a list of n items.

    Raises:
        ValueError: shapes, types, groups or categories do not fit one another.
    """
    rules = _rules(items, eligible, group, hidden, allowed, category, caps)
    reasons = np.full(len(items), -1, dtype=np.int8)
    short = np.flatnonzero(items[:, -1] < 0) if items.shape[1] else np.arange(0)
    short = short[np.argsort(rules.group[short], kind="stable")]
    reasons_of_rows(rules, short, items.shape[1], reasons)
    return reasons


def _rules(
    items: np.ndarray,
    eligible: np.ndarray,
    group: np.ndarray,
    hidden: sp.csr_array,
    allowed: sp.csr_array | None,
    category: np.ndarray,
    caps: np.ndarray,
) -> Rules:
    n_users, (n_groups, n_items) = len(items), eligible.shape
    for name, entries in (("hidden", hidden), ("allowed", allowed)):
        if entries is not None and entries.shape != (n_users, n_items):
            raise ValueError(f"{name} must have shape {(n_users, n_items)}, got {entries.shape}")
    if category.shape != (n_items,):
        raise ValueError(f"category must have shape {(n_items,)}, got {category.shape}")
    _check_places("group", group, n_users, n_groups)
    if category.max(initial=-1) >= len(caps):
        raise ValueError(f"category must be below {len(caps)}, got {category.max()}")
    return Rules(
        eligible, group.astype(np.int32, copy=False), *_parts(hidden, n_users),
        *_parts(allowed, n_users), category.astype(np.int32, copy=False),
        caps.astype(np.int32, copy=False),
    )  # fmt: skip


def _parts(entries: sp.csr_array | None, n_users: int) -> tuple[np.ndarray, np.ndarray]:
    if entries is None:
        return np.zeros(n_users + 1, np.int64), np.zeros(0, np.int32)
    if not entries.has_canonical_format:
        entries = entries.copy()
        entries.sum_duplicates()
    indptr, indices = entries.indptr, entries.indices
    return indptr.astype(np.int64, copy=False), indices.astype(np.int32, copy=False)


def _lists(items: np.ndarray, scores: np.ndarray, source: np.ndarray) -> Lists:
    wanted = (np.int32, np.float32, np.int8)
    for array, dtype in zip((items, scores, source), wanted, strict=True):
        if array.dtype != dtype or array.shape != items.shape:
            raise ValueError(
                "items, scores and source must be int32, float32 and int8 of one shape, "
                f"got {array.dtype} {array.shape}"
            )
    return Lists(items, scores, source)


def _order(
    lists: Lists, order: np.ndarray, order_scores: np.ndarray, row_order: np.ndarray, code: int
) -> Order:
    if order.shape != order_scores.shape:
        raise ValueError(f"order_scores must have shape {order.shape}, got {order_scores.shape}")
    _check_places("row_order", row_order, len(lists.items), len(order))
    return Order(
        order.astype(np.int32, copy=False), order_scores.astype(np.float32, copy=False),
        row_order.astype(np.int32, copy=False), np.int8(code),
    )  # fmt: skip


def _check_places(name: str, places: np.ndarray, n_users: int, n: int) -> None:
    if places.shape != (n_users,):
        raise ValueError(f"{name} must have shape {(n_users,)}, got {places.shape}")
    if len(places) and not 0 <= places.min() <= places.max() < n:
        raise ValueError(
            f"{name} must be between 0 and {n - 1}, got {places.min()} to {places.max()}"
        )
