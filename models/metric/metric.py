"""Ranking metrics per user, exact over the whole catalogue."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int

from models.metric.exposure import coverage, coverage_per_user
from models.metric.ranking_metric import hit_matrix, ndcg, plain_recall, recall
from models.ranking.ranking import FactorModel, ScoreModel, rank_users

__all__ = ["estimate", "evaluate", "hit_matrix", "ndcg", "plain_recall", "rank_lists", "recall"]

DEPTH = 100  # deepest metric
SHOWN = 20  # what coverage counts
PerUser = dict[str, np.ndarray]
Estimate = tuple[float, float]  # mean and standard error


class Lists(NamedTuple):
    """The lists of all users, as far as metrics need them."""

    hit: Bool[np.ndarray, "n_users depth"]
    top: Int[np.ndarray, "n_users shown"]  # items, padded with -1


def evaluate(
    model: FactorModel | ScoreModel,
    *,
    fold_in: sp.csr_array,
    target: sp.csr_array,
    eligible: Bool[np.ndarray, " n_items"],
    block_size: int = 1024,
    device: str = "cpu",
) -> PerUser:
    """Return recall@20, recall@50 and ndcg@100 per user, coverage@20 of all users together.

    Fold-in items are masked. Recall divides by min(k, targets).

    Args:
        model: scores the fold-in.
        fold_in: what is shown, shape (n_users, n_items).
        target: what is asked, shape (n_users, n_items), every row with at least one item.
        eligible: items the model may recommend.
        block_size: users at once.
        device: torch device that makes the lists; they are the same on all.

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
    lists = _lists(model, fold_in, target, eligible, block_size=block_size, device=device)
    return {
        "recall@20": recall(lists.hit, n_targets, k=20),
        "recall@50": recall(lists.hit, n_targets, k=50),
        "ndcg@100": ndcg(lists.hit, n_targets, k=100),
        "coverage@20": np.asarray(coverage(lists.top, target.shape[1])),
    }


def estimate(
    model: FactorModel | ScoreModel,
    *,
    fold_in: sp.csr_array,
    target: sp.csr_array,
    n_targets: Int[np.ndarray, " n_users"],
    block_size: int = 1024,
    device: str = "cpu",
) -> dict[str, Estimate]:
    """Return mean and standard error of the metrics of one fixed split; every item may be listed.

    Args:
        model: scores the fold-in.
        fold_in: what is shown, shape (n_users, n_items).
        target: what is asked of these items, shape (n_users, n_items); a row may be empty.
        n_targets: what is asked in all, items unknown to the model included; at least one.
        block_size: users at once.
        device: torch device that makes the lists; they are the same on all.

    Returns:
        recall@20 and recall@50 over min(k, targets), plain_recall over targets, ndcg@20, ndcg@100
        and coverage@20. The error is nan for a single user; that of coverage leaves out one user
        at a time.

    Raises:
        ValueError: nobody is asked, or a user is asked nothing.
    """
    if not len(n_targets) or not n_targets.all():
        raise ValueError(f"every user must be asked an item, got {len(n_targets)} users")
    eligible = np.ones(target.shape[1], dtype=bool)
    hit, top = _lists(model, fold_in, target, eligible, block_size=block_size, device=device)
    per_user = {
        "recall@20": recall(hit, n_targets, k=20),
        "recall@50": recall(hit, n_targets, k=50),
        "plain_recall@20": plain_recall(hit, n_targets, k=20),
        "plain_recall@50": plain_recall(hit, n_targets, k=50),
        "ndcg@20": ndcg(hit, n_targets, k=20),
        "ndcg@100": ndcg(hit, n_targets, k=100),
    }
    means = {name: _mean(values) for name, values in per_user.items()}
    return means | {"coverage@20": _coverage(top, target.shape[1])}


def _mean(values: np.ndarray) -> Estimate:
    n = len(values)
    return float(values.mean()), float(values.std(ddof=1) / n**0.5) if n > 1 else float("nan")


def _coverage(top: np.ndarray, n_items: int) -> Estimate:
    return coverage(top, n_items), _mean(coverage_per_user(top, n_items))[1]


def rank_lists(
    model: FactorModel | ScoreModel,
    *,
    fold_in: sp.csr_array,
    eligible: Bool[np.ndarray, " n_items"],
    seen: sp.csr_array | None = None,
    k: int = DEPTH,
    block_size: int = 1024,
    device: str = "cpu",
) -> Int[np.ndarray, "n_users {k}"]:
    """Return the lists of all users, int32, best first, padded with -1; what is seen is not listed.

    Args:
        model: scores the fold-in.
        fold_in: what is shown, shape (n_users, n_items).
        eligible: items the model may recommend.
        seen: what is not listed, by default the fold-in; values do not matter.
        k: length of a list.
        block_size: users at once.
        device: torch device that makes the lists; they are the same on all.
    """
    seen = fold_in if seen is None else seen
    items = np.full((fold_in.shape[0], k), -1, dtype=np.int32)
    for rows, listed, _ in rank_users(
        model, fold_in, seen=seen, eligible=eligible, k=k, block_size=block_size, device=device
    ):
        items[rows] = listed
    return items


def _lists(
    model: FactorModel | ScoreModel,
    fold_in: sp.csr_array,
    target: sp.csr_array,
    eligible: np.ndarray,
    *,
    block_size: int,
    device: str,
) -> Lists:
    hit = np.zeros((target.shape[0], DEPTH), dtype=bool)
    top = np.full((target.shape[0], SHOWN), -1, dtype=np.int32)
    for rows, items, _ in rank_users(
        model, fold_in, seen=fold_in, eligible=eligible, k=DEPTH, block_size=block_size,
        device=device,
    ):  # fmt: skip
        hit[rows] = hit_matrix(items, target[rows])
        top[rows] = items[:, :SHOWN]
    return Lists(hit, top)
