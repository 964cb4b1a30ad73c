"""ELSA over a million items: seconds a step and peak memory; prints JSON.

python tests/benchmarks/elsa_million.py --items 1000000 --factors 128 --users 65536 --batch 8192
"""

import argparse
import json
import time
from typing import Any

import numpy as np
from elsa_epoch import generate
from measuring import in_child

from models.elsa.elsa import fit_elsa
from models.elsa.elsa_state import TrainingState


def timed(*, users: int, items: int, per_user: int, factors: int, batch: int) -> dict[str, Any]:
    """Return the seconds a step of the second epoch takes, and both losses."""
    marks: list[float] = []
    losses: list[float] = []

    def on_epoch(epoch: int, metrics: dict[str, float], state: TrainingState) -> None:
        marks.append(time.perf_counter())
        losses.append(metrics["nmse"])

    X = generate(users, items, per_user)
    fit_elsa(
        X, n_factors=factors, n_epochs=2, batch_size=batch, learning_rate=0.1, seed=0,
        on_epoch=on_epoch,
    )  # fmt: skip
    n_steps = -(-users // batch)
    seconds = float(np.diff(marks)[0])
    return {"seconds_per_step": round(seconds / n_steps, 3), "nmse": losses}


def main() -> None:
    """Train two epochs in a process of its own; say what the dense form's one buffer would take."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("users", 65_536), ("items", 1_000_000), ("per-user", 50), ("factors", 128),
        ("batch", 8192),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = vars(parser.parse_args())
    dense_mb = arguments["batch"] * arguments["items"] * 4 // 2**20
    result = in_child(timed, **arguments) | {"one_dense_buffer_mb": dense_mb}
    print(json.dumps({"benchmark": "elsa_million"} | arguments | result))


if __name__ == "__main__":
    main()
