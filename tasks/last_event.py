"""Keep the day of the last event of every user, item and event type, for rules that ask its age."""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_contracts.errors import HoarfrostError
from data_contracts.history import last_events_schema
from data_contracts.manifests import IngestManifest, Manifest
from tasks.history import distinct, ingests_in_window, read_events
from tasks.lake import Night, shard_name
from tasks.progress import track
from tasks.steps import entries, read_manifest, run_step
from tasks.table_file import check_table

logger = logging.getLogger(__name__)
STEP = "last_events"


def keep_last_events(night: Night) -> Manifest:
    """Return the manifest of the last events of all nights up to this one, per user shard.

    Raises:
        HoarfrostError: the night has no log.
    """
    ingest = read_manifest(night.step("ingest"), IngestManifest)
    if ingest is None:
        raise HoarfrostError(f"the night of {night.run_date} has read no log into {night.folder}")
    inputs = ingests_in_window(night, ingest)
    settings = {
        "window_days": night.config.history.window_days,
        "time_zone": night.config.interactions.time_zone,
        "max_events_per_user_day": night.config.validation.max_events_per_user_day,
    }
    work = functools.partial(_build, night, inputs)
    return run_step(night, STEP, Manifest, settings=settings, inputs=inputs, work=work)


def last_events(night: Night, shard: int) -> pl.DataFrame:
    """Return the last events of one user shard: user_id, item_id, event_type, last_day."""
    return pl.read_parquet(night.step(STEP) / f"{shard_name(shard)}.parquet")


def _build(night: Night, inputs: Sequence[IngestManifest], staging: Path, key: str) -> Manifest:
    newest, rows = inputs[-1], {}
    run_dates = [manifest.run_date for manifest in inputs]
    schema = last_events_schema(newest.user_id_type, newest.item_id_type)
    for shard in track(range(newest.n_user_shards), "looking for last events"):
        name = f"{shard_name(shard)}.parquet"
        events, _ = read_events(night, run_dates, name)
        last = last_of(events, night.config.interactions.time_zone)
        check_table(schema, last)
        last.write_parquet(staging / name, compression="lz4")
        rows[name] = last.height
    logger.info("last events: %d", sum(rows.values()))
    return Manifest(step=STEP, run_date=night.run_date, key=key, files=entries(staging, rows))


def last_of(events: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Return one row per user, item and event type, sorted, with the day of its last event."""
    users, items, types = (distinct(events, name) for name in ("user_id", "item_id", "event_type"))
    pair = pl.col("user_id_place") * len(items) + pl.col("item_id_place")
    last = (
        events.join(users, on="user_id")
        .join(items, on="item_id")
        .join(types, on="event_type")
        .group_by(triple=pair * len(types) + pl.col("event_type_place"))
        .agg(pl.col("timestamp").max())
        .sort("triple")
    )
    n_items, n_types = max(len(items), 1), max(len(types), 1)
    pairs = last["triple"] // n_types
    return pl.DataFrame(
        [
            users["user_id"].gather(pairs // n_items),
            items["item_id"].gather(pairs % n_items),
            types["event_type"].gather(last["triple"] % n_types),
            last["timestamp"].dt.convert_time_zone(time_zone).dt.date().alias("last_day"),
        ]
    )
