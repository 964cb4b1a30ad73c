"""The events of a history: read from its parts, those of one user shard at a time."""

import functools
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.errors import HoarfrostError
from data_contracts.interactions import day_start
from data_contracts.manifests import HistoryManifest, PartManifest, PartUse
from models.event.event_log import Events
from tasks.calendar import micros
from tasks.history.history_part import parts_folder
from tasks.history.judged_days import kinds_of
from tasks.ingest.id_codes import item_codes, item_codes_path, user_codes
from tasks.lake import lake_of, shard_name
from tasks.steps import is_whole, read_manifest

ITEMS = "items.parquet"
_TYPES = {"user": pl.UInt32, "item": pl.UInt32, "kind": pl.UInt8, "moment": pl.Int64}


class CountedEvents(NamedTuple):
    """The events of one user shard that count, in no order."""

    events: Events  # users and items are places in the order of their ids
    user_ids: pl.Series  # in order, also of users without an event
    value: np.ndarray | None  # (n,) float32, where events have one; nan for none


def history_manifest(folder: Path) -> HistoryManifest:
    """Return the manifest of a history.

    Raises:
        HoarfrostError: there is none.
    """
    manifest = read_manifest(folder, HistoryManifest)
    if manifest is None:
        raise HoarfrostError(f"there must be a history in {folder}, got none: run that night again")
    return manifest


def history_items(folder: Path) -> pl.Series:
    """Return the sorted ids of all items of a history."""
    return pl.read_parquet(folder / ITEMS)["item_id"]


def is_kept(folder: Path) -> bool:
    """Tell whether a history still has its files: those of old nights make room."""
    manifest = read_manifest(folder, HistoryManifest)
    if manifest is None or not is_whole(folder, manifest):
        return False
    for use in manifest.parts:
        place = parts_folder(lake_of(folder)) / use.name
        part = read_manifest(place, PartManifest)
        if part is None or not is_whole(place, part):
            return False
    return True


def counted_events(folder: Path, shard: int) -> CountedEvents:
    """Return the events of one user shard of a history.

    Args:
        folder: of the history.
        shard: which user shard.
    """
    manifest = history_manifest(folder)
    users = user_codes(lake_of(folder), shard, manifest.user_id_type)
    rows = _rows(folder, manifest, shard)
    places = _item_places(folder, manifest.files[0].sha256, _stamp(lake_of(folder)))
    events = Events(
        users.order().take(rows["user"]), places.take(rows["item"]), rows["kind"], rows["moment"]
    )
    return CountedEvents(events, users.ids.sort(), rows.get("value"))


def _stamp(lake: Path) -> tuple[int, int]:
    """Return what is another for every other table of item codes."""
    path = item_codes_path(lake)
    found = path.stat() if path.exists() else None  # no item was ever met
    return (found.st_ino, found.st_mtime_ns) if found else (0, 0)


@functools.lru_cache(maxsize=2)  # all user shards have the same items
def _item_places(folder: Path, _items: str, _codes: tuple[int, int]) -> np.ndarray:
    """Return the place of every item code among the items of a history, shape (n_codes,).

    It is kept for as long as neither the items nor the table of codes is another one: a lake
    that is made anew may give its items other codes.
    """
    manifest = history_manifest(folder)
    ids = item_codes(lake_of(folder), manifest.item_id_type).ids
    items = history_items(folder).to_frame().with_row_index("place")
    found = ids.to_frame().join(items, on="item_id", how="left", maintain_order="left")
    return found["place"].fill_null(0).to_numpy()


def _rows(folder: Path, manifest: HistoryManifest, shard: int) -> dict[str, np.ndarray]:
    """Return user, item (codes), kind, moment and, where there is one, value."""
    names = sorted(manifest.weighing.events)
    parts = [_of_part(folder, manifest, use, names, shard) for use in manifest.parts]
    rows = pl.concat(parts) if parts else pl.DataFrame(schema=_TYPES)
    return {name: rows[name].to_numpy() for name in rows.columns}


def _of_part(
    folder: Path, manifest: HistoryManifest, use: PartUse, names: Sequence[str], shard: int
) -> pl.DataFrame:
    place = parts_folder(lake_of(folder)) / use.name
    part = read_manifest(place, PartManifest)
    path = place / f"{shard_name(shard)}.parquet"
    if part is None or not path.is_file():
        raise HoarfrostError(f"{folder} must have its events in {place}: run that night again")
    rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).drop("file").collect()
    if set(use.days) != set(part.days):
        rows = rows.filter(_of_days(rows["timestamp"], use, manifest.time_zone))
    places = {name: number for number, name in enumerate(names)}
    kinds = pl.Series(
        [places.get(name, 0) for name in kinds_of(rows["event_type"])], dtype=pl.UInt8
    )
    kind = kinds.gather(rows["event_type"].to_physical()).alias("kind")
    moment = rows["timestamp"].to_physical().alias("moment")
    return rows.select("user", "item", kind, moment, *({"value"} & set(rows.columns)))


def _of_days(timestamp: pl.Series, use: PartUse, time_zone: str) -> pl.Series:
    """Tell which moments lie on the days."""
    inside = pl.repeat(value=False, n=len(timestamp), eager=True)
    moment = timestamp.to_physical()
    for first, last in _stretches(use):
        start, end = (
            micros(day_start(day, time_zone)) for day in (first, last + timedelta(days=1))
        )
        inside |= (moment >= start) & (moment < end)
    return inside


def _stretches(use: PartUse) -> list[tuple[date, date]]:
    """Return first and last of every run of days without a gap."""
    runs: list[tuple[date, date]] = []
    for day in sorted(use.days):
        first, last = runs.pop() if runs else (day, day)
        if (day - last).days > 1:
            runs.append((first, last))
            first = day
        runs.append((first, day))
    return runs
