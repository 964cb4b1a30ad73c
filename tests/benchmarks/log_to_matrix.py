"""From the log to CSR shards, against the same steps written at once in Polars; prints JSON.

python tests/benchmarks/log_to_matrix.py --rows 20000000 --users 1000000 --items 100000
"""

import argparse
import json
import shutil
import tempfile
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from measuring import in_child

from data_contracts.config import HistoryConfig, NightlyConfig
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.lake import Night

LAST_DAY, N_DAYS = date(2026, 9, 30), 30
EVENTS = {"view": 1.0, "add_to_cart": 2.0, "purchase": 4.0}


def write_log(lake: Path, *, rows: int, users: int, items: int) -> None:
    """Write a log of N_DAYS days: string ids, Zipf items, times in order."""
    rng = np.random.default_rng(0)
    popularity = 1.0 / np.arange(1, items + 1) ** 0.8
    cumulative = np.cumsum(popularity / popularity.sum())
    user_ids = pl.Series([f"u{n:07d}" for n in range(users)])
    item_ids = pl.Series([f"i{n:06d}" for n in range(items)])
    kinds = pl.Series(list(EVENTS))
    per_day = rows // N_DAYS
    for ago in range(N_DAYS):
        day = LAST_DAY - timedelta(days=ago)
        folder = lake / "interactions" / f"date={day}"
        folder.mkdir(parents=True)
        second = np.sort(rng.integers(0, 86_400_000_000, per_day))
        start = np.datetime64(datetime.combine(day, datetime.min.time()), "us")
        pl.DataFrame(
            {
                "user_id": user_ids.gather(rng.integers(0, users, per_day)),
                "item_id": item_ids.gather(np.searchsorted(cumulative, rng.random(per_day))),
                "event_type": kinds.gather(rng.choice(3, per_day, p=[0.85, 0.1, 0.05])),
                "timestamp": start + second.astype("timedelta64[us]"),
            }
        ).write_parquet(folder / "part-0.parquet")


def ours(*, lake: str, shards: int) -> dict[str, Any]:
    """Run ingest, history and matrices; return seconds and sizes."""
    config = NightlyConfig(lake=lake, history=HistoryConfig(n_user_shards=shards))
    night, seconds = Night(config=config, run_date=LAST_DAY), {}
    start = time.perf_counter()
    ingested = ingest(night)
    seconds["ingest"] = time.perf_counter() - start
    history = build_history(night, ingested)
    seconds["history"] = time.perf_counter() - start - seconds["ingest"]
    matrices = build_matrices(night, history)
    total = time.perf_counter() - start
    seconds["matrices"] = total - seconds["ingest"] - seconds["history"]
    return {
        "seconds": round(total, 2),
        "steps": {step: round(each, 2) for step, each in seconds.items()},
        "nnz": matrices.n_interactions,
    }


def peer(*, lake: str) -> dict[str, Any]:
    """Do the same in memory, without quarantine, shards, contracts or files."""
    start = time.perf_counter()
    end = pl.lit(datetime.combine(LAST_DAY + timedelta(days=1), datetime.min.time()))
    age = (end - pl.col("timestamp")).dt.total_microseconds() / 86_400_000_000
    weight = pl.col("event_type").replace_strict(EVENTS, return_dtype=pl.Float64)
    history = (
        pl.scan_parquet(f"{lake}/interactions/**/*.parquet")
        .filter(pl.col("user_id") != "", pl.col("item_id") != "", pl.col("timestamp") < end)
        .unique(["user_id", "item_id", "event_type", "timestamp"])
        .group_by("user_id", "item_id")
        .agg((weight * pl.lit(0.5).pow(age / 60.0)).sum().alias("weight"))
        .collect()
    )
    users, items = (history[name].unique().sort() for name in ("user_id", "item_id"))
    user, item = (
        history[name].replace_strict(ids, pl.int_range(len(ids), eager=True), return_dtype=pl.Int32)
        for name, ids in (("user_id", users), ("item_id", items))
    )
    X = sp.csr_array((history["weight"].to_numpy(), (user.to_numpy(), item.to_numpy())))
    return {"seconds": round(time.perf_counter() - start, 2), "nnz": X.nnz}


def main() -> None:
    """Generate, run both, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=8)
    arguments = parser.parse_args()
    lake = tempfile.mkdtemp(prefix="hoarfrost-benchmark-")
    try:
        write_log(Path(lake), rows=arguments.rows, users=arguments.users, items=arguments.items)
        mine = in_child(ours, lake=lake, shards=arguments.shards)
        theirs = in_child(peer, lake=lake)
    finally:
        shutil.rmtree(lake)
    figures = {
        "benchmark": "log_to_matrix",
        **vars(arguments),
        "rows_per_second": round(arguments.rows / mine["seconds"]),
        "ours": mine,
        "peer": theirs,
        "seconds_ratio": round(mine["seconds"] / theirs["seconds"], 2),
        "memory_ratio": round(mine["peak_mb"] / theirs["peak_mb"], 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
