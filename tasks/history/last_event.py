"""Keep the day of the last event of every user, item and event type, for rules that ask its age."""

import functools
import logging
from pathlib import Path

import polars as pl

from data_contracts.history import last_events_schema
from data_contracts.manifests import HistoryManifest, Manifest
from tasks.history.history_event import (
    CountedEvents,
    counted_events,
    history_items,
    history_manifest,
)
from tasks.lake import Night, shard_name
from tasks.progress import track
from tasks.steps import entries, run_step
from tasks.tables.table_file import check_table

logger = logging.getLogger(__name__)
STEP = "last_events"


def keep_last_events(night: Night) -> Manifest:
    """Return the manifest of the last events of all nights up to this one, per user shard.

    Raises:
        HoarfrostError: the night has no history.
    """
    history = history_manifest(night.step("history"))
    work = functools.partial(_build, night, history)
    return run_step(night, STEP, Manifest, settings={}, inputs=[history], work=work)


def last_events(night: Night, shard: int) -> pl.DataFrame:
    """Return the last events of one user shard: user_id, item_id, event_type, last_day."""
    return pl.read_parquet(night.step(STEP) / f"{shard_name(shard)}.parquet")


def _build(night: Night, history: HistoryManifest, staging: Path, key: str) -> Manifest:
    folder, rows = night.step("history"), {}
    item_ids = history_items(folder)
    schema = last_events_schema(history.user_id_type, history.item_id_type)
    for shard in track(range(history.n_user_shards), "looking for last events"):
        name = f"{shard_name(shard)}.parquet"
        last = last_of(night, counted_events(folder, shard), item_ids)
        check_table(schema, last)
        last.write_parquet(staging / name, compression="lz4")
        rows[name] = last.height
    logger.info("last events: %d", sum(rows.values()))
    return Manifest(step=STEP, run_date=night.run_date, key=key, files=entries(staging, rows))


def last_of(night: Night, events: CountedEvents, item_ids: pl.Series) -> pl.DataFrame:
    """Return one row per user, item and event type, sorted, with the day of its last event.

    Args:
        night: the time zone of a day, and the event types.
        events: of a user shard.
        item_ids: sorted, of all items of the history.
    """
    kinds = pl.Series(sorted(night.config.events), dtype=pl.String)
    last = (
        pl.DataFrame(events.events._asdict())
        .group_by("user", "item", "kind")
        .agg(pl.col("moment").max())
        .sort("user", "item", "kind")
    )
    moment = last["moment"].cast(pl.Datetime("us", "UTC"))
    zone = night.config.interactions.time_zone
    return pl.DataFrame(
        [
            events.user_ids.gather(last["user"]),
            item_ids.gather(last["item"]),
            kinds.gather(last["kind"]).alias("event_type"),
            moment.dt.convert_time_zone(zone).dt.date().alias("last_day"),
        ]
    )
