"""Whole nights of a small sample shop, step after step, without an orchestrator."""

import contextlib
from datetime import timedelta
from pathlib import Path

import polars as pl

from data_contracts.config import NightlyConfig, load_config
from data_contracts.report import NightReport
from tasks.day_rules.log_drift import compare_log
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.judging.judging import judge_model
from tasks.lake import Night
from tasks.lists.checking import check_lists
from tasks.lists.drift import compare_lists
from tasks.planning.durations import recorded
from tasks.planning.plan import keep_plan
from tasks.registry.promotion import promote_model
from tasks.report.reporting import report_night
from tasks.sample.sample_lake import write_sample_lake
from tasks.snapshot.snapshot import publish_snapshot
from tasks.tables.materialising import materialise_tables
from tasks.training.training import train_model


def run_night(night: Night) -> NightReport:
    """Run one night, recorded, with its plan before and its report after."""
    keep_plan(night)
    log = recorded(ingest)(night)
    recorded(compare_log)(night, log)
    history = recorded(build_history)(night, log)
    matrices = recorded(build_matrices)(night, history)
    fitted = recorded(train_model)(night, matrices)
    judged = recorded(judge_model)(night, matrices, fitted)
    promoted = recorded(promote_model)(night, fitted, judged, matrices)
    snapshot = recorded(materialise_tables)(night, log, matrices, promoted)
    checked = recorded(check_lists)(night, history, matrices, snapshot)
    drift = recorded(compare_lists, "compare")(night, snapshot)
    published = recorded(publish_snapshot)(night, snapshot, checked)
    return report_night(night, log, matrices, judged, promoted, snapshot, published, drift)


def tiny_shop(lake: Path, *, rated: bool = False) -> list[Night]:
    """Make a shop with segments and two surfaces, one with short lists; return two nights of it.

    Args:
        lake: an empty folder.
        rated: whether every event has stars, 1 to 5 by user and item.
    """
    sample = write_sample_lake(lake, seed=5, n_users=300, n_items=100, n_days=8)
    settings = load_config(lake / "hoarfrost.toml").model_dump()
    category = pl.read_parquet(lake / "items" / "*.parquet")["category"].sort()[0]
    settings["surfaces"]["mail"] = {"n_top": 12, "categories": (category,)}
    settings["model"] |= {"n_factors": 8, "n_epochs": 4}
    if rated:
        settings["interactions"]["columns"]["value"] = "stars"
        _rate(lake)
    config = NightlyConfig.model_validate(settings)
    (lake / "segments").mkdir()
    users = {"user_id": [f"u-{k:05d}" for k in range(200)], "segment": ["new", "loyal"] * 100}
    pl.DataFrame(users).write_parquet(lake / "segments" / "segments.parquet")
    days = (sample.run_date, sample.run_date + timedelta(days=1))
    return [Night(config=config, run_date=day) for day in days]


def _rate(lake: Path) -> None:
    """Give every event stars, so that items tend to some."""
    item = pl.col("item_id").str.extract(r"(\d+)").cast(pl.Int64)
    user = pl.col("user_id").str.extract(r"(\d+)").cast(pl.Int64)
    stars = 1.0 + (item % 4 + (user + item) % 2).fill_null(0)
    for path in (lake / "interactions").rglob("*.parquet"):
        with contextlib.suppress(pl.exceptions.ComputeError):  # the sample has a broken file
            pl.read_parquet(path).with_columns(stars=stars.cast(pl.Float64)).write_parquet(path)
