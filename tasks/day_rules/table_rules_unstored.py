"""Count the good events of some days in their files, for a look at a log that stores nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import polars as pl

from data_contracts.errors import HoarfrostError
from data_contracts.manifests import IngestManifest, LogFile
from tasks.day_rules.table_rules_events import EventCounts
from tasks.lake import Night
from tasks.source.log_reader import ID_DTYPES, UnfitFileError, batches
from tasks.source.log_store import log_place


def count_unstored(
    night: Night,
    ingest: IngestManifest,
    faults: Mapping[str, pl.DataFrame],
    days: Sequence[date],
) -> EventCounts:
    """Return the counts that an ingest of the same files would give (see count_events).

    A file is read batch by batch, and only the counts are kept.

    Args:
        night: configuration and run date.
        ingest: what examining the files gave.
        faults: row_number and rule of refused rows, by file.
        days: at least one.

    Raises:
        HoarfrostError: a file cannot be read any more.
    """
    item_id = ID_DTYPES[ingest.item_id_type]
    newest = pl.DataFrame(schema={"day": pl.Date, "newest": pl.Datetime("us", "UTC")})
    items = pl.DataFrame(schema={"day": pl.Date, "item_id": item_id, "n": pl.Int64})
    for file in ingest.log_files:
        if file.partition < min(days):  # a file holds no event from after its day
            continue
        for rows in _good(night, ingest, file, faults[file.path]):
            good = rows.filter(pl.col("day").is_in(days))
            last = good.group_by("day").agg(newest=pl.col("timestamp").max())
            newest = pl.concat([newest, last]).group_by("day").agg(pl.col("newest").max())
            met = good.group_by("day", pl.col("item_id").cast(item_id)).agg(
                n=pl.len().cast(pl.Int64)
            )
            items = pl.concat([items, met]).group_by("day", "item_id").agg(pl.col("n").sum())
    return EventCounts(dict(newest.iter_rows()), items.sort("day", "item_id"))


def _good(
    night: Night, ingest: IngestManifest, file: LogFile, faults: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    """Yield the good rows of a file, each with its day in the log's zone."""
    config = night.config.interactions
    day = pl.col("timestamp").dt.convert_time_zone(config.time_zone).dt.date()
    bad = faults.select(pl.col("row_number").cast(pl.UInt32))
    source = log_place(night).source(file.path, file)
    try:
        for batch in batches(source, config, (ingest.user_id_type, ingest.item_id_type)):
            good = batch.cast({"row_number": pl.UInt32}).join(bad, on="row_number", how="anti")
            yield good.with_columns(day=day)
    except UnfitFileError as error:
        raise HoarfrostError(
            f"{file.path} must stay as it is while it is looked at, but {error.reason}: try again"
        ) from error
