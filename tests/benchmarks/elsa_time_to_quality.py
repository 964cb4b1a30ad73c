"""Training time until ELSA ranks as well as its authors' package at its best; prints JSON.

HOARFROST_REALDATA=../shared/data python tests/benchmarks/elsa_time_to_quality.py --data yelp2018

The package trains as its README shows: 256 factors, batches of 128, 5 epochs. Both are asked after
every epoch for a fifth of the items of held-out users; only training is timed.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from measuring import in_child

from models.elsa.elsa import ELSA, fit_elsa
from models.elsa.elsa_form import ELSAForm
from models.elsa.elsa_state import TrainingState
from models.metric.metric import evaluate
from models.split.fold_in import fold_in_split

FILES = {
    "yelp2018": "yelp2018/train.parquet",
    "goodbooks": "goodbooks-10k-v1/interactions.parquet",
}
N_FACTORS, N_EPOCHS, SEED = 256, 5, 0
OURS = {
    "n_factors": N_FACTORS, "n_epochs": 9, "batch_size": 2048, "learning_rate": 0.1,
    "alpha": 0.2, "beta": 0.1, "form": ELSAForm(gamma=0.5), "seed": SEED,
}  # fmt: skip


def read(data: str) -> tuple[sp.csr_array, tuple[sp.csr_array, sp.csr_array]]:
    """Return training rows, and fold-in and target of 2,000 users that are not among them."""
    frame = pl.read_parquet(Path(os.environ["HOARFROST_REALDATA"]) / FILES[data])
    if "rating" in frame.columns:
        frame = frame.filter(pl.col("rating") >= 4)
    pairs = frame.unique(["user_id", "item_id"]).select(
        pl.col("user_id", "item_id").rank("dense").cast(pl.Int64) - 1
    )
    user, item = pairs["user_id"].to_numpy(), pairs["item_id"].to_numpy()
    X = sp.csr_array((np.ones(len(user), np.float32), (user, item)))
    order = np.random.default_rng(SEED).permutation(X.shape[0])
    fold_in, target = fold_in_split(X[order[:2000]], target_share=0.2, seed=SEED)
    asked = np.flatnonzero(np.diff(target.indptr))
    return X[np.sort(order[2000:])], (fold_in[asked], target[asked])


def ndcg_of(model: ELSA, X: sp.csr_array, held_out: tuple[sp.csr_array, sp.csr_array]) -> float:
    """Return nDCG@100 of held-out users."""
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0
    values = evaluate(model, fold_in=held_out[0], target=held_out[1], eligible=known)
    return float(values["ndcg@100"].mean())


def ours(data: str) -> list[tuple[float, float]]:
    """Return seconds of training so far and nDCG@100 after every epoch."""
    X, held_out = read(data)
    fit_elsa(X[:2000], **OURS | {"n_epochs": 1})  # compiles the loops, once per installation
    curve, spent, started = [], 0.0, time.perf_counter()

    def on_epoch(epoch: int, metrics: dict[str, float], state: TrainingState) -> None:
        nonlocal spent, started
        spent += time.perf_counter() - started
        counts = np.bincount(X.indices, minlength=X.shape[1])
        model = ELSA(state.factors, counts, OURS["alpha"], OURS["beta"])
        curve.append((round(spent, 2), ndcg_of(model, X, held_out)))
        started = time.perf_counter()

    fit_elsa(X, **OURS, on_epoch=on_epoch)
    return curve


def peer(data: str) -> list[tuple[float, float]]:
    """Return the same of PyPI's elsarec."""
    import elsa
    import torch

    warnings.simplefilter("ignore", UserWarning)
    X, held_out = read(data)
    torch.manual_seed(SEED)
    model, rows = elsa.ELSA(X.shape[1], N_FACTORS, device=torch.device("cpu")), sp.csr_matrix(X)
    curve, spent = [], 0.0
    for _ in range(N_EPOCHS):
        started = time.perf_counter()
        model.fit(rows, epochs=1, batch_size=128, shuffle=True, verbose=False)
        spent += time.perf_counter() - started
        W = model.get_items_embeddings(as_numpy=True)
        fitted = ELSA(W / np.linalg.norm(W, axis=1, keepdims=True))
        curve.append((round(spent, 2), ndcg_of(fitted, X, held_out)))
    return curve


def curve_of(*, name: str, data: str) -> dict[str, Any]:
    """Return one side's curve."""
    return {"seconds_and_ndcg@100": {"ours": ours, "elsarec": peer}[name](data)}


def main() -> None:
    """Run both sides in processes of their own, and say when ours reached the peer's best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=sorted(FILES), default="yelp2018")
    data = parser.parse_args().data
    result: dict[str, Any] = {"benchmark": "elsa_time_to_quality", "data": data}
    if not os.environ.get("HOARFROST_REALDATA"):
        print(
            json.dumps(result | {"note": "HOARFROST_REALDATA names no folder: nothing was timed"})
        )
        return
    both = {name: in_child(curve_of, name=name, data=data) for name in ("ours", "elsarec")}
    seconds, best = max(both["elsarec"]["seconds_and_ndcg@100"], key=lambda point: point[1])
    reached = [t for t, value in both["ours"]["seconds_and_ndcg@100"] if value >= best]
    faster = round(seconds / reached[0], 1) if reached else None
    print(json.dumps(result | both | {"peers_best": best, "times_faster": faster}))


if __name__ == "__main__":
    main()
