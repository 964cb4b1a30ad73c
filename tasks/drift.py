"""How far tonight's lists moved from the snapshot before."""

from pathlib import Path

import polars as pl

from data_contracts.manifests import SnapshotManifest
from data_contracts.report import Drift
from tasks.snapshot import snapshots


def list_drift(lake: Path, snapshot: SnapshotManifest) -> Drift | None:
    """Compare the lists of users in both snapshots; None where there is no earlier one."""
    earlier = [each for each in snapshots(lake) if each.run_date < snapshot.run_date]
    if not earlier:
        return None
    previous = earlier[-1].snapshot_id
    now, before = (_lists(lake, name) for name in (snapshot.snapshot_id, previous))
    both = now.join(before, on="user_id", suffix="_before").select(
        kept=pl.col("items").list.set_intersection("items_before").list.len()
        / pl.col("items").list.len(),
        same=pl.col("items") == pl.col("items_before"),
    )
    figures = both.select(pl.len().alias("n"), pl.col("kept").mean(), pl.col("same").mean())
    n, kept, same = figures.collect(engine="streaming").row(0)
    return Drift(
        previous_snapshot=previous, shared_users=n,
        overlap=round(kept or 0.0, 6), unchanged_users=round(same or 0.0, 6),
    )  # fmt: skip


def _lists(lake: Path, snapshot_id: str) -> pl.LazyFrame:
    lists = pl.scan_parquet(lake / "snapshots" / snapshot_id / "top_n" / "*.parquet")
    return lists.group_by("user_id").agg(items=pl.col("item_id").sort_by("rank"))
