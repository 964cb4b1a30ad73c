"""Parts of the history: the events that count, of the days whose rows have changed.

A part lies in state/history under a name that says what went into it. It is written once, by the
first night that needs one of its days as it is then, and read by every night after it until
something of these days changes. No night judges a day again that nothing has come for, but to make
one part of many small ones.
"""

import functools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_contracts.manifests import (
    DayAccount,
    IngestManifest,
    JudgedDay,
    PartManifest,
    PartSource,
)
from tasks.files import digest, empty_folder, explained
from tasks.history.judged_days import (
    Days,
    days_to_judge,
    judge_days,
    kinds_of,
    reach,
    replaced_files,
)
from tasks.ingest.id_codes import item_codes
from tasks.lake import Night, shard_name
from tasks.shard_threads import for_every_shard
from tasks.steps import code_version, commit, content_digest, entries, is_whole, read_manifest

logger = logging.getLogger(__name__)
MET = "met.npy"  # (n_days, n_bytes) uint8: bit c of a day's row says that item code c was met
_MANY = 16  # as many parts of fewer days become one


class Part(NamedTuple):
    """A part, and the days that are read from it."""

    name: str
    manifest: PartManifest
    days: tuple[date, ...]


def parts_folder(lake: Path) -> Path:
    """Where the parts of a lake lie."""
    return lake / "state" / "history"


def day_keys(night: Night, past: Sequence[IngestManifest]) -> dict[date, str]:
    """Return the days of the window that have rows, each with a digest of what decides on them.

    Args:
        night: run date and configuration.
        past: ingests of the nights inside the window, oldest first.
    """
    first = night.run_date - timedelta(days=night.config.history.window_days - 1)
    gone = replaced_files(past)
    told: dict[date, list[object]] = {}
    for manifest in past:
        content = content_digest(manifest)
        for file in manifest.log_files:
            state = (content, file.path, (manifest.run_date, file.path) in gone)
            for day in file.days:
                told.setdefault(day, []).append(state)
    columns = night.config.interactions.columns
    settings = {
        "code": code_version(),
        "time_zone": night.config.interactions.time_zone,
        "max_events_per_user_day": night.config.validation.max_events_per_user_day,
        "columns": columns.model_dump(include={"event_id", "value"}),
        "look_back_days": reach(night),
    }
    keys = {}
    for day in sorted(each for each in told if first <= each <= night.run_date):
        near = [told.get(day - timedelta(days=ago), []) for ago in range(reach(night) + 1)]
        keys[day] = digest({"settings": settings, "day": day, "from": near})
    return keys


def parts_of(
    night: Night, past: Sequence[IngestManifest], keys: Mapping[date, str]
) -> tuple[Part, ...]:
    """Return the parts that together hold all days, writing one for those that no part holds.

    Args:
        night: run date and configuration.
        past: ingests of the nights inside the window, oldest first.
        keys: of the days (see day_keys).
    """
    known = {
        folder.name: manifest
        for folder in sorted(parts_folder(night.lake).glob("*"))
        if (manifest := read_manifest(folder, PartManifest)) and is_whole(folder, manifest)
    }
    found: dict[date, str] = {}
    for name in sorted(known, key=lambda name: -len(known[name].days)):  # few files for all days
        for day, judged in known[name].days.items():
            if keys.get(day) == judged.key:
                found.setdefault(day, name)
    missing = {day: key for day, key in keys.items() if day not in found}
    if missing:
        missing |= {day: keys[day] for day in _days_of_small_parts(found)}
        name, manifest = _write(night, past, missing)
        known[name] = manifest
        found |= dict.fromkeys(missing, name)
    return tuple(
        Part(name, known[name], tuple(day for day in sorted(found) if found[day] == name))
        for name in sorted(set(found.values()))
    )


def _days_of_small_parts(found: Mapping[date, str]) -> list[date]:
    """Return the days of parts that are read for few days, once there are many such parts.

    They are judged once more, into one part, so that the number of files that a night reads does
    not grow with the number of nights.
    """
    n_days = Counter(found.values())
    small = {name for name, n in n_days.items() if n < _MANY}
    return [day for day, name in found.items() if name in small] if len(small) >= _MANY else []


def _write(
    night: Night, past: Sequence[IngestManifest], keys: Mapping[date, str]
) -> tuple[str, PartManifest]:
    """Judge the days and write them as one part."""
    key = digest({str(day): each for day, each in keys.items()})
    name, days = key[:16], days_to_judge(night, past, list(keys))
    with explained(night.lake):
        staging = empty_folder(night.state / "staging" / "history_part")
        manifest = _judged(night, past[-1], days, keys, staging, key)
        commit(staging, parts_folder(night.lake) / name, manifest)
    logger.info("history: %d days judged", len(keys))
    return name, manifest


class _Shard(NamedTuple):
    rows: int
    counts: np.ndarray
    told_again: np.ndarray
    met: np.ndarray  # (n_days, n_bytes)
    occurs: np.ndarray  # (n_days, n_kinds) bool
    kinds: list[str]


def _judged(
    night: Night,
    newest: IngestManifest,
    days: Days,
    keys: Mapping[date, str],
    staging: Path,
    key: str,
) -> PartManifest:
    items = item_codes(night.lake, newest.item_id_type)
    judge = functools.partial(_judge_shard, night, days, items.order(), staging)
    shards = for_every_shard(judge, newest.n_user_shards, "judging days")
    np.save(
        staging / MET,
        functools.reduce(np.bitwise_or, (each.met for each in shards))[days.wanted],
        allow_pickle=False,
    )
    rows = {f"{shard_name(n)}.parquet": each.rows for n, each in enumerate(shards)}
    counts = np.sum([each.counts for each in shards], axis=0)
    told_again = np.sum([each.told_again for each in shards], axis=0)
    occurs = np.logical_or.reduce([each.occurs for each in shards])
    judged = {}
    for place in np.flatnonzero(days.wanted).tolist():
        day = days.first + timedelta(days=place)
        judged[day] = JudgedDay(
            key=keys[day], accounts=_accounts(counts[place]), told_again=int(told_again[place]),
            kinds=tuple(shards[0].kinds[k] for k in np.flatnonzero(occurs[place])),
        )  # fmt: skip
    return PartManifest(
        step="history_part", run_date=max(keys), key=key,
        files=entries(staging, rows | {MET: len(judged)}), days=judged,
        sources=tuple(
            PartSource(path=file.path, run_date=each.run_date)
            for each in days.nights for file in each.log_files
        ),
        time_zone=night.config.interactions.time_zone,
    )  # fmt: skip


def _accounts(counts: np.ndarray) -> tuple[DayAccount, ...]:
    """Return what became of the rows of every file that has some."""
    return tuple(
        DayAccount(
            source=source, replaced=int(replaced), filtered=int(filtered),
            duplicates=int(repeated), history=int(kept),
        )
        for source in np.flatnonzero(counts.sum(axis=1)).tolist()
        for replaced, filtered, repeated, kept in [counts[source]]
    )  # fmt: skip


def _judge_shard(
    night: Night, days: Days, item_order: np.ndarray, staging: Path, shard: int
) -> _Shard:
    judged = judge_days(night, days, shard, item_order)
    rows, day = judged.rows, judged.day
    rows.write_parquet(staging / f"{shard_name(shard)}.parquet", compression="lz4")
    met = met_items(day, rows["item"].to_numpy(), n_days=len(days.wanted), n_items=len(item_order))
    kinds = kinds_of(rows["event_type"])
    occurs = np.zeros((len(days.wanted), len(kinds)), bool)
    occurs[day, rows["event_type"].to_physical().to_numpy()] = True
    return _Shard(rows.height, judged.counts, judged.told_again, met, occurs, kinds)


def met_items(day: np.ndarray, item: np.ndarray, *, n_days: int, n_items: int) -> np.ndarray:
    """Return a bit per day and item code, shape (n_days, n_bytes) uint8: who was met when."""
    met = np.zeros((n_days, n_items), bool)
    met[day, item] = True
    return np.packbits(met, axis=1, bitorder="little")
