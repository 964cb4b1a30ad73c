"""One epoch of ELSA against its authors' package, at two batch sizes; prints JSON.

python tests/benchmarks/elsa_epoch.py --users 8192 --items 20000 --factors 256 --batches 128 1024
"""

import argparse
import json
import time
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from measuring import in_child

from models.elsa.elsa import fit_elsa
from models.elsa.elsa_state import TrainingState

LEARNING_RATE, N_EPOCHS = 0.1, 4


def generate(users: int, items: int, per_user: int) -> sp.csr_array:
    """Return 0/1 interactions with a head and a long tail, shape (users, items)."""
    rng = np.random.default_rng(0)
    chosen = (items * rng.random(users * per_user) ** 3).astype(np.int32)
    indptr = np.arange(0, users * per_user + 1, per_user)
    X = sp.csr_array((np.ones(len(chosen), np.float32), chosen, indptr), shape=(users, items))
    X.sum_duplicates()
    X.data[:] = 1.0
    return X


def ours(X: sp.csr_array, factors: int, batch: int) -> tuple[list[float], float]:
    """Return seconds of each epoch after the first, which warms up, and the last loss."""
    marks: list[float] = []
    losses: list[float] = []

    def on_epoch(epoch: int, metrics: dict[str, float], state: TrainingState) -> None:
        marks.append(time.perf_counter())
        losses.append(metrics["nmse"])

    fit_elsa(
        X, n_factors=factors, n_epochs=N_EPOCHS, batch_size=batch, learning_rate=LEARNING_RATE,
        seed=0, on_epoch=on_epoch,
    )  # fmt: skip
    return np.diff(marks).tolist(), losses[-1]


def peer(X: sp.csr_array, factors: int, batch: int) -> tuple[list[float], float]:
    """Return the same of PyPI's elsarec."""
    import torch
    from elsa import ELSA

    warnings.simplefilter("ignore", UserWarning)
    model = ELSA(X.shape[1], factors, device=torch.device("cpu"), lr=LEARNING_RATE)
    rows, seconds = sp.csr_matrix(X), []
    for _ in range(N_EPOCHS):
        started = time.perf_counter()
        history = model.fit(rows, epochs=1, batch_size=batch, shuffle=True, verbose=False)
        seconds.append(time.perf_counter() - started)
    return seconds[1:], float(history["nmse_train"][-1])


def timed(
    *, name: str, users: int, items: int, per_user: int, factors: int, batch: int
) -> dict[str, Any]:
    """Return the median epoch and the loss of the last one."""
    epochs = {"ours": ours, "elsarec": peer}[name]
    seconds, nmse = epochs(generate(users, items, per_user), factors, batch)
    return {"seconds": round(float(np.median(seconds)), 3), "nmse": nmse}


def main() -> None:
    """Time both on the same data, in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("users", 8192), ("items", 20_000), ("per-user", 50), ("factors", 256)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 1024])
    arguments = vars(parser.parse_args())
    batches = arguments.pop("batches")
    result: dict[str, Any] = {"benchmark": "elsa_epoch"} | arguments
    for batch in batches:
        both = {
            name: in_child(timed, name=name, batch=batch, **arguments)
            for name in ("ours", "elsarec")
        }
        faster = round(both["elsarec"]["seconds"] / both["ours"]["seconds"], 2)
        result[f"batch_{batch}"] = both | {"times_faster": faster}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
