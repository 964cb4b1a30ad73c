"""ELSA with default settings against EASE with a tuned lambda, new users; prints JSON.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/elsa_against_ease.py --seeds 0 1 2

Strong generalisation (Liang et al., WWW 2018): ratings of four stars and more, users with five
items and more; a tenth of the users for validation, a tenth for the test, a fifth of their items
asked. EASE's lambda and ELSA's number of epochs are chosen on the validation users.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from measuring import in_child

from data_contracts.config import ELSAConfig
from models.elsa.elsa import ELSA
from models.metric.metric import hit_matrix, ndcg, recall
from models.ranking.ranking import rank_users, top_k
from models.split.fold_in import fold_in_split
from tasks.training.fit_data import FitData
from tasks.training.fitting import fit_model

FILES = {
    "ml-latest-small": "ml-latest-small/interactions.parquet",
    "goodbooks-10k-v1": "goodbooks-10k-v1/interactions.parquet",
}
LAMBDAS = (25.0, 50.0, 100.0, 200.0, 400.0)
Pair = tuple[sp.csr_array, sp.csr_array]
PerUser = dict[str, np.ndarray]


def read(data: str) -> sp.csr_array:
    """Return 0/1 interactions, shape (users, items)."""
    frame = pl.read_parquet(Path(os.environ["HOARFROST_REALDATA"]) / FILES[data])
    pairs = frame.filter(pl.col("rating") >= 4).unique(["user_id", "item_id"])
    pairs = pairs.filter(pl.len().over("user_id") >= 5).select(
        pl.col("user_id", "item_id").rank("dense").cast(pl.Int64) - 1
    )
    user, item = pairs["user_id"].to_numpy(), pairs["item_id"].to_numpy()
    return sp.csr_array((np.ones(len(user), np.float32), (user, item)))


def parted(X: sp.csr_array, seed: int) -> tuple[sp.csr_array, Pair, Pair]:
    """Return training rows, and fold-in and target of validation and test users."""
    order = np.random.default_rng(seed).permutation(X.shape[0])
    n = X.shape[0] // 10

    def asked(users: np.ndarray, draw: int) -> Pair:
        fold_in, target = fold_in_split(X[users], target_share=0.2, seed=draw)
        rows = np.flatnonzero(np.diff(target.indptr))
        return fold_in[rows], target[rows]

    return X[np.sort(order[2 * n :])], asked(order[:n], seed + 1), asked(order[n : 2 * n], seed + 2)


def figures(items: np.ndarray, target: sp.csr_array) -> PerUser:
    """Return the metrics of lists, per user."""
    hit, n_targets = hit_matrix(items, target), np.diff(target.indptr)
    return {
        "recall@20": recall(hit, n_targets, k=20),
        "ndcg@100": ndcg(hit, n_targets, k=100),
    }


def by_elsa(model: ELSA, pair: Pair, known: np.ndarray) -> PerUser:
    """Return ELSA's metrics."""
    blocks = rank_users(model, pair[0], seen=pair[0], eligible=known, k=100)
    return figures(np.concatenate([items for _, items, _ in blocks]), pair[1])


def by_ease(B: np.ndarray, pair: Pair, known: np.ndarray) -> PerUser:
    """Return EASE's metrics."""
    scores = np.asarray(pair[0] @ B, dtype=np.float32)
    scores[pair[0].nonzero()] = -np.inf
    scores[:, ~known] = -np.inf
    return figures(top_k(scores, 100)[0], pair[1])


def ease(X: sp.csr_array, l2: float) -> np.ndarray:
    """Return the item-item weights of Steck, WWW 2019, arXiv:1905.03375."""
    G = (X.T @ X).toarray().astype(np.float64)
    G[np.diag_indices_from(G)] += l2
    P = np.linalg.inv(G)
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0.0)
    return B.astype(np.float32)


def compared(*, data: str, seed: int) -> dict[str, Any]:
    """Return means, standard errors and the paired difference of one split."""
    X, validation, test = parted(read(data), seed)
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0
    on_validation = {
        l2: float(by_ease(ease(X, l2), validation, known)["ndcg@100"].mean()) for l2 in LAMBDAS
    }
    best_l2 = max(on_validation, key=lambda l2: on_validation[l2])
    theirs = by_ease(ease(X, best_l2), test, known)
    started, config = time.perf_counter(), ELSAConfig()
    model = fit_model(
        FitData(X, validation), config, n_epochs=config.n_epochs, seed=seed, device="cpu"
    )
    seconds = time.perf_counter() - started
    ours = by_elsa(model, test, known)
    result: dict[str, Any] = {
        "seed": seed, "users": X.shape[0], "items": X.shape[1], "lambda": best_l2,
        "n_factors": model.A.shape[1], "best_epoch": model.best_epoch,
        "train_seconds": round(seconds, 1),
    }  # fmt: skip
    for name in ours:
        gain = ours[name] - theirs[name]
        for who, values in (("elsa", ours[name]), ("ease", theirs[name]), ("gain", gain)):
            error = values.std() / np.sqrt(len(values))
            result[f"{who}_{name}"] = [round(float(values.mean()), 4), round(float(error), 4)]
    return result


def main() -> None:
    """Compare on some splits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=sorted(FILES), default="ml-latest-small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "elsa_against_ease", "data": arguments.data}
    if not os.environ.get("HOARFROST_REALDATA"):
        print(json.dumps(result | {"note": "HOARFROST_REALDATA names no folder"}))
        return
    splits = [in_child(compared, data=arguments.data, seed=seed) for seed in arguments.seeds]
    print(json.dumps(result | {"splits": splits}))


if __name__ == "__main__":
    main()
