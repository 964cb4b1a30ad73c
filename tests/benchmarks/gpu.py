"""ELSA on a CUDA device: steps at full scale, lists to disk, its authors' package; prints JSON.

python tests/benchmarks/gpu.py --users 10000000 --items 1000000 --per-user 100 --factors 256
python tests/benchmarks/gpu.py --device cpu --users 2000 --items 1000 --per-user 10 --factors 16
python tests/benchmarks/gpu.py --only lists

The large matrix is generated on the device. The comparison takes Yelp where HOARFROST_REALDATA
names the folder of public data, else a matrix made on the spot.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
import torch
from elsa_epoch import generate
from elsa_time_to_quality import read

from models.elsa.elsa import ELSA, fit_elsa
from models.elsa.elsa_start import xavier_start
from models.elsa.elsa_state import fresh_state
from models.elsa.elsa_torch import DeviceRows, TorchEngine, exact_form
from models.elsa.nadam import Schedule
from models.ranking.ranking import rank_users

WARM_UP = 5  # steps
PRODUCTS = ("float32", "tf32", "bfloat16")
LISTS = pa.schema([("user", pa.int64()), ("item", pa.int32()), ("score", pa.float32())])


def rows_on_device(users: int, items: int, per_user: int, device: str) -> DeviceRows:
    """Return 0/1 rows of equal length, no item twice in one: each item is drawn from a stratum."""
    columns = torch.empty(users * per_user, dtype=torch.int32, device=device)
    generator = torch.Generator(device).manual_seed(0)
    edges = ((torch.arange(per_user + 1, device=device) / per_user) ** 2 * items).long()
    width = (edges.diff()).clamp_min_(1)
    for start in range(0, users, 1_000_000):
        n = min(1_000_000, users - start)
        drawn = torch.rand(n, per_user, device=device, generator=generator) * width
        block = (edges[:-1] + drawn.long()).clamp_(max=items - 1).to(torch.int32)
        columns[start * per_user : (start + n) * per_user] = block.flatten()
    values = torch.ones(users * per_user, device=device)
    weight = torch.ones(users, device=device)
    indptr = np.arange(0, users * per_user + 1, per_user)
    return DeviceRows(indptr, columns, values, weight, items)


def full_scale(arguments: argparse.Namespace, device: str, product: str) -> dict[str, Any]:
    """Return the seconds of one epoch, estimated from some steps if it has many."""
    rows = rows_on_device(arguments.users, arguments.items, arguments.per_user, device)
    state = fresh_state(*xavier_start(arguments.items, arguments.factors, 0))
    dtype = {"float32": None, "tf32": None, "bfloat16": torch.bfloat16}[product]
    torch.set_float32_matmul_precision("high" if product == "tf32" else "highest")
    form = exact_form(scale=2.0 / arguments.items, product=dtype)
    engine = TorchEngine(rows, state.parameter, form_of_epoch=lambda _: form)
    order = np.random.default_rng(0).permutation(arguments.users)
    n_steps = -(-arguments.users // arguments.batch)
    n_timed = min(n_steps, arguments.steps)

    def run(n: int) -> float:
        started = time.perf_counter()
        losses, _ = engine.run_epoch(
            order[: n * arguments.batch],
            batch_size=arguments.batch,
            learning_rate=0.1,
            schedule=Schedule(),
        )
        assert np.isfinite(losses).all()  # read from the device: the steps are over
        return time.perf_counter() - started

    run(min(WARM_UP, n_steps))
    seconds = run(n_timed)
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    return {
        "seconds_per_step": round(seconds / n_timed, 5),
        "seconds_per_epoch": round(seconds / n_timed * n_steps, 2),
        "steps_timed": n_timed,
        "peak_device_gib": peak and round(peak, 1),
    }


def lists_to_disk(arguments: argparse.Namespace, device: str, product: str) -> dict[str, Any]:
    """Return how many rows a second are ranked, seen items masked, and written as Parquet."""
    n_users, n_items = min(arguments.ranked, arguments.users), arguments.items
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n_items, arguments.factors), dtype=np.float32)
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    drawn = rng.integers(0, n_items, (n_users, arguments.per_user), dtype=np.int32)
    indices = np.sort(drawn, axis=1).ravel()
    indptr = np.arange(0, len(indices) + 1, arguments.per_user)
    X = sp.csr_array((np.ones(len(indices), np.float32), indices, indptr), (n_users, n_items))
    X.sum_duplicates()
    torch.set_float32_matmul_precision("high" if product == "tf32" else "highest")
    products = "bfloat16" if product == "bfloat16" else "float32"
    everything = np.ones(n_items, dtype=bool)

    def write(n: int) -> tuple[float, float]:
        started = time.perf_counter()
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            with pq.ParquetWriter(file.name, LISTS, compression="zstd") as writer:
                for rows, items, scores in rank_users(
                    ELSA(A), X[:n], seen=X[:n], eligible=everything, k=arguments.top,
                    device=device, products=products,
                ):  # fmt: skip
                    users = np.repeat(np.arange(rows.start, rows.stop), arguments.top)
                    columns = [users, items.ravel(), scores.ravel()]
                    writer.write_table(pa.table(columns, schema=LISTS))
            return time.perf_counter() - started, os.path.getsize(file.name) / 2**20  # noqa: PTH202

    write(min(64, n_users))  # compiles
    seconds, megabytes = write(n_users)
    return {
        "users_ranked": n_users,
        "users_per_second": round(n_users / seconds),
        "rows_per_second": round(n_users * arguments.top / seconds),
        "megabytes": round(megabytes, 1),
    }


def against_peer(device: str, factors: int, batch: int) -> dict[str, Any]:
    """Return seconds of an epoch on both sides, on the same device and data."""
    import elsa

    warnings.simplefilter("ignore", UserWarning)
    real = bool(os.environ.get("HOARFROST_REALDATA"))
    X = read("yelp2018")[0] if real else generate(8192, 20_000, 50)
    marks = [time.perf_counter()]
    fit_elsa(
        X, n_factors=factors, n_epochs=3, batch_size=batch, learning_rate=0.1, seed=0,
        device=device, on_epoch=lambda *_: marks.append(time.perf_counter()),
    )  # fmt: skip
    model, rows = elsa.ELSA(X.shape[1], factors, device=torch.device(device)), sp.csr_matrix(X)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        model.fit(rows, epochs=1, batch_size=batch, shuffle=True, verbose=False)
        seconds.append(time.perf_counter() - started)
    ours, theirs = min(np.diff(marks)[1:]), min(seconds)
    return {
        "data": "yelp2018" if real else "generated",
        "ours": round(float(ours), 3),
        "elsarec": round(theirs, 3),
        "times_faster": round(float(theirs / ours), 1),
    }


def main() -> None:
    """Measure all, or say that there is no device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("users", 10_000_000), ("items", 1_000_000), ("per-user", 100), ("factors", 256),
        ("batch", 16_384), ("steps", 100), ("peer-batch", 1024), ("ranked", 262_144), ("top", 100),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--only", choices=["steps", "lists", "peer"])
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "benchmark": "elsa_gpu",
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
    } | vars(arguments)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print(json.dumps(result | {"device": None, "note": "no CUDA device: nothing was timed"}))
        return
    if arguments.device == "cuda":
        result["device"] = torch.cuda.get_device_name()
    for product in PRODUCTS if arguments.only in (None, "steps") else ():
        result[product] = full_scale(arguments, arguments.device, product)
    for product in PRODUCTS if arguments.only in (None, "lists") else ():
        result[f"lists_{product}"] = lists_to_disk(arguments, arguments.device, product)
    for batch in (128, arguments.peer_batch) if arguments.only in (None, "peer") else ():
        result[f"batch_{batch}"] = against_peer(arguments.device, arguments.factors, batch)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
