"""What the rules need to know of the events of a day: the last one, and which items they are on."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.interactions import day_start
from data_contracts.log_drift import LogDriftManifest
from data_contracts.manifests import IngestManifest
from tasks.catalogue import catalogue_files, read_catalogue
from tasks.day_rules.log_drift_days import count_days, still_valid
from tasks.day_rules.table_rules_outcomes import DayEvents
from tasks.lake import Night, night_folder
from tasks.steps import is_whole, read_manifest

_DRIFT, _ITEMS = "log_drift", "items.parquet"  # what a night keeps: day, item_id, n


class EventCounts(NamedTuple):
    """Accepted events of some days."""

    newest: dict[date, datetime]
    items: pl.DataFrame  # day, item_id, n


def count_events(
    night: Night, ingest: IngestManifest, days: Sequence[date], scratch: Path
) -> EventCounts:
    """Return what the accepted events of a night hold of some days.

    Args:
        night: its ingest is finished.
        ingest: its manifest.
        days: at least one.
        scratch: an empty folder; it is left empty.
    """
    counted = count_days(night, still_valid([ingest]), min(days), scratch)
    return EventCounts({each.day: each.newest for each in counted.days}, counted.items)


def kept_counts(night: Night, earlier: Sequence[IngestManifest]) -> list[LogDriftManifest]:
    """Return the counts of items by day that nights before have kept, oldest first."""
    first = night.run_date - timedelta(days=night.config.data_drift.days)
    folders = [
        night_folder(night.lake, e.run_date) / _DRIFT for e in earlier if e.run_date >= first
    ]
    read = [(folder, read_manifest(folder, LogDriftManifest)) for folder in folders]
    return [manifest for folder, manifest in read if manifest and is_whole(folder, manifest)]


def day_events(
    night: Night, day: date, counts: EventCounts, kept: Sequence[LogDriftManifest]
) -> DayEvents:
    """Return what the events of a day tell.

    Args:
        night: configuration and run date.
        day: which day.
        counts: of the day.
        kept: counts that nights before have left.

    Raises:
        ContractViolationError: the catalogue cannot be read, or its ids are of another type.
    """
    items = counts.items.filter(pl.col("day") == day)
    hours, unsaid = None, {}
    if day in counts.newest:
        end = day_start(day + timedelta(days=1), night.config.interactions.time_zone)
        hours = (end - counts.newest[day]) / timedelta(hours=1)
    else:
        unsaid["freshness"] = "no good event happened on it"
    known = _catalogued(night, items)
    if known is None:
        unsaid["unknown_items"] = "there is no catalogue"
    before = _met_before(night, day, kept)
    if before is None:
        unsaid["new_items"] = "nothing is known of the days before"
    if not items.height:
        known = before = None
        unsaid |= dict.fromkeys(("unknown_items", "new_items"), "no good event happened on it")
    return DayEvents(hours, _share_outside(items, known), _share_outside(items, before), unsaid)


def _catalogued(night: Night, items: pl.DataFrame) -> pl.LazyFrame | None:
    if not catalogue_files(night):
        return None
    known = read_catalogue(night, only=()).select("item_id")
    if not known.height:  # its type says nothing
        return items.lazy().select("item_id").clear()
    if known.schema["item_id"] != items.schema["item_id"]:  # the log's is known since just now
        raise ContractViolationError(
            f"item_id of the catalogue must be {items.schema['item_id']} as in the log, got "
            f"{known.schema['item_id']}: write the same ids, or set items.columns.item_id"
        )
    return known.lazy()


def _met_before(night: Night, day: date, kept: Sequence[LogDriftManifest]) -> pl.LazyFrame | None:
    files = [night_folder(night.lake, each.run_date) / _DRIFT / _ITEMS for each in kept]
    if not files:
        return None
    counts = pl.scan_parquet(files, hive_partitioning=False)
    return counts.filter(pl.col("day") < day).select("item_id")


def _share_outside(items: pl.DataFrame, known: pl.LazyFrame | None) -> float | None:
    """Return the share of events that are on items outside of some."""
    if known is None:
        return None
    outside = items.lazy().join(known, on="item_id", how="anti").select(pl.col("n").sum())
    return int(outside.collect(engine="streaming").item()) / int(items["n"].sum())
