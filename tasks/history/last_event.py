"""Keep the day of the last event of every user, item and event type, for rules that ask its age."""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_contracts.errors import HoarfrostError
from data_contracts.history import last_events_schema
from data_contracts.manifests import IngestManifest, Manifest
from models.event.event_log import users_of
from tasks.history.history import ingests_in_window
from tasks.ingest.id_codes import item_codes
from tasks.ingest.past_events import Past, past_events
from tasks.lake import Night, shard_name
from tasks.progress import track
from tasks.steps import entries, read_manifest, run_step
from tasks.tables.table_file import check_table

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
        "columns": night.config.interactions.columns.model_dump(include={"event_id"}),
    }
    work = functools.partial(_build, night, inputs)
    return run_step(night, STEP, Manifest, settings=settings, inputs=inputs, work=work)


def last_events(night: Night, shard: int) -> pl.DataFrame:
    """Return the last events of one user shard: user_id, item_id, event_type, last_day."""
    return pl.read_parquet(night.step(STEP) / f"{shard_name(shard)}.parquet")


def _build(night: Night, inputs: Sequence[IngestManifest], staging: Path, key: str) -> Manifest:
    newest, rows = inputs[-1], {}
    items = item_codes(night.lake, newest.item_id_type)
    item_ids, item_order = items.ids.sort(), items.order()
    schema = last_events_schema(newest.user_id_type, newest.item_id_type)
    for shard in track(range(newest.n_user_shards), "looking for last events"):
        name = f"{shard_name(shard)}.parquet"
        last = last_of(night, past_events(night, inputs, shard, item_order), item_ids)
        check_table(schema, last)
        last.write_parquet(staging / name, compression="lz4")
        rows[name] = last.height
    logger.info("last events: %d", sum(rows.values()))
    return Manifest(step=STEP, run_date=night.run_date, key=key, files=entries(staging, rows))


def last_of(night: Night, past: Past, item_ids: pl.Series) -> pl.DataFrame:
    """Return one row per user, item and event type, sorted, with the day of its last event.

    Args:
        night: the time zone of a day, and the event types.
        past: events of a user shard.
        item_ids: sorted, of all items that have a code.
    """
    order, kinds = past.order, pl.Series(sorted(night.config.events), dtype=pl.String)
    user, kept = users_of(order), past.kept
    last = (
        pl.DataFrame(
            {
                "user": user[kept],
                "item": order.item[kept],
                "kind": order.kind[kept],
                "moment": order.moment[kept],
            }
        )
        .group_by("user", "item", "kind")
        .agg(pl.col("moment").max())
        .sort("user", "item", "kind")
    )
    moment = last["moment"].cast(pl.Datetime("us", "UTC"))
    zone = night.config.interactions.time_zone
    return pl.DataFrame(
        [
            past.user_ids.gather(last["user"]),
            item_ids.gather(last["item"]),
            kinds.gather(last["kind"]).alias("event_type"),
            moment.dt.convert_time_zone(zone).dt.date().alias("last_day"),
        ]
    )
