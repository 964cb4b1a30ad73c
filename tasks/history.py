"""Update the history: one row per user and item, as of the run date."""

import functools
import logging
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from data_contracts.history import history_schema
from data_contracts.interactions import day_start
from data_contracts.manifests import HistoryManifest, IngestManifest
from tasks.lake import Night, night_folder, shard_name
from tasks.log_files import earlier_ingests
from tasks.past_events import Tally, past_events
from tasks.progress import track
from tasks.steps import entries, read_manifest, run_step
from tasks.table_file import check_table

logger = logging.getLogger(__name__)
_FIXED_POINT = 2**40  # of max_weight: summed as integers, so the order does not matter
_DAY_US = 86_400_000_000


def build_history(night: Night, ingest: IngestManifest) -> HistoryManifest:
    """Return the manifest of the history shards of all nights up to this one."""
    inputs = ingests_in_window(night, ingest)
    settings = {
        "history": night.config.history.model_dump(),
        "events": night.config.events,
        "cut": str(night.cut),
        "time_zone": night.config.interactions.time_zone,
        "max_events_per_user_day": night.config.validation.max_events_per_user_day,
    }
    work = functools.partial(_build, night, inputs)
    return run_step(night, "history", HistoryManifest, settings=settings, inputs=inputs, work=work)


def ingests_in_window(night: Night, ingest: IngestManifest) -> list[IngestManifest]:
    """Return the manifests of the nights whose events are not forgotten yet, oldest first."""
    first = night.run_date - timedelta(days=night.config.history.window_days - 1)
    return [each for each in earlier_ingests(night) if each.run_date >= first] + [ingest]


def _build(
    night: Night, inputs: Sequence[IngestManifest], staging: Path, key: str
) -> HistoryManifest:
    newest, tally = inputs[-1], Tally(inputs)
    schema = history_schema(newest.user_id_type, newest.item_id_type)
    rows, users, interactions = {}, 0, 0
    for shard in track(range(newest.n_user_shards), "updating histories"):
        name = f"{shard_name(shard)}.parquet"
        history = weigh(night, past_events(night, inputs, name, tally))
        check_table(schema, history)
        history.write_parquet(staging / name, compression="lz4")
        rows[name] = history.height
        users += history["user_id"].n_unique()
        interactions += int((history["weight"] > 0).sum())
    logger.info("history: %d users, %d interactions", users, interactions)
    return HistoryManifest(
        step="history", run_date=night.run_date, key=key, files=entries(staging, rows),
        users=users, interactions=interactions, duplicates=tally.told_again,
        log_files=tally.accounts(),
        user_id_type=newest.user_id_type, item_id_type=newest.item_id_type,
    )  # fmt: skip


def read_events(night: Night, run_dates: Sequence[date], name: str) -> tuple[pl.DataFrame, int]:
    """Return a user shard's events inside the window, each once, and the number of repeats."""
    found = (
        read_manifest(night_folder(night.lake, run_date) / "ingest", IngestManifest)
        for run_date in run_dates
    )
    past = [manifest for manifest in found if manifest is not None]
    tally = Tally(past)
    return past_events(night, past, name, tally), tally.told_again


def weigh(night: Night, events: pl.DataFrame) -> pl.DataFrame:
    """Return one row per user and item: decayed and capped weights; first and last event, number.

    An event of weight w and age a days adds w 0.5^(a / half-life); age counts from the end
    of the run date. However old, what has a weight never falls to 0: the item was met.
    """
    config, zone = night.config.history, night.config.interactions.time_zone
    end = day_start(night.run_date + timedelta(days=1), zone)
    shares = {event: weight / config.max_weight for event, weight in night.config.events.items()}
    undecayed = pl.col("event_type").replace_strict(shares, return_dtype=pl.Float64)
    share = undecayed
    if config.half_life_days is not None:
        age = (pl.lit(end) - pl.col("timestamp")).dt.total_microseconds() / _DAY_US
        share = share * pl.lit(0.5).pow(age / config.half_life_days)
    # one event alone is cut at the cap as well: else a sum could leave the range of integers
    fixed = (share.clip(upper_bound=1.0) * _FIXED_POINT).round().cast(pl.Int64)
    fixed = pl.max_horizontal(fixed, (undecayed > 0).cast(pl.Int64))
    before = pl.col("timestamp") < day_start(night.cut, zone)
    users, items = (distinct(events, name) for name in ("user_id", "item_id"))
    summed = (
        events.with_columns(fixed=fixed, before=before)
        .join(users, on="user_id")
        .join(items, on="item_id")
        .group_by(pair=pl.col("user_id_place") * len(items) + pl.col("item_id_place"))
        .agg(
            weight=pl.col("fixed").sum(),
            weight_before_cut=pl.col("fixed").filter("before").sum(),
            first_seen=pl.col("timestamp").min(),
            last_seen=pl.col("timestamp").max(),
            n_events=pl.len().cast(pl.UInt32),
        )
        .sort("pair")
    )
    capped = [
        ((pl.col(name) / _FIXED_POINT).clip(upper_bound=1.0) * config.max_weight).cast(pl.Float32)
        for name in ("weight", "weight_before_cut")
    ]
    return summed.select(
        users["user_id"].gather(summed["pair"] // max(len(items), 1)),
        items["item_id"].gather(summed["pair"] % max(len(items), 1)),
        *capped,
        "first_seen",
        "last_seen",
        "n_events",
    )


def distinct(events: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the sorted values of an id column and their place in that order (int64).

    Grouping and sorting by a pair of places is several times faster than by the ids.
    """
    ids = events.select(pl.col(name).unique().sort())
    return ids.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(f"{name}_place"))
