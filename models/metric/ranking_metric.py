"""Metrics of a ranked list against what a user was asked, one number per user."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

Hits = Bool[np.ndarray, "n_users depth"]
Targets = Int[np.ndarray, " n_users"]
PerUserValues = Float[np.ndarray, " n_users"]


def hit_matrix(
    items: Int[np.ndarray, "batch k"], target: sp.csr_array
) -> Bool[np.ndarray, "batch k"]:
    """Tell for every listed item whether it is a target of its row; padding (-1) is none."""
    n_users, n_items = target.shape
    user = np.repeat(np.arange(n_users, dtype=np.int64), np.diff(target.indptr))
    wanted = user * n_items + target.indices
    listed = np.arange(n_users, dtype=np.int64)[:, None] * n_items + items
    return np.isin(listed, wanted) & (items >= 0)


def recall(hit: Hits, n_targets: Targets, *, k: int) -> PerUserValues:
    """Return hits among the first k over min(k, targets), per user."""
    return hit[:, :k].sum(axis=1) / np.minimum(k, n_targets)


def plain_recall(hit: Hits, n_targets: Targets, *, k: int) -> PerUserValues:
    """Return hits among the first k over all targets, per user."""
    return hit[:, :k].sum(axis=1) / n_targets


def precision(hit: Hits, *, k: int) -> PerUserValues:
    """Return hits among the first k over k, per user; a list that is too short is not excused."""
    return np.asarray(hit[:, :k].sum(axis=1) / k)


def hit_rate(hit: Hits, *, k: int) -> PerUserValues:
    """Return 1 for a user with a hit among the first k, else 0."""
    return np.asarray(hit[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank(hit: Hits, *, k: int) -> PerUserValues:
    """Return 1 / place of the first hit among the first k, 0 without one; the mean is MRR."""
    first = hit[:, :k]
    return np.where(first.any(axis=1), 1.0 / (1.0 + np.argmax(first, axis=1)), 0.0)


def average_precision(hit: Hits, n_targets: Targets, *, k: int) -> PerUserValues:
    """Return the precision at every hit among the first k, summed, over min(k, targets).

    The mean over users is MAP.

    Reference: Wu et al., Collaborative Denoising Auto-Encoders, WSDM 2016 (k is its N).
    """
    first = hit[:, :k]
    at = np.cumsum(first, axis=1) / np.arange(1.0, first.shape[1] + 1.0)
    return np.where(first, at, 0.0).sum(axis=1) / np.minimum(k, n_targets)


def ndcg(hit: Hits, n_targets: Targets, *, k: int) -> PerUserValues:
    """Return the discounted gain of the first k over the best possible, per user."""
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate(([0.0], np.cumsum(discount)))
    gain = hit[:, :k] @ discount[: hit[:, :k].shape[1]]
    return gain / ideal[np.minimum(k, n_targets)]


def recall_by_group(
    hit: Hits,
    items: Int[np.ndarray, "n_users depth"],
    target: sp.csr_array,
    group: Int[np.ndarray, " n_items"],
    *,
    n_groups: int,
    k: int,
) -> Float[np.ndarray, "n_users n_groups"]:
    """Return recall among the first k of the targets of each group of items, per user.

    Groups are tiers of popularity, or categories.

    Args:
        hit: of the lists.
        items: the lists, padded with -1.
        target: what is asked, shape (n_users, n_items).
        group: of every item; -1 for none.
        n_groups: groups are numbered below this.
        k: depth.

    Returns:
        Hits over min(k, targets), both of the group; nan where a user is asked nothing of it.
    """
    n_users = len(hit)
    listed = np.where(hit[:, :k], group[items[:, :k]], -1)
    hits = _counts(
        np.repeat(np.arange(n_users), listed.shape[1]), listed.ravel(), n_users, n_groups
    )
    owner = np.repeat(np.arange(n_users), np.diff(target.indptr))
    asked = _counts(owner, group[target.indices], n_users, n_groups)
    return hits / np.where(asked, np.minimum(k, asked), np.nan)


def _counts(row: np.ndarray, group: np.ndarray, n_rows: int, n_groups: int) -> np.ndarray:
    there = group >= 0
    places = row[there] * n_groups + group[there]
    return np.bincount(places, minlength=n_rows * n_groups).reshape(n_rows, n_groups)
