"""One epoch of the exact ELSA against dense autograd, as its authors train it; prints JSON.

python tests/benchmarks/elsa_epoch.py --users 20000 --items 5000 --factors 128 --batch 1024
"""

import argparse
import json
import time
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from measuring import in_child
from torch.nn import functional

from models.elsa import fit_elsa
from models.elsa_state import TrainingState

LEARNING_RATE, N_EPOCHS = 0.1, 6


def generate(users: int, items: int, per_user: int) -> sp.csr_array:
    """Return 0/1 interactions with a head and a long tail."""
    rng = np.random.default_rng(0)
    chosen = (items * rng.random(users * per_user) ** 3).astype(np.int32)
    indptr = np.arange(0, users * per_user + 1, per_user)
    X = sp.csr_array((np.ones(len(chosen), np.float32), chosen, indptr), shape=(users, items))
    X.sum_duplicates()
    X.data[:] = 1.0
    return X


def ours(X: sp.csr_array, factors: int, batch: int) -> list[tuple[float, float]]:
    """Return when each epoch ended, and its loss."""
    marks: list[tuple[float, float]] = []

    def on_epoch(epoch: int, metrics: dict[str, float], state: TrainingState) -> None:
        marks.append((time.perf_counter(), metrics["nmse"]))

    fit_elsa(
        X, n_factors=factors, n_epochs=N_EPOCHS, batch_size=batch, learning_rate=LEARNING_RATE,
        seed=0, device="cpu", on_epoch=on_epoch,
    )  # fmt: skip
    return marks


def peer(X: sp.csr_array, factors: int, batch: int) -> list[tuple[float, float]]:
    """Return the same of the dense graph: every batch densified, every score formed."""
    bound = np.sqrt(6.0 / (X.shape[1] + factors))
    start = np.random.default_rng(0).uniform(-bound, bound, (X.shape[1], factors))
    W = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.NAdam([W], lr=LEARNING_RATE)
    marks = []
    for epoch in range(1, N_EPOCHS + 1):
        order, losses = np.random.default_rng([0, epoch]).permutation(X.shape[0]), []
        for first in range(0, len(order), batch):
            x = torch.from_numpy(X[order[first : first + batch]].toarray())
            A = functional.normalize(W, dim=1)
            y = x @ A @ A.T - x
            loss = functional.mse_loss(functional.normalize(y), functional.normalize(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        marks.append((time.perf_counter(), float(np.mean(losses))))
    return marks


def timed(
    *, name: str, users: int, items: int, per_user: int, factors: int, batch: int
) -> dict[str, Any]:
    """Return the best of the epochs after the first, which warms up, and the last loss."""
    marks = {"ours": ours, "peer": peer}[name](generate(users, items, per_user), factors, batch)
    ends, losses = zip(*marks, strict=True)
    return {"seconds": round(float(np.diff(ends).min()), 3), "nmse": losses[-1]}


def main() -> None:
    """Time both on the same data, in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("users", 20_000), ("items", 5000), ("per-user", 50), ("factors", 128), ("batch", 1024),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = vars(parser.parse_args())
    results = {name: in_child(timed, name=name, **arguments) for name in ("ours", "peer")}
    ratio = round(results["peer"]["seconds"] / results["ours"]["seconds"], 2)
    print(json.dumps({"benchmark": "elsa_epoch"} | arguments | results | {"times_faster": ratio}))


if __name__ == "__main__":
    main()
