"""Ratings that follow from ids: what users and items tend to, and noise."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

Rating = tuple[int, int, float, int]  # user_id, item_id, rating, timestamp


def rated(seed: int, n_users: int = 120, n_items: int = 50) -> tuple[list[Rating], list[Rating]]:
    """Return train and test ratings from 1 to 5 in halves; some items are easier to like."""
    rng = np.random.default_rng(seed)
    user, item = rng.normal(0.0, 0.5, n_users), rng.normal(0.0, 0.8, n_items)
    train, test = [], []
    for row in range(n_users):
        items = rng.choice(n_items, 15, replace=False)
        raw = 3.3 + user[row] + item[items] + rng.normal(0.0, 0.5, 15)
        stars = np.clip(np.round(2 * raw) / 2, 1.0, 5.0)
        told = [
            (row, int(i), float(s), 100 * row + k)
            for k, (i, s) in enumerate(zip(items, stars, strict=True))
        ]
        train += told[:12]
        test += told[12:]
    return train, test


def write_ratings(path: Path, rows: Iterable[Rating]) -> Path:
    """Write a file of a fixed split with ratings and moments."""
    names = ["user_id", "item_id", "rating", "timestamp"]
    pl.DataFrame(list(rows), schema=names, orient="row").write_parquet(path)
    return path
