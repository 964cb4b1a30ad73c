"""Metrics of all lists together, each as one number per user: mean and spread say it all.

A jackknife leaves out one user at a time. The metric with everybody, plus what each user pulls it
by, is an array over users whose mean is the metric and whose standard error is the jackknife's; the
difference of two such arrays is that of the difference of two models.
"""

import numpy as np
from jaxtyping import Float, Int

Lists = Int[np.ndarray, "n_users k"]
PerUserValues = Float[np.ndarray, " n_users"]


def coverage(items: Lists, n_items: int) -> float:
    """Return the share of the catalogue that stands in anybody's list."""
    return float((_exposure(items, n_items) > 0).mean())


def gini(items: Lists, n_items: int) -> float:
    """Return how unequally lists expose the catalogue: 0 is evenly, near 1 is one item only.

    Items that nobody is shown count. nan where nothing is listed.

    Reference: Fleder and Hosanagar, Management Science 2009, doi:10.1287/mnsc.1080.0974.
    """
    exposure = np.sort(_exposure(items, n_items))
    return float(_gini(_rank_sum(exposure), int(exposure.sum()), n_items))


def coverage_per_user(items: Lists, n_items: int) -> PerUserValues:
    """Return coverage as one number per user, see above: what only this user is shown counts.

    Args:
        items: the lists, padded with -1, no item twice in one.
        n_items: size of the catalogue.
    """
    exposure = _exposure(items, n_items)
    lost = ((exposure[items] == 1) & (items >= 0)).sum(axis=1) / n_items
    return _pulled(coverage(items, n_items), -lost)


def gini_per_user(items: Lists, n_items: int) -> PerUserValues:
    """Return Gini as one number per user, see above; exact, without a loop over users.

    Taking one user's list away lowers some counts by one. In sorted order the first of equal
    counts is lowered, which keeps the order: the sum of place x count loses the places.

    Args:
        items: the lists, padded with -1, no item twice in one.
        n_items: size of the catalogue.
    """
    exposure = _exposure(items, n_items)
    ordered = np.sort(exposure)
    there = items >= 0
    counts = np.sort(np.where(there, exposure[items], -1), axis=1)  # padding first
    first_place = np.searchsorted(ordered, counts) + 1
    place = np.where(counts >= 0, first_place + _run(counts), 0)
    rank_sum, total = _rank_sum(ordered), int(exposure.sum())
    without = _gini(rank_sum - place.sum(axis=1), total - there.sum(axis=1), n_items)
    with_all = _gini(rank_sum, total, n_items)
    return _pulled(float(with_all), without - with_all)


def _exposure(items: np.ndarray, n_items: int) -> np.ndarray:
    return np.bincount(items[items >= 0], minlength=n_items)


def _rank_sum(ordered: np.ndarray) -> int:
    return int(np.arange(1, len(ordered) + 1) @ ordered)


def _gini(rank_sum: np.ndarray | int, total: np.ndarray | int, n_items: int) -> np.ndarray:
    shown = np.where(np.asarray(total) > 0, total, np.nan)
    return np.asarray(2.0 * rank_sum / (n_items * shown) - (n_items + 1) / n_items)


def _run(counts: np.ndarray) -> np.ndarray:
    """Return the place of every entry among equal neighbours of its sorted row, from 0."""
    place = np.broadcast_to(np.arange(counts.shape[1]), counts.shape)
    begins = np.ones(counts.shape, dtype=bool)
    begins[:, 1:] = counts[:, 1:] != counts[:, :-1]
    return place - np.maximum.accumulate(np.where(begins, place, 0), axis=1)


def _pulled(value: float, change_without: np.ndarray) -> np.ndarray:
    """Add to the value what each user pulls it by: (n - 1)(mean without anyone - without them)."""
    n_users = len(change_without)
    if n_users < 2:
        return np.full(n_users, value)
    return value + (n_users - 1) * (change_without.mean() - change_without)
