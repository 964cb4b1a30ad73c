"""MovieLens as 0/1 interactions, and what a model gains on it over the popular list."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp

from models.metric.metric import evaluate
from models.popularity import Popularity
from models.ranking.ranking import FactorModel, ScoreModel
from models.split.fold_in import fold_in_split

N_JUDGED = 100
Fit = Callable[[sp.csr_array], FactorModel | ScoreModel]


def movielens_pairs(folder: Path) -> sp.csr_array:
    """Return who rated what 4 or better, users with five such items or more."""
    frame = pl.read_parquet(folder / "ml-latest-small" / "interactions.parquet")
    liked = frame.filter(pl.col("rating") >= 4).unique(["user_id", "item_id"])
    liked = liked.filter(pl.len().over("user_id") >= 5).select(
        pl.col("user_id", "item_id").rank("dense").cast(pl.Int64) - 1
    )
    user, item = liked["user_id"].to_numpy(), liked["item_id"].to_numpy()
    return sp.csr_array((np.ones(len(user), np.float32), (user, item)))


def gain_over_popularity(fit: Fit, folder: Path, seed: int) -> float:
    """Return the model's ndcg@100 over that of the popular list, users held out by a seed."""
    X = movielens_pairs(folder)
    order = np.random.default_rng(seed).permutation(X.shape[0])
    train, judged = X[order[N_JUDGED:]], X[order[:N_JUDGED]]
    fold_in, target = fold_in_split(judged, target_share=0.2, seed=seed)
    counts = np.bincount(train.indices, minlength=X.shape[1])
    ours, popular = (
        evaluate(model, fold_in=fold_in, target=target, eligible=counts > 0)["ndcg@100"].mean()
        for model in (fit(train), Popularity(counts))
    )
    return float(ours / popular)
