"""Thirty nights of the sample shop in one command, with the report of the last; prints JSON.

python tests/benchmarks/backfill.py --nights 30
"""

import argparse
import json
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from measuring import in_child

from data_contracts.config import load_config
from flows.backfill import backfill
from flows.cli import QUIET
from tasks.sample.sample_lake import write_sample_lake
from tasks.sample.sample_log import plan_faults


def fill(*, lake: str, first: int, nights: int) -> dict[str, Any]:
    """Run the nights; return what they took and what the gate said."""
    os.environ |= QUIET
    config = load_config(Path(lake) / "hoarfrost.toml")
    start = write_sample_lake(Path(lake), **shop(nights)).first_day
    days = [start + timedelta(days=first + n) for n in range(nights)]
    done = list(backfill(config, days))
    from prefect.server.api.server import SubprocessASGIServer  # slow to import, so not above

    SubprocessASGIServer().stop()  # a process of a pool ends without doing so
    return {
        "seconds": round(sum(night.seconds for night in done), 1),
        "first_night_seconds": done[0].seconds,
        "later_night_seconds": round(median([night.seconds for night in done[1:]]), 2),
        "verdicts": {
            each: sum(n.verdict == each for n in done) for each in {n.verdict for n in done}
        },
        "last_night": str(done[-1].run_date),
    }


def shop(nights: int) -> dict[str, int]:
    """A shop whose log is long enough to begin after the day of the planted broken file."""
    return {"seed": 42, "n_days": max((nights + 4) * 10 // 7 + 1, 5)}


def main() -> None:
    """Make the shop, run its nights, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--keep", type=Path, help="folder for the lake, kept afterwards")
    arguments = parser.parse_args()
    lake = arguments.keep or Path(tempfile.mkdtemp(prefix="hoarfrost-benchmark-"))
    try:
        n_days = shop(arguments.nights)["n_days"]
        rows = write_sample_lake(lake, **shop(arguments.nights)).rows
        first = plan_faults(n_days, rows).truncated + 1
        figures = in_child(fill, lake=str(lake), first=first, nights=arguments.nights)
    finally:
        if arguments.keep is None:
            shutil.rmtree(lake)
    per_night = round(figures["seconds"] / arguments.nights, 2)
    sizes = {"nights": arguments.nights, "rows": rows, "seconds_per_night": per_night}
    print(json.dumps({"benchmark": "backfill"} | sizes | figures))


if __name__ == "__main__":
    main()
