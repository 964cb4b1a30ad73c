"""Size against quality: compressed ELSA beside ELSA of a lower rank, on Goodbooks; prints JSON.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/compressed_elsa.py

Users with five ratings of four stars or more; 2,500 of them are held out for judging and as many
for the choice of settings (--judge validation); a fifth of their items is asked. One training is
cut again and again: what it is after each stage is a point of the curve. Peers of the same bytes
are dense ELSA with that many numbers an item, trained as long as all stages together. Seconds of
serving are for the scores of 1,000 users.
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

from models.elsa.compressed_elsa import CompressedELSA, fit_compressed_elsa, kept_entries
from models.elsa.compressed_elsa_engine import Kept
from models.elsa.elsa import ELSA, fit_elsa, usual_batch_size
from models.metric.metric import evaluate
from models.split.fold_in import fold_in_split

N_HELD_OUT, LEAST_STARS, LEAST_ITEMS = 2500, 4, 5


def read(judge: str) -> tuple[sp.csr_array, sp.csr_array, sp.csr_array]:
    """Return training rows, and fold-in and target of the users who judge."""
    folder = Path(os.environ["HOARFROST_REALDATA"]) / "goodbooks-10k-v1"
    liked = pl.read_parquet(folder / "interactions.parquet").filter(pl.col("rating") >= LEAST_STARS)
    pairs = liked.select("user_id", "item_id").unique().sort("user_id", "item_id")
    user = pairs["user_id"].rank("dense").to_numpy().astype(np.int64) - 1
    item = pairs["item_id"].to_numpy().astype(np.int64) - 1  # ids are 1 to 10,000
    shape = int(user.max()) + 1, 10_000
    X = sp.csr_array((np.ones(len(user), np.float32), (user, item)), shape=shape)
    X = X[np.flatnonzero(np.diff(X.indptr) >= LEAST_ITEMS)]
    order = np.random.default_rng(42).permutation(X.shape[0])
    test, validation, training = np.split(order, [N_HELD_OUT, 2 * N_HELD_OUT])
    asked = test if judge == "test" else validation
    fold_in, target = fold_in_split(X[np.sort(asked)], target_share=0.2, seed=7)
    return X[np.sort(training)], fold_in, target


def judged(
    model: ELSA | CompressedELSA, X: sp.csr_array, fold_in: sp.csr_array, target: sp.csr_array
) -> dict[str, float]:
    """Return figures with their standard errors, and the seconds that 1,000 users take."""
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0
    values = evaluate(model, fold_in=fold_in, target=target, eligible=known)
    figures = {}
    for name in ("recall@20", "ndcg@100"):
        figures[name] = round(float(values[name].mean()), 4)
        figures[f"{name}_se"] = round(float(values[name].std() / len(values[name]) ** 0.5), 4)
    started = time.perf_counter()
    model.scores(fold_in[:1000])
    return figures | {"serving_seconds": round(time.perf_counter() - started, 3)}


def compressed(*, judge: str, at: list[int], restart: bool, **how: Any) -> dict[str, Any]:
    """Return the curve: a point after every stage that leaves as many entries as asked for."""
    X, fold_in, target = read(judge)
    plan = kept_entries(how["n_factors"], min(at), n_stages=how["n_stages"])
    counts, points = np.bincount(X.indices, minlength=X.shape[1]), []
    started = time.perf_counter()

    def on_epoch(epoch: int, metrics: dict[str, float], kept: Kept) -> None:
        k = kept.columns.shape[1]
        if epoch % how["n_epochs"] or k not in at:
            return
        model = CompressedELSA(kept.csr(how["n_factors"]), counts)
        seconds = round(time.perf_counter() - started, 1)
        points.append(
            {"nonzeros": k, "mb": round(model.n_bytes / 1e6, 2), "fit_seconds": seconds}
            | judged(model, X, fold_in, target)
        )

    batch_size = usual_batch_size(X.shape[0])
    fit_compressed_elsa(
        X, n_nonzeros=min(at), batch_size=batch_size, seed=0, restart=restart, on_epoch=on_epoch,
        **how,
    )  # fmt: skip
    return {"plan": plan, "points": points}


def dense(*, judge: str, n_factors: int, n_epochs: int, learning_rate: float) -> dict[str, Any]:
    """Return the same of ELSA with so many factors."""
    X, fold_in, target = read(judge)
    started = time.perf_counter()
    model = fit_elsa(
        X, n_factors=n_factors, n_epochs=n_epochs, batch_size=usual_batch_size(X.shape[0]),
        learning_rate=learning_rate, seed=0,
    )  # fmt: skip
    seconds = round(time.perf_counter() - started, 1)
    size = {"factors": n_factors, "mb": round(model.A.nbytes / 1e6, 2), "fit_seconds": seconds}
    return size | judged(model, X, fold_in, target)


def main() -> None:
    """Fit one compressed model and its dense peers, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", choices=["test", "validation"], default="test")
    parser.add_argument("--factors", type=int, default=1024)
    parser.add_argument("--nonzeros", type=int, nargs="+", default=[128, 64, 32, 16, 8])
    parser.add_argument("--stages", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--dense", type=int, nargs="*", default=[256, 128, 64, 32, 16])
    a = parser.parse_args()
    result = in_child(
        compressed, judge=a.judge, at=a.nonzeros, restart=a.restart, n_factors=a.factors,
        n_stages=a.stages, n_epochs=a.epochs, learning_rate=a.rate,
    )  # fmt: skip
    peers = [
        in_child(
            dense, judge=a.judge, n_factors=each, n_epochs=a.epochs * a.stages,
            learning_rate=a.rate,
        )
        for each in a.dense
    ]  # fmt: skip
    print(json.dumps({"benchmark": "compressed_elsa"} | vars(a) | {"compressed": result,
                      "peers": peers}))  # fmt: skip


if __name__ == "__main__":
    main()
