"""Check the predicted ratings against the pairs that were asked, before anybody can read them."""

import numpy as np
import polars as pl

from data_contracts.manifests import SnapshotManifest
from models.rating.rating_model import RatingModel
from tasks.lake import Night
from tasks.registry.registry import fetch_model
from tasks.tables.rating_pairs import PAIR, read_pairs
from tasks.tables.rating_table import RATINGS

RATING_RULES = {
    "rating_off_scale": "every predicted rating is a finite number on the scale of the model",
    "rating_pairs": "every pair that was asked has one predicted rating, and no other has",
    "rating_stamp": "every predicted rating carries tonight's run date, version and snapshot",
}


def rating_violations(night: Night, snapshot: SnapshotManifest) -> dict[str, int]:
    """Return how often the table breaks every rule; nothing where there is no such table."""
    if not any(entry.path == RATINGS for entry in snapshot.files):
        return {}
    rows = pl.read_parquet(night.step("materialise") / RATINGS)
    return violations_of(
        rows, read_pairs(night), fetch_model(night.config, snapshot.model_version).saved.model,
        (night.run_date, snapshot.model_version, snapshot.snapshot_id),
    )  # fmt: skip


def violations_of(
    rows: pl.DataFrame, pairs: pl.DataFrame, model: object, stamp: tuple[object, ...]
) -> dict[str, int]:
    """Return how often some rows break every rule.

    Args:
        rows: of the table.
        pairs: that were asked.
        model: which predicted them.
        stamp: run date, version and snapshot that each row must carry.
    """
    rating = rows["rating"].to_numpy().astype(np.float64)
    on_scale = np.zeros(len(rating), bool)
    if isinstance(model, RatingModel):
        low, high, _ = model.scale
        slack = 1e-5 * max(abs(low), abs(high), 1.0)  # ratings are float32
        on_scale = (rating >= low - slack) & (rating <= high + slack)
    names = ("run_date", "model_version", "snapshot_id")
    stamped = pl.all_horizontal(
        pl.col(name) == pl.lit(value) for name, value in zip(names, stamp, strict=True)
    )
    both = rows.join(pairs, on=PAIR, how="semi").height
    return {
        "rating_off_scale": int((~on_scale).sum()),
        "rating_pairs": rows.height + pairs.height - 2 * both,
        "rating_stamp": rows.filter(~stamped).height,
    }
