"""Read the events of all nights inside the window, each once, and account for every row.

What is an event depends on the rows alone and not on the nights that read them: a file that
a later night read anew has lost its old rows, repeats count once, and bots are looked for
among all nights together.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.errors import ConfigError, HoarfrostError
from data_contracts.interactions import USER_RULES, day_start
from data_contracts.manifests import FileAccount, IngestManifest
from models.event.event_log import (
    Events,
    Files,
    Ordered,
    fates_by_file,
    in_order,
    repeats,
    rows_that_stand,
)
from tasks.calendar import micros
from tasks.ingest.bots import of_bots
from tasks.ingest.id_codes import user_codes
from tasks.lake import Night, night_folder, shard_name


class Fates(NamedTuple):
    """What became of the stored rows of one user shard."""

    counts: np.ndarray  # (n_files, 4): replaced, filtered, repeated, part of the history
    told_again: int  # events that a later night told again


class Past(NamedTuple):
    """The events of one user shard, each once, in order of user, item and time."""

    order: Ordered  # users and items are places in the order of all ids that have a code
    kept: np.ndarray  # (n,) bool: which rows are part of the history
    user_ids: pl.Series  # in order
    fates: Fates
    value: np.ndarray | None = None  # (n,) float32, where events have one; nan for none


class Tally:
    """Counts of what became of the stored rows of every file of several nights."""

    def __init__(self, past: Sequence[IngestManifest]) -> None:
        self._past = past
        n_files = sum(len(manifest.log_files) for manifest in past)
        self._counts = np.zeros((n_files, 4), np.int64)
        self.told_again = 0
        """Events that a later night told again."""

    def note(self, fates: Fates) -> None:
        """Count the rows of one user shard."""
        self._counts += fates.counts
        self.told_again += fates.told_again

    def accounts(self) -> tuple[FileAccount, ...]:
        """Return where the rows of every file went, oldest night first."""
        files = [(each.run_date, file) for each in self._past for file in each.log_files]
        accounts = []
        for (run_date, file), counts in zip(files, self._counts.tolist(), strict=True):
            replaced, filtered, duplicates, kept = counts
            refused = sum(n for rule, n in file.by_rule.items() if rule not in USER_RULES)
            accounts.append(
                FileAccount(
                    path=file.path, run_date=run_date, rows=file.rows, quarantined=refused,
                    replaced=replaced, removed=file.rows - refused - sum(counts),
                    filtered=filtered, duplicates=duplicates, history=kept,
                )
            )  # fmt: skip
        return tuple(accounts)


def past_events(
    night: Night, past: Sequence[IngestManifest], shard: int, item_order: np.ndarray
) -> Past:
    """Return a user shard's events inside the window, each once and none of a bot.

    Args:
        night: run date and configuration.
        past: ingests of the nights inside the window, oldest first.
        shard: which user shard.
        item_order: place of every item code in the order of ids.

    Raises:
        ConfigError: the log holds an event type that [events] does not know any more.
        HoarfrostError: the events of a night have made room (tasks.housekeeping).
    """
    config = night.config
    first = night.run_date - timedelta(days=config.history.window_days - 1)
    start = micros(day_start(first, config.interactions.time_zone))
    users = user_codes(night.lake, shard, past[-1].user_id_type)
    rows = _read(night, past, shard)
    user, item = users.order().take(rows["user"]), item_order.take(rows["item"])
    order = in_order(Events(user, item, rows["kind"], rows["moment"]), len(users.ids))
    files = Files(rows["source"], rows["told"], _replaced(past))
    taken = rows_that_stand(order, files, start)
    key = rows["key"][order.row] if night.config.interactions.columns.event_id else None
    repeated = repeats(order, taken, key)
    bots = of_bots(order, taken & ~repeated, night)
    kept, counts, told_again = fates_by_file(order, files, taken, repeated, bots)
    value = rows["value"][order.row] if night.config.interactions.columns.value else None
    return Past(order, kept, users.ids.sort(), Fates(counts, told_again), value)


def _read(night: Night, past: Sequence[IngestManifest], shard: int) -> dict[str, np.ndarray]:
    """Return user, item, kind, moment, source, told (not refused in its night), value and key."""
    parts: list[dict[str, np.ndarray]] = []
    first = 0
    for manifest in past:
        folder = night_folder(night.lake, manifest.run_date) / "ingest"
        path = folder / f"{shard_name(shard)}.parquet"
        if not path.is_file():
            raise HoarfrostError(
                f"the night of {manifest.run_date} must have its events in {folder}, got none: "
                "they made room (twice history.window_days); run that night again"
            )
        rows = pl.read_parquet(path, glob=False, hive_partitioning=False)
        parts.append({
            "user": rows["user"].to_numpy(),
            "item": rows["item"].to_numpy(),
            "kind": _kinds(night, rows["event_type"]),
            "moment": rows["timestamp"].to_physical().to_numpy(),
            "source": rows["file"].to_numpy() + np.uint32(first),
            "told": rows["rule"].is_null().to_numpy(),
            **_more(night, rows),
        })  # fmt: skip
        first += len(manifest.log_files)
    rows_read = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if "value" not in rows_read:
        return rows_read
    largest = np.argsort(-rows_read["value"], kind="stable")  # of equal events that one counts
    return {name: column[largest] for name, column in rows_read.items()}


def _more(night: Night, rows: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return value and key where the log has them now; a night without them had none."""
    columns, more = night.config.interactions.columns, {}
    if columns.value:
        none = pl.repeat(np.nan, rows.height, dtype=pl.Float32, eager=True)
        more["value"] = rows.get_column("value", default=none).to_numpy()
    if columns.event_id:
        none = pl.zeros(rows.height, dtype=pl.UInt64, eager=True)
        more["key"] = rows.get_column("event_key", default=none).to_numpy()
    return more


def _kinds(night: Night, event_type: pl.Series) -> np.ndarray:
    """Return the place of every event type among the sorted ones of the configuration."""
    known = {name: place for place, name in enumerate(sorted(night.config.events))}
    names = event_type.dtype.categories.to_list()  # type: ignore[attr-defined]
    places = np.array([known.get(name, len(known)) for name in names], np.uint8)
    kinds = places[event_type.to_physical().to_numpy()]
    if len(kinds) and kinds.max() == len(known):
        lost = sorted(set(names) - set(known))
        raise ConfigError(
            f"events must name every type that the log holds inside the window, got nothing for "
            f"{', '.join(lost)}: give it a weight, 0 if it should count for nothing"
        )
    return kinds


def _replaced(past: Sequence[IngestManifest]) -> np.ndarray:
    """Tell of every file whether a later night read it anew; shape (n_files,) bool."""
    later: set[str] = set()
    gone: list[bool] = []
    for manifest in reversed(past):
        paths = [file.path for file in manifest.log_files]
        gone += [path in later for path in reversed(paths)]
        later.update(paths)
    return np.array(gone[::-1], bool)
