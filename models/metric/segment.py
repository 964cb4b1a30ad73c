"""Segments of users and tiers of items, and figures by segment."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int, Num

TIERS = ("head", "mid", "tail")


class SegmentFigure(NamedTuple):
    """The mean of a metric in one segment."""

    mean: float  # nan where n_users is 0
    standard_error: float  # nan where n_users is below 2
    n_users: int  # of the segment, for whom the metric is defined


def by_segment(
    values: Float[np.ndarray, " n_users"],
    segment: Int[np.ndarray, " n_users"],
    names: tuple[str, ...],
) -> dict[str, SegmentFigure]:
    """Return mean and standard error in every segment.

    Args:
        values: one per user; nan takes no part.
        segment: of every user, a place in names; -1 for none.
        names: of the segments.
    """
    there = (segment >= 0) & ~np.isnan(values)
    group, own = segment[there], values[there]
    n = np.bincount(group, minlength=len(names))
    mean = np.bincount(group, own, len(names)) / np.where(n > 0, n, np.nan)
    squares = np.bincount(group, np.square(own - mean[group]), len(names))
    error = np.sqrt(squares / np.where(n > 1, n * (n - 1.0), np.nan))
    return {
        name: SegmentFigure(float(mean[place]), float(error[place]), int(n[place]))
        for place, name in enumerate(names)
    }


def activity_segment(
    n_seen: Int[np.ndarray, " n_users"], *, bounds: tuple[int, ...] = (5, 20)
) -> tuple[Int[np.ndarray, " n_users"], tuple[str, ...]]:
    """Return the segment of every user by the number of items shown, and the segments' names.

    Args:
        n_seen: items shown of every user.
        bounds: smallest numbers of the second and later segments, rising.

    Returns:
        Places in the names; names as "0 to 4", "5 to 19", "20 and more".

    Raises:
        ValueError: bounds do not rise from 1.
    """
    if any(high <= low for low, high in zip((0, *bounds), bounds, strict=False)):
        raise ValueError(f"bounds must rise from 1, got {bounds}")
    starts = (0, *bounds)
    names = [f"{low} to {high - 1}" for low, high in zip(starts, bounds, strict=False)]
    return np.searchsorted(bounds, n_seen, side="right"), (*names, f"{starts[-1]} and more")


def new_user_segment(
    n_known: Int[np.ndarray, " n_users"],
) -> tuple[Int[np.ndarray, " n_users"], tuple[str, ...]]:
    """Return who is new (nothing known in training) and who is not, and the segments' names."""
    return (n_known > 0).astype(np.int64), ("new", "known")


def category_segment(
    fold_in: sp.csr_array, category: Int[np.ndarray, " n_items"], *, n_categories: int
) -> Int[np.ndarray, " n_users"]:
    """Return the commonest category of every history, the lowest of equals; -1 without one.

    Args:
        fold_in: histories, shape (n_users, n_items); values do not matter.
        category: of every item, -1 for none.
        n_categories: categories are numbered below this.
    """
    owner = np.repeat(np.arange(fold_in.shape[0]), np.diff(fold_in.indptr))
    of_entry = category[fold_in.indices]
    places = owner[of_entry >= 0] * n_categories + of_entry[of_entry >= 0]
    counts = np.bincount(places, minlength=fold_in.shape[0] * n_categories)
    counts = counts.reshape(fold_in.shape[0], n_categories)
    if not n_categories:
        return np.full(fold_in.shape[0], -1, dtype=np.int64)
    return np.where(counts.any(axis=1), np.argmax(counts, axis=1), -1)


def item_tier(
    counts: Num[np.ndarray, " n_items"], *, shares: tuple[float, float] = (0.5, 0.9)
) -> Int[np.ndarray, " n_items"]:
    """Return the tier of every item, a place in TIERS: head, mid or tail.

    Items in order of popularity, equals by number: the head are the first that make up half of
    all interactions, the mid the next up to nine tenths, the tail is the rest.

    Args:
        counts: users who have met the item, in training.
        shares: of all interactions, in head, and in head and mid.

    Raises:
        ValueError: the shares do not rise from 0 to at most 1.
    """
    if not 0.0 < shares[0] <= shares[1] <= 1.0:
        raise ValueError(f"shares must rise from 0 to at most 1, got {shares}")
    order = np.argsort(-np.asarray(counts), kind="stable")
    ordered = np.asarray(counts, dtype=np.float64)[order]
    above = np.cumsum(ordered) - ordered  # interactions of the more popular items
    tier = np.empty(len(counts), dtype=np.int64)
    tier[order] = np.searchsorted(np.array(shares) * ordered.sum(), above, side="right")
    tier[np.asarray(counts) <= 0] = TIERS.index("tail")
    return tier
