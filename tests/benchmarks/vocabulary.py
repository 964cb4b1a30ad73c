"""A vocabulary of millions of string ids that grows by a few; prints JSON.

python tests/benchmarks/vocabulary.py --items 10000000 --new 10000
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
from measuring import in_child

from tasks.vocabulary.id_digest import id_digest
from tasks.vocabulary.vocabulary import extend_vocabulary, read_vocabulary, vocabulary_path


def make(*, lake: str, items: int) -> dict[str, Any]:
    """Write a vocabulary in one go."""
    ids = item_ids(0, items)
    started = time.perf_counter()
    extend_vocabulary(Path(lake), ids)
    return {"seconds": round(time.perf_counter() - started, 2)}


def grow(*, lake: str, items: int, new: int, met: int) -> dict[str, Any]:
    """Meet old items and new ones; return what the night's append took."""
    ids = pl.concat([item_ids(0, items).gather_every(items // met), item_ids(items, new)])
    started = time.perf_counter()
    vocabulary = extend_vocabulary(Path(lake), ids)
    assert vocabulary.height == items + new
    return {"seconds": round(time.perf_counter() - started, 2)}


def check(*, lake: str) -> dict[str, Any]:
    """Read it, its seal checked; and the digest alone, of ids that are in memory."""
    started = time.perf_counter()
    ids = read_vocabulary(Path(lake))["item_id"]
    read = time.perf_counter()
    id_digest(ids)
    digested = time.perf_counter()
    return {"seconds": round(read - started, 2), "digest_seconds": round(digested - read, 2)}


def item_ids(first: int, n: int) -> pl.Series:
    """Return ids of 13 letters."""
    return pl.select(
        pl.format("item-{}", pl.int_range(first, first + n).cast(pl.String).str.zfill(8))
    ).to_series()


def main() -> None:
    """Write, grow, read, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--met", type=int, default=300_000, help="old items met besides")
    arguments = parser.parse_args()
    lake = tempfile.mkdtemp(prefix="hoarfrost-benchmark-")
    try:
        figures = {
            "first": in_child(make, lake=lake, items=arguments.items),
            "growth": in_child(grow, lake=lake, **vars(arguments)),
            "reading": in_child(check, lake=lake),
            "file_mb": round(vocabulary_path(Path(lake)).stat().st_size / 1e6),
        }
    finally:
        shutil.rmtree(lake)
    print(json.dumps({"benchmark": "vocabulary", **vars(arguments), **figures}))


if __name__ == "__main__":
    main()
