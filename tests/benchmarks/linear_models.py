"""EASE, its variants, SANSA and baselines on a published split, tuned on held-out users; JSON.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/linear_models.py --models ease sansa

One line per model: every candidate of its grid is fitted without 3,000 training users, of whom a
fifth of the items is asked; the best by ndcg@20 is fitted on all of the training file and judged
on the test file. Recall is plain: hits over all targets. ease takes 5.8 GB and some minutes a fit;
with --tune-items only the most popular items are there while candidates are compared.
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from measuring import in_child

from models.factors.factor_baseline import fit_bpr, fit_ials
from models.item_item.ease import fit_ease
from models.item_item.edlae import fit_edlae
from models.item_item.item_knn import fit_item_knn
from models.item_item.mrf import fit_mrf
from models.item_item.sansa import fit_sansa
from models.metric.metric import estimate
from models.popularity import Popularity
from models.random_model import RandomModel
from models.split.fold_in import fold_in_split

SEED, N_HELD_OUT = 0, 3000


def popularity(X: sp.csr_array) -> Popularity:
    """Return the counts."""
    return Popularity(np.bincount(X.indices, minlength=X.shape[1]))


def random(X: sp.csr_array) -> RandomModel:
    """Return a model that knows nothing."""
    return RandomModel(X.shape[1], seed=SEED)


MODELS: dict[str, tuple[Callable[..., Any], dict[str, list[Any]]]] = {
    "popularity": (popularity, {}),
    "random": (random, {}),
    "item_knn": (fit_item_knn, {"n_neighbours": [50, 100, 200]}),
    "ials": (
        fit_ials,
        {"n_factors": [128], "l2": [0.1, 1.0, 10.0], "weight": [1.0, 4.0], "n_epochs": [15],
         "seed": [SEED]},
    ),
    "bpr": (
        fit_bpr,
        {"n_factors": [128], "l2": [0.01], "learning_rate": [0.02, 0.05], "n_epochs": [100],
         "seed": [SEED]},
    ),
    "sansa": (fit_sansa, {"l2": [5.0, 10.0, 20.0, 40.0], "density": [1e-3]}),
    "ease": (fit_ease, {"l2": [50.0, 100.0, 200.0, 400.0, 800.0]}),
    "edlae": (fit_edlae, {"l2": [100.0, 200.0], "dropout": [0.25, 0.5]}),
    "mrf": (fit_mrf, {"l2": [1.0, 3.0, 6.0]}),
}  # fmt: skip


def read(data: str) -> tuple[sp.csr_array, sp.csr_array, sp.csr_array]:
    """Return all training rows, and fold-in and target of the test users."""
    folder = Path(os.environ["HOARFROST_REALDATA"]) / data
    train, test = (pl.read_parquet(folder / f"{name}.parquet") for name in ("train", "test"))
    users, items = (train[name].unique().sort() for name in ("user_id", "item_id"))
    shape = len(users), len(items)

    def matrix(frame: pl.DataFrame) -> sp.csr_array:
        known = frame.filter(pl.col("item_id").is_in(items.implode()))
        user, item = users.search_sorted(known["user_id"]), items.search_sorted(known["item_id"])
        return sp.csr_array((np.ones(len(user), np.float32), (user, item)), shape=shape)

    X, target = matrix(train.unique()), matrix(test.unique())
    asked = np.flatnonzero(np.diff(target.indptr))
    return X, X[asked], target[asked]


def figures(model: Any, fold_in: sp.csr_array, target: sp.csr_array) -> dict[str, float]:
    """Return plain recall@20 and ndcg@20, with standard errors."""
    values = estimate(model, fold_in=fold_in, target=target, n_targets=np.diff(target.indptr))
    return {
        name: round(figure, 5)
        for metric in ("plain_recall@20", "ndcg@20")
        for name, figure in zip((metric, f"{metric}_se"), values[metric], strict=True)
    }


def candidates(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return every combination."""
    return [dict(zip(grid, each, strict=True)) for each in itertools.product(*grid.values())]


def tried(data: str, name: str, arguments: dict[str, Any], n_items: int | None) -> dict[str, Any]:
    """Return what held-out users say of one candidate."""
    X, _, _ = read(data)
    counts = np.bincount(X.indices, minlength=X.shape[1])
    X = X[:, np.sort(np.argsort(-counts, kind="stable")[:n_items])]
    order = np.random.default_rng(SEED).permutation(X.shape[0])
    fold_in, target = fold_in_split(X[order[:N_HELD_OUT]], target_share=0.2, seed=SEED)
    rows = np.flatnonzero(np.diff(target.indptr))
    model = MODELS[name][0](X[np.sort(order[N_HELD_OUT:])], **arguments)
    return figures(model, fold_in[rows], target[rows])


def judged(data: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return figures of the test file, time of the fit, and bytes of the model if it tells."""
    X, fold_in, target = read(data)
    MODELS[name][0](X[:200, :200], **arguments)  # compiles the loops
    started = time.perf_counter()
    model = MODELS[name][0](X, **arguments)
    seconds = round(time.perf_counter() - started, 1)
    size = {"model_mb": round(model.n_bytes / 1e6, 1)} if hasattr(model, "n_bytes") else {}
    return {"fit_seconds": seconds} | size | figures(model, fold_in, target)


def main() -> None:
    """Tune and judge the models named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="yelp2018")
    parser.add_argument("--models", nargs="+", default=["popularity", "item_knn", "sansa"])
    parser.add_argument("--tune-items", type=int)
    arguments = parser.parse_args()
    for name in arguments.models:
        found = [
            (
                each,
                in_child(
                    tried,
                    data=arguments.data,
                    name=name,
                    arguments=each,
                    n_items=arguments.tune_items,
                ),
            )
            for each in candidates(MODELS[name][1])
        ]
        best, _ = max(found, key=lambda each: each[1]["ndcg@20"])
        result = in_child(judged, data=arguments.data, name=name, arguments=best)
        print(json.dumps({"data": arguments.data, "model": name, "chosen": best} | result
                         | {"validation": [(each, of["ndcg@20"]) for each, of in found]}),
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
