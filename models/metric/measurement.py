"""All metrics of the lists of one model, one array over users each."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from models.metric.beyond_accuracy import (
    Catalogue,
    average_popularity,
    calibration,
    diversity_by_category,
    diversity_by_embedding,
    novelty,
    popularity_lift,
)
from models.metric.exposure import coverage_per_user, gini_per_user
from models.metric.ranking_metric import (
    average_precision,
    hit_matrix,
    hit_rate,
    ndcg,
    plain_recall,
    precision,
    recall,
    reciprocal_rank,
)

PerUser = dict[str, Float[np.ndarray, " n_users"]]


def measure(
    items: Int[np.ndarray, "n_users depth"],
    *,
    fold_in: sp.csr_array,
    target: sp.csr_array,
    catalogue: Catalogue,
    n_targets: Int[np.ndarray, " n_users"] | None = None,
    k: int = 20,
    deep: int = 100,
    block_size: int = 4096,
) -> PerUser:
    """Return every metric of lists, right ones and others, as one array over users each.

    The mean over users is the metric, and their spread gives its standard error, also for those
    of all users together (coverage, Gini, popularity lift). The difference of two models is the
    difference of their arrays.

    Args:
        items: the lists, best first, padded with -1, at least ``deep`` places where the
            catalogue has as many; of whatever device, exact over the whole catalogue.
        fold_in: what was shown, shape (n_users, n_items).
        target: what is asked, shape (n_users, n_items).
        catalogue: popularity of training; categories and embeddings where there are any.
        n_targets: what is asked in all, items unknown to the model included; by default the
            entries of target. At least one for everybody.
        k: depth of all metrics but recall@50 and the deep nDCG.
        deep: depth of the deep nDCG.
        block_size: users at once; what is held beyond arguments and result grows with it.

    Returns:
        recall, plain_recall, precision, ndcg, map, mrr, hit_rate, coverage, gini, popularity,
        novelty and popularity_lift at k, recall@50, ndcg at deep; category_diversity and
        calibration where there are categories, embedding_diversity where there are embeddings.
        nan where a metric is not defined for a user.

    Raises:
        ValueError: somebody is asked nothing.
    """
    asked = np.diff(target.indptr) if n_targets is None else n_targets
    if not asked.all():
        raise ValueError(
            f"every user must be asked an item, got {np.sum(asked == 0)} who are asked none"
        )
    blocks = [
        slice(start, start + block_size) for start in range(0, max(len(items), 1), block_size)
    ]
    parts = [
        _of_block(items[rows], fold_in[rows], target[rows], asked[rows], catalogue, k, deep)
        for rows in blocks
    ]
    top, n_items = items[:, :k], target.shape[1]
    together = {
        f"coverage@{k}": coverage_per_user(top, n_items),
        f"gini@{k}": gini_per_user(top, n_items),
        f"popularity_lift@{k}": popularity_lift(top, fold_in, catalogue),
    }
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} | together


def _of_block(
    items: np.ndarray,
    fold_in: sp.csr_array,
    target: sp.csr_array,
    n_targets: np.ndarray,
    catalogue: Catalogue,
    k: int,
    deep: int,
) -> PerUser:
    hit, top = hit_matrix(items, target), items[:, :k]
    values = {
        f"recall@{k}": recall(hit, n_targets, k=k),
        "recall@50": recall(hit, n_targets, k=50),
        f"plain_recall@{k}": plain_recall(hit, n_targets, k=k),
        f"precision@{k}": precision(hit, k=k),
        f"ndcg@{k}": ndcg(hit, n_targets, k=k),
        f"ndcg@{deep}": ndcg(hit, n_targets, k=deep),
        f"map@{k}": average_precision(hit, n_targets, k=k),
        f"mrr@{k}": reciprocal_rank(hit, k=k),
        f"hit_rate@{k}": hit_rate(hit, k=k),
        f"popularity@{k}": average_popularity(top, catalogue),
        f"novelty@{k}": novelty(top, catalogue),
    }
    if catalogue.category is not None:
        values[f"category_diversity@{k}"] = diversity_by_category(top, catalogue)
        values[f"calibration@{k}"] = calibration(top, fold_in, catalogue)
    if catalogue.embedding is not None:
        values[f"embedding_diversity@{k}"] = diversity_by_embedding(top, catalogue)
    return values
