"""Ranking metrics per user, exact over the whole catalogue."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.ranking import FactorModel, rank_users

DEPTH = 100  # deepest metric
PerUser = dict[str, np.ndarray]


def evaluate(
    model: FactorModel,
    *,
    fold_in: sp.csr_array,
    target: sp.csr_array,
    eligible: Bool[np.ndarray, " n_items"],
    block_size: int = 1024,
) -> PerUser:
    """Return recall@20, recall@50 and ndcg@100 per user, coverage@20 of all users together.

    Fold-in items are masked. Recall divides by min(k, targets).

    Args:
        model: scores the fold-in.
        fold_in: what is shown, shape (n_users, n_items).
        target: what is asked, shape (n_users, n_items), every row with at least one item.
        eligible: items the model may recommend.
        block_size: users at once.

    Returns:
        One float64 array (n_users,) per metric; coverage as an array without dimensions: the
        share of all n_items that stands in anybody's first 20.

    Raises:
        ValueError: a row of target is empty.
    """
    n_targets = np.diff(target.indptr)
    if not n_targets.all():
        raise ValueError(
            f"every row of target must hold an item, got {np.sum(n_targets == 0)} without one"
        )
    hits, shown = [], np.zeros(target.shape[1], dtype=bool)
    for rows, items, _ in rank_users(
        model, fold_in, seen=fold_in, eligible=eligible, k=DEPTH, block_size=block_size
    ):
        hits.append(hit_matrix(items, target[rows]))
        top = items[:, :20]
        shown[top[top >= 0]] = True
    hit = np.concatenate(hits) if hits else np.zeros((0, DEPTH), dtype=bool)
    return {
        "recall@20": recall(hit, n_targets, k=20),
        "recall@50": recall(hit, n_targets, k=50),
        "ndcg@100": ndcg(hit, n_targets, k=100),
        "coverage@20": np.asarray(shown.mean()),
    }


def hit_matrix(
    items: Int[np.ndarray, "batch k"], target: sp.csr_array
) -> Bool[np.ndarray, "batch k"]:
    """Tell for every listed item whether it is a target of its row; padding (-1) is none."""
    n_users, n_items = target.shape
    user = np.repeat(np.arange(n_users, dtype=np.int64), np.diff(target.indptr))
    wanted = user * n_items + target.indices
    listed = np.arange(n_users, dtype=np.int64)[:, None] * n_items + items
    return np.isin(listed, wanted) & (items >= 0)


def recall(
    hit: Bool[np.ndarray, "n_users depth"], n_targets: Int[np.ndarray, " n_users"], *, k: int
) -> Float[np.ndarray, " n_users"]:
    """Return hits among the first k over min(k, targets), per user."""
    return hit[:, :k].sum(axis=1) / np.minimum(k, n_targets)


def plain_recall(
    hit: Bool[np.ndarray, "n_users depth"], n_targets: Int[np.ndarray, " n_users"], *, k: int
) -> Float[np.ndarray, " n_users"]:
    """Return hits among the first k over all targets, per user."""
    return hit[:, :k].sum(axis=1) / n_targets


def ndcg(
    hit: Bool[np.ndarray, "n_users depth"], n_targets: Int[np.ndarray, " n_users"], *, k: int
) -> Float[np.ndarray, " n_users"]:
    """Return the discounted gain of the first k over the best possible, per user."""
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate(([0.0], np.cumsum(discount)))
    gain = hit[:, :k] @ discount[: hit[:, :k].shape[1]]
    return gain / ideal[np.minimum(k, n_targets)]
