"""Seconds per epoch of ELSA on CUDA and on the CPU, on generated interactions; prints JSON.

python tests/benchmarks/gpu.py --users 1000000 --items 100000 --per-user 50 --factors 256
"""

import argparse
import json
import time
from datetime import UTC, datetime

import numpy as np
import scipy.sparse as sp
import torch

from models.elsa import fit_elsa
from models.elsa_state import TrainingState


def generate(n_users: int, n_items: int, per_user: int) -> sp.csr_array:
    """Return 0/1 interactions with a head and a long tail, shape (n_users, n_items)."""
    rng = np.random.default_rng(0)
    items = (n_items * rng.random(n_users * per_user) ** 3).astype(np.int32)
    indptr = np.arange(0, n_users * per_user + 1, per_user)
    X = sp.csr_array((np.ones(len(items), np.float32), items, indptr), shape=(n_users, n_items))
    X.sum_duplicates()
    X.data[:] = 1.0
    return X


def seconds_per_epoch(X: sp.csr_array, device: str, arguments: argparse.Namespace) -> list[float]:
    """Return the time of each epoch after the first, which also warms up."""
    marks: list[float] = []

    def on_epoch(epoch: int, metrics: dict[str, float], state: TrainingState) -> None:
        marks.append(time.perf_counter())  # the state was copied to the host: the epoch is over

    fit_elsa(
        X,
        n_factors=arguments.factors,
        n_epochs=arguments.epochs + 1,
        batch_size=arguments.batch,
        learning_rate=0.1,
        seed=0,
        device=device,
        on_epoch=on_epoch,
    )
    return [round(seconds, 4) for seconds in np.diff(marks).tolist()]


def main() -> None:
    """Time both devices, or say that there is only one."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("users", 20_000), ("items", 10_000), ("per-user", 50),
        ("factors", 128), ("batch", 1024), ("epochs", 2),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    result = {
        "benchmark": "elsa_epoch",
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        X = generate(arguments.users, arguments.items, arguments.per_user)
        seconds = {device: seconds_per_epoch(X, device, arguments) for device in ("cuda", "cpu")}
        result |= vars(arguments) | {
            "interactions": int(X.nnz),
            "device": torch.cuda.get_device_name(),
            "cpu_threads": torch.get_num_threads(),
            "seconds_per_epoch": seconds,
            "times_faster": round(min(seconds["cpu"]) / min(seconds["cuda"]), 2),
        }
    else:
        result |= {"device": None, "note": "no CUDA device: nothing was timed"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
