"""Top lists by rank_users against numpy's argpartition of all scores at once; prints JSON.

python tests/benchmarks/ranking.py --users 4096 --items 50000 --factors 128 --top 20
"""

import argparse
import json
import time
from typing import Any

import numpy as np
import scipy.sparse as sp
from measuring import in_child

from models.elsa import ELSA
from models.ranking import rank_users


def generate(users: int, items: int, factors: int) -> tuple[ELSA, sp.csr_array]:
    """Return random unit factors and histories of thirty items."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(items, factors)).astype(np.float32)
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    indptr = np.arange(0, users * 30 + 1, 30)
    values = np.ones(users * 30, np.float32)
    X = sp.csr_array((values, rng.integers(0, items, users * 30), indptr), shape=(users, items))
    X.sum_duplicates()
    return ELSA(A), X


def ours(model: ELSA, X: sp.csr_array, top: int) -> np.ndarray:
    """Return the lists by the code under test."""
    everything = np.ones(X.shape[1], dtype=bool)
    blocks = rank_users(model, X, seen=X, eligible=everything, k=top)
    return np.concatenate([items for _, items, _ in blocks])


def peer(model: ELSA, X: sp.csr_array, top: int) -> np.ndarray:
    """Return the lists as one writes them first: all scores, masked, partitioned, sorted."""
    scores = model.scores(X)
    scores[X.nonzero()] = -np.inf
    items = np.argpartition(-scores, top, axis=1)[:, :top]
    order = np.argsort(-np.take_along_axis(scores, items, axis=1), axis=1)
    return np.take_along_axis(items, order, axis=1).astype(np.int32)


def timed(*, name: str, users: int, items: int, factors: int, top: int) -> dict[str, Any]:
    """Return the best of three runs, and the lists."""
    model, X = generate(users, items, factors)
    rank, seconds = {"ours": ours, "peer": peer}[name], []
    for _ in range(3):
        start = time.perf_counter()
        lists = rank(model, X, top)
        seconds.append(time.perf_counter() - start)
    return {"seconds": round(min(seconds), 3), "lists": lists}


def main() -> None:
    """Time both on the same input, in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("users", 4096), ("items", 50_000), ("factors", 128), ("top", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = vars(parser.parse_args())
    results = {name: in_child(timed, name=name, **arguments) for name in ("ours", "peer")}
    same = results["ours"].pop("lists") == results["peer"].pop("lists")
    ratio = round(results["peer"]["seconds"] / results["ours"]["seconds"], 2)
    figures = {"share_of_same_places": round(float(same.mean()), 6), "times_faster": ratio}
    print(json.dumps({"benchmark": "ranking"} | arguments | results | figures))


if __name__ == "__main__":
    main()
