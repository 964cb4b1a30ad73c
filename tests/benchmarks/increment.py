"""The first ingest of a month of log, and one day more on day 2 and on day 30; prints JSON.

python tests/benchmarks/increment.py --rows 100000000 --users 3000000 --items 300000
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
from measuring import in_child

from data_contracts.config import HistoryConfig, NightlyConfig, ValidationConfig
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.lake import Night

FIRST_DAY, N_DAYS = date(2026, 9, 1), 30
KINDS = ["view", "add_to_cart", "purchase", "scroll"]  # the last one is no event type of ours
FAULTS = 0.02


def write_log(folder: Path, *, rows: int, users: int, items: int) -> None:
    """Write N_DAYS files: string ids, Zipf items, times in order, one row in fifty at fault."""
    rng = np.random.default_rng(0)
    popularity = 1.0 / np.arange(1, items + 1) ** 0.8
    cumulative = np.cumsum(popularity / popularity.sum())
    user_ids = pl.Series([f"u{n:07d}" for n in range(users)])
    item_ids = pl.Series([f"i{n:06d}" for n in range(items)])
    per_day, kinds = rows // N_DAYS, pl.Series(KINDS)
    chances = [0.85 * (1 - FAULTS), 0.1 * (1 - FAULTS), 0.05 * (1 - FAULTS), FAULTS]
    for place in range(N_DAYS):
        day = FIRST_DAY + timedelta(days=place)
        start = np.datetime64(datetime.combine(day, datetime.min.time()), "us")
        second = np.sort(rng.integers(0, 86_400_000_000, per_day))
        pl.DataFrame(
            {
                "user_id": user_ids.gather(rng.integers(0, users, per_day)),
                "item_id": item_ids.gather(np.searchsorted(cumulative, rng.random(per_day))),
                "event_type": kinds.gather(rng.choice(4, per_day, p=chances)),
                "timestamp": start + second.astype("timedelta64[us]"),
            }
        ).write_parquet(folder / f"{day}.parquet")


def open_days(log: Path, lake: Path, days: range) -> None:
    """Let a lake have the files of some days."""
    for place in days:
        day = FIRST_DAY + timedelta(days=place)
        target = lake / "interactions" / f"date={day}" / "part-0.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(log / f"{day}.parquet")


def to_matrices(*, lake: str, place: int, shards: int | None) -> dict[str, Any]:
    """Run ingest, history and matrices of one night; return seconds and sizes."""
    config = NightlyConfig(
        lake=lake,
        history=HistoryConfig(n_user_shards=shards),
        validation=ValidationConfig(max_bad_share=0.5),
    )
    night = Night(config=config, run_date=FIRST_DAY + timedelta(days=place))
    moments = [time.perf_counter()]
    ingested = ingest(night)
    moments.append(time.perf_counter())
    history = build_history(night, ingested)
    moments.append(time.perf_counter())
    matrices = build_matrices(night, history)
    moments.append(time.perf_counter())
    steps = np.diff(moments).round(2).tolist()
    return {
        "seconds": round(moments[-1] - moments[0], 2),
        "steps": dict(zip(("ingest", "history", "matrices"), steps, strict=True)),
        "rows": ingested.rows,
        "nnz": matrices.n_interactions,
        "shards": ingested.n_user_shards,
    }


def measure(work: Path, *, shards: int | None) -> dict[str, Any]:
    """Return the figures of the first ingest and of the two increments."""
    young, old = work / "young", work / "old"
    night: dict[str, Any] = {"shards": shards}
    open_days(work, young, range(1))
    in_child(to_matrices, lake=str(young), place=0, **night)
    open_days(work, young, range(1, 2))
    day_2 = in_child(to_matrices, lake=str(young), place=1, **night)
    open_days(work, old, range(N_DAYS - 1))
    first = in_child(to_matrices, lake=str(old), place=N_DAYS - 2, **night)
    open_days(work, old, range(N_DAYS - 1, N_DAYS))
    day_30 = in_child(to_matrices, lake=str(old), place=N_DAYS - 1, **night)
    return {"first": first, "day_2": day_2, "day_30": day_30}


def main() -> None:
    """Generate, run, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--shards", type=int, help="by default as the first night chooses")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="hoarfrost-benchmark-"))
    try:
        write_log(work, rows=arguments.rows, users=arguments.users, items=arguments.items)
        figures = measure(work, shards=arguments.shards)
    finally:
        shutil.rmtree(work)
    ratio = round(figures["day_30"]["seconds"] / figures["day_2"]["seconds"], 2)
    print(json.dumps({"benchmark": "increment", **vars(arguments), **figures, "growth": ratio}))


if __name__ == "__main__":
    main()
