"""Update the history: which days of the window lie where, and how their events are weighed."""

import functools
import logging
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from data_contracts.errors import ConfigError
from data_contracts.interactions import USER_RULES, day_start
from data_contracts.manifests import (
    FileAccount,
    HistoryManifest,
    IngestManifest,
    PartUse,
    Weighing,
)
from tasks.calendar import micros
from tasks.history.history_event import ITEMS
from tasks.history.history_part import MET, Part, day_keys, parts_folder, parts_of
from tasks.ingest.id_codes import item_codes
from tasks.lake import Night
from tasks.source.log_files import earlier_ingests
from tasks.steps import entries, run_step

logger = logging.getLogger(__name__)


def build_history(night: Night, ingest: IngestManifest) -> HistoryManifest:
    """Return the manifest of the history of all nights up to this one.

    Days whose rows have changed are judged; all others are used as they are.

    Raises:
        ConfigError: the log holds an event type that [events] does not know any more.
    """
    inputs = ingests_in_window(night, ingest)
    keys = day_keys(night, inputs)
    parts = parts_of(night, inputs, keys)
    _refuse_unknown_kinds(night, parts)
    weighing = _weighing(night)
    settings = {
        "days": {str(day): key for day, key in keys.items()},
        "parts": {part.name: [str(day) for day in part.days] for part in parts},
        "weighing": weighing.model_dump(),
    }
    work = functools.partial(_build, night, inputs, parts, weighing)
    return run_step(night, "history", HistoryManifest, settings=settings, inputs=inputs, work=work)


def ingests_in_window(night: Night, ingest: IngestManifest) -> list[IngestManifest]:
    """Return the manifests of the nights whose events are not forgotten yet, oldest first."""
    first = night.run_date - timedelta(days=night.config.history.window_days - 1)
    return [each for each in earlier_ingests(night) if each.run_date >= first] + [ingest]


def _build(
    night: Night,
    inputs: Sequence[IngestManifest],
    parts: Sequence[Part],
    weighing: Weighing,
    staging: Path,
    key: str,
) -> HistoryManifest:
    newest = inputs[-1]
    codes = item_codes(night.lake, newest.item_id_type)
    items = codes.ids.gather(_met(night, parts, len(codes.ids))).sort().to_frame()
    items.write_parquet(staging / ITEMS, compression="lz4")
    accounts = _accounts(inputs, parts)
    days = [part.manifest.days[day] for part in parts for day in part.days]
    n_events = sum(each.history for each in accounts)
    logger.info("history: %d events of %d days", n_events, len(days))
    return HistoryManifest(
        step="history", run_date=night.run_date, key=key,
        files=entries(staging, {ITEMS: items.height}),
        parts=tuple(PartUse(name=part.name, days=part.days) for part in parts),
        weighing=weighing, time_zone=night.config.interactions.time_zone,
        duplicates=sum(day.told_again for day in days), log_files=accounts,
        user_id_type=newest.user_id_type, item_id_type=newest.item_id_type,
        n_user_shards=newest.n_user_shards,
    )  # fmt: skip


def _met(night: Night, parts: Sequence[Part], n_items: int) -> np.ndarray:
    """Return the codes of the items of all days, in order."""
    met = np.zeros(n_items, bool)
    for part in parts:
        bits = np.load(parts_folder(night.lake) / part.name / MET, allow_pickle=False)
        used = [place for place, day in enumerate(sorted(part.manifest.days)) if day in part.days]
        found = np.unpackbits(np.bitwise_or.reduce(bits[used]), bitorder="little")[:n_items]
        met[: len(found)] |= found.astype(bool)
    return np.flatnonzero(met)


def _accounts(inputs: Sequence[IngestManifest], parts: Sequence[Part]) -> tuple[FileAccount, ...]:
    """Return where the rows of every file went, oldest night first."""
    fates: dict[tuple[date, str], np.ndarray] = {}
    for part in parts:
        for day in part.days:
            for found in part.manifest.days[day].accounts:
                source = part.manifest.sources[found.source]
                counts = fates.setdefault((source.run_date, source.path), np.zeros(4, np.int64))
                counts += (found.replaced, found.filtered, found.duplicates, found.history)
    known = {day for part in parts for day in part.days}
    return tuple(
        _account(manifest, number, fates, known)
        for manifest in inputs
        for number in range(len(manifest.log_files))
    )


def _account(
    manifest: IngestManifest,
    number: int,
    fates: Mapping[tuple[date, str], np.ndarray],
    known: set[date],
) -> FileAccount:
    file = manifest.log_files[number]
    counts = fates.get((manifest.run_date, file.path), np.zeros(4, np.int64))
    replaced, filtered, duplicates, kept = counts.tolist()
    old = sum(n for day, n in file.days.items() if day not in known)
    refused = sum(n for rule, n in file.by_rule.items() if rule not in USER_RULES)
    return FileAccount(
        path=file.path, run_date=manifest.run_date, rows=file.rows, quarantined=refused,
        replaced=replaced, removed=file.rows - refused - old - sum(counts.tolist()),
        filtered=filtered + old, duplicates=duplicates, history=kept,
    )  # fmt: skip


def _refuse_unknown_kinds(night: Night, parts: Sequence[Part]) -> None:
    occur = {kind for part in parts for day in part.days for kind in part.manifest.days[day].kinds}
    lost = sorted(occur - set(night.config.events))
    if lost:
        raise ConfigError(
            f"events must name every type that the log holds inside the window, got nothing for "
            f"{', '.join(lost)}: give it a weight, 0 if it should count for nothing"
        )


def _weighing(night: Night) -> Weighing:
    history, zone = night.config.history, night.config.interactions.time_zone
    return Weighing(
        events=dict(night.config.events),
        max_weight=history.max_weight,
        max_user_weight=history.max_user_weight,
        half_life_days=history.half_life_days,
        end=micros(day_start(night.run_date + timedelta(days=1), zone)),
        cut=micros(day_start(night.cut, zone)),
    )
