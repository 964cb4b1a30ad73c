"""A lake with a history, a catalogue, segments and lists, for the tests of rules."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tasks.history.history import build_history
from tasks.history.matrix import build_matrices, finished_matrices
from tasks.history.matrix_shard import load_shard
from tasks.ingest.ingest import ingest
from tasks.lake import Night
from tasks.lists.rules import SurfaceRules, UserRules, load_rules, rules_of_users
from tasks.vocabulary.universe import item_universe
from tests.tiny_lake import Row, night, write_day

EVENTS = {"view": 1.0, "purchase": 4.0, "search": 0.0}


def put(lake: Path, file: str, **columns: object) -> Path:
    """Write a Parquet file into the lake."""
    path = lake / file
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)
    return path


def rules_night(lake: Path, surface: dict[str, object] | None = None, **sections: object) -> Night:
    """A night with one surface, and events that may be a month late."""
    given = {
        "events": EVENTS,
        "interactions": {"look_back_days": 30},
        "history": {"n_user_shards": 2},
        "surfaces": {"home": surface or {}},
    }
    return night(lake, **(given | sections))


def make_history(tonight: Night, rows: Sequence[Row], **options: object) -> pl.Series:
    """Write a log and what is made of it; return tonight's items."""
    write_day(tonight.lake, rows, **options)
    matrices = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    return item_universe(tonight, matrices)


def items_of(tonight: Night) -> pl.Series:
    """Items of a night whose history was made."""
    return item_universe(tonight, finished_matrices(tonight))


def all_rules(
    tonight: Night, item_ids: pl.Series
) -> tuple[SurfaceRules, list[tuple[pl.Series, UserRules]]]:
    """Rules of the surface, and of the users of every shard."""
    rules = load_rules(tonight, "home", item_ids)
    shards = range(tonight.config.history.n_user_shards)
    users = [load_shard(tonight.step("matrices"), shard).users for shard in shards]
    return rules, [(ids, rules_of_users(tonight, rules, n, ids)) for n, ids in enumerate(users)]


def listable(tonight: Night, item_ids: pl.Series) -> dict[object, set[object]]:
    """What the rules let every user be shown."""
    return listable_by(*all_rules(tonight, item_ids), item_ids)


def listable_by(
    rules: SurfaceRules, shards: Sequence[tuple[pl.Series, UserRules]], item_ids: pl.Series
) -> dict[object, set[object]]:
    """What these arrays let every user be shown."""
    found = {}
    for ids, users in shards:
        for row, user_id in enumerate(ids):
            may = rules.eligible[users.group[row]].copy()
            may[users.hidden[[row]].indices] = False
            if users.allowed is not None and len(own := users.allowed[[row]].indices):
                may[[item for item in range(len(may)) if item not in own]] = False
            found[user_id] = {
                item for item, is_shown in zip(item_ids, may, strict=True) if is_shown
            }
    return found
