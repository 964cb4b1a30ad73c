"""Files of fixed splits, written in the test that needs them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.model_file import ModelFile

Pair = tuple[object, object]
SMALL = {"n_factors": 8, "n_epochs": 4, "batch_size": 32, "learning_rate": 0.1, "alpha": 0.0}


def write_pairs(path: Path, pairs: Iterable[Pair]) -> Path:
    """Write a file with the columns user_id and item_id."""
    rows = list(pairs)
    frame = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    frame.write_parquet(path)
    return path


def tastes(seed: int, n_users: int = 150, n_items: int = 60) -> tuple[list[Pair], list[Pair]]:
    """Return train and test pairs of users who like one of three groups of items."""
    rng = np.random.default_rng(seed)
    train, test = [], []
    for user in range(n_users):
        odds = np.where(np.arange(n_items) % 3 == user % 3, 6.0, 1.0)
        liked = rng.choice(n_items, 12, replace=False, p=odds / odds.sum()).tolist()
        train += [(user, item) for item in liked[:9]]
        test += [(user, item) for item in liked[9:]]
    return train, test


def model_file(**sections: object) -> ModelFile:
    """Return a model that is fitted in a moment."""
    given = {"model": SMALL, "training": {"device": "cpu", "validation_share": 0.3}} | sections
    return ModelFile.model_validate(given)
