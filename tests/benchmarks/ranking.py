"""Top lists for all users, with and without reasons, against implicit; prints JSON.

python tests/benchmarks/ranking.py --users 20000 --items 100000 --factors 128 --top 100
python tests/benchmarks/ranking.py --users 1000000

Both sides rank the same factors with seen items masked, one after the other, each in a process of
its own; ours also makes the users' factors from their histories. Processor seconds are those of
all threads: beside other work they tell more than seconds. Peak memory holds the inputs, whose
size is stated; the same again with four times the users tells whether more than they grow.
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from measuring import in_child
from threadpoolctl import threadpool_limits

from models.elsa.elsa import ELSA
from models.ranking.explanation import explain
from models.ranking.ranking import rank_users

PER_USER = 30
SAMPLE = 50  # users whose lists are compared with sorted float64 scores
RATED = 8192  # users by whom the rate of products is measured
PANEL, TILE = 512, 2048  # of the engine


def generate(users: int, items: int, factors: int) -> tuple[ELSA, sp.csr_array]:
    """Return random unit factors and histories of thirty items at most."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((items, factors), dtype=np.float32)
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    indices = np.sort(rng.integers(0, items, (users, PER_USER), dtype=np.int32), axis=1).ravel()
    indptr = np.arange(0, users * PER_USER + 1, PER_USER)
    X = sp.csr_array((np.ones(len(indices), np.float32), indices, indptr), shape=(users, items))
    X.sum_duplicates()
    return ELSA(A), X


def clocked() -> tuple[float, float]:
    """Return seconds and processor seconds."""
    return time.perf_counter(), time.process_time()


def spent(before: tuple[float, float]) -> dict[str, float]:
    """Return what went by since."""
    seconds, processor = (after - start for after, start in zip(clocked(), before, strict=True))
    return {"seconds": round(seconds, 2), "processor_seconds": round(processor, 2)}


def ours(*, users: int, items: int, factors: int, top: int, reasons: bool) -> dict[str, Any]:
    """Return the time of all lists, and for a sample whether they are right."""
    model, X = generate(users, items, factors)
    everything = np.ones(items, dtype=bool)
    for block, listed, _ in rank_users(model, X[:64], seen=X[:64], eligible=everything, k=top):
        explain(model.A, model.temper(X[block]), listed)  # compiles
    sample = np.empty((0, top), np.int32), np.empty((0, top), np.float32)
    before = clocked()
    for block, listed, scores in rank_users(model, X, seen=X, eligible=everything, k=top):
        if reasons:
            explain(model.A, model.temper(X[block]), listed)
        if block.start == 0:
            sample = listed[:SAMPLE], scores[:SAMPLE]
    inputs = sum(each.nbytes for each in (X.data, X.indices, X.indptr, model.A))
    result: dict[str, Any] = spent(before) | {"inputs_mb": round(inputs / 2**20)}
    if not reasons:
        result |= {"lists_equal": lists_equal(model, X, sample)} | product_rate(model, X)
    return result


def lists_equal(model: ELSA, X: sp.csr_array, sample: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the share of users whose list is that of sorted float64 scores, up to ties."""
    items, scores = sample
    n_users, top = items.shape
    exact = model.encode(X[:n_users]).astype(np.float64) @ model.A.T.astype(np.float64)
    exact[X[:n_users].nonzero()] = -np.inf
    best = -np.sort(-exact, axis=1)[:, :top].astype(np.float32)
    listed = np.take_along_axis(exact, items, axis=1).astype(np.float32)
    distinct = np.array([len(set(row)) == top for row in items.tolist()])
    return float(((listed == best) & (scores == best)).all(axis=1)[distinct].sum() / n_users)


def product_rate(model: ELSA, X: sp.csr_array) -> dict[str, Any]:
    """Return how fast the same products are alone, in tiles of the same shape."""
    H = model.encode(X[:RATED])

    def multiply(start: int) -> None:
        rows = H[start : start + PANEL]
        for first in range(0, len(model.A), TILE):
            tile = model.A[first : first + TILE].T
            np.matmul(rows, tile, out=room[start][: len(rows), : tile.shape[1]])

    room = {start: np.empty((PANEL, TILE), np.float32) for start in range(0, len(H), PANEL)}
    n_threads = torch.get_num_threads()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(n_threads) as pool:
        before = clocked()
        list(pool.map(multiply, room))
        time_of = spent(before)
    operations = 2.0 * len(H) * model.A.size
    return {
        "product_gflops": round(operations / time_of["seconds"] / 1e9, 1),
        "product_gflops_per_processor_second": round(
            operations / time_of["processor_seconds"] / 1e9, 1
        ),
    }


def peer(*, users: int, items: int, factors: int, top: int) -> dict[str, Any]:
    """Return the time of implicit, its BLAS held to one thread a call as it asks for."""
    from implicit.als import AlternatingLeastSquares

    model, X = generate(users, items, factors)
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=factors, num_threads=torch.get_num_threads())
        als.user_factors, als.item_factors = model.encode(X), model.A
        before = clocked()
        als.recommend(np.arange(users), sp.csr_matrix(X), N=top, filter_already_liked_items=True)
        return spent(before)


def figures(results: dict[str, dict[str, Any]], arguments: dict[str, int]) -> dict[str, Any]:
    """Return what the times say."""
    plain, told, theirs = (results[name] for name in ("lists", "with_reasons", "implicit"))
    operations = 2e-9 * arguments["users"] * arguments["items"] * arguments["factors"]
    alone = operations / plain["product_gflops"]
    processor = operations / plain["product_gflops_per_processor_second"]
    extra = told["processor_seconds"] / plain["processor_seconds"] - 1.0
    return {
        "users_per_second": round(arguments["users"] / plain["seconds"]),
        "share_of_product_rate": round(alone / plain["seconds"], 2),
        "share_of_processor_time_in_products": round(processor / plain["processor_seconds"], 2),
        "reasons_over_scoring": round(extra, 2),
        "times_faster": round(theirs["seconds"] / plain["seconds"], 2),
        "times_faster_with_reasons": round(theirs["seconds"] / told["seconds"], 2),
        "times_less_processor_time": round(
            theirs["processor_seconds"] / plain["processor_seconds"], 2
        ),
    }


def main() -> None:
    """Rank by both, and once more with four times the users."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("users", 20_000), ("items", 100_000), ("factors", 128), ("top", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--no-growth", action="store_true", help="leave out four times the users")
    arguments = vars(parser.parse_args())
    growth = not arguments.pop("no_growth")
    results = {
        "lists": in_child(ours, reasons=False, **arguments),
        "with_reasons": in_child(ours, reasons=True, **arguments),
        "implicit": in_child(peer, **arguments),
    }
    if growth:
        more = arguments | {"users": 4 * arguments["users"]}
        results["four_times_the_users"] = in_child(ours, reasons=True, **more)
    print(json.dumps({"benchmark": "ranking"} | arguments | results | figures(results, arguments)))


if __name__ == "__main__":
    main()
