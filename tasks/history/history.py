"""Update the history: one row per user and item, as of the run date."""

import functools
import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.interactions import day_start
from data_contracts.manifests import HistoryManifest, IngestManifest
from models.event.event_log import Decay, add_up, last_values
from tasks.calendar import micros
from tasks.history.history_shard import ITEMS, check_pairs, name_items, write_shard
from tasks.history.shard_threads import for_every_shard
from tasks.ingest.id_codes import item_codes
from tasks.ingest.past_events import Fates, Tally, past_events
from tasks.lake import Night
from tasks.source.log_files import earlier_ingests
from tasks.steps import entries, run_step

logger = logging.getLogger(__name__)
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
        "columns": night.config.interactions.columns.model_dump(include={"event_id", "value"}),
    }
    work = functools.partial(_build, night, inputs)
    return run_step(night, "history", HistoryManifest, settings=settings, inputs=inputs, work=work)


def ingests_in_window(night: Night, ingest: IngestManifest) -> list[IngestManifest]:
    """Return the manifests of the nights whose events are not forgotten yet, oldest first."""
    first = night.run_date - timedelta(days=night.config.history.window_days - 1)
    return [each for each in earlier_ingests(night) if each.run_date >= first] + [ingest]


class _Built(NamedTuple):
    """What is left of a user shard once it is written."""

    rows: dict[str, int]  # by file
    users: int
    interactions: int
    met: np.ndarray  # (n_codes,) bool: which items, by place in the order of their ids
    fates: Fates


def _build(
    night: Night, inputs: Sequence[IngestManifest], staging: Path, key: str
) -> HistoryManifest:
    newest, tally = inputs[-1], Tally(inputs)
    items = item_codes(night.lake, newest.item_id_type)
    build = functools.partial(_build_shard, night, inputs, items.order(), staging)
    built = for_every_shard(build, newest.n_user_shards, "updating histories")
    for each in built:
        tally.note(each.fates)
    rows = {path: n for each in built for path, n in each.rows.items()}
    met = np.logical_or.reduce([each.met for each in built])
    name_items(staging, items.ids.sort(), met)
    rows[ITEMS] = int(met.sum())
    users, interactions = (
        sum(each.users for each in built),
        sum(each.interactions for each in built),
    )
    logger.info("history: %d users, %d interactions", users, interactions)
    return HistoryManifest(
        step="history", run_date=night.run_date, key=key, files=entries(staging, rows),
        users=users, interactions=interactions, duplicates=tally.told_again,
        log_files=tally.accounts(),
        user_id_type=newest.user_id_type, item_id_type=newest.item_id_type,
    )  # fmt: skip


def _build_shard(
    night: Night,
    inputs: Sequence[IngestManifest],
    item_order: np.ndarray,
    staging: Path,
    shard: int,
) -> _Built:
    past = past_events(night, inputs, shard, item_order)
    pairs = add_up(past.order, past.kept, _decay(night))
    if past.value is not None:
        pairs = pairs._replace(value=last_values(past.order, past.kept, past.value))
    met = np.zeros(len(item_order), bool)
    met[pairs.item] = True
    sizes = np.diff(pairs.indptr)
    has = sizes > 0
    pairs = pairs._replace(indptr=np.concatenate(([0], np.cumsum(sizes[has]))))
    check_pairs(pairs)
    rows = write_shard(staging, shard, past.user_ids.filter(pl.Series(has)), pairs)
    return _Built(rows, int(has.sum()), int((pairs.weight > 0).sum()), met, past.fates)


def _decay(night: Night) -> Decay:
    config, zone = night.config.history, night.config.interactions.time_zone
    weights = [night.config.events[name] for name in sorted(night.config.events)]
    days = config.half_life_days
    return Decay(
        shares=np.array(weights) / config.max_weight,
        cap=config.max_weight,
        end=micros(day_start(night.run_date + timedelta(days=1), zone)),
        half_life=None if days is None else days * _DAY_US,
        cut=micros(day_start(night.cut, zone)),
        user_cap=config.max_user_weight,
    )
