"""Check the finished lists against the rules, before anybody can read them."""

import functools
import logging
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.manifests import (
    CheckManifest,
    HistoryManifest,
    MatrixManifest,
    SnapshotManifest,
)
from data_contracts.top_n import SHORT_REASONS
from models.ranking.list_contract import Lists, Terms, violations
from tasks.history.matrix_shard import load_shard
from tasks.lake import Night
from tasks.lists.rules import SurfaceRules, load_rules, rules_of_users
from tasks.registry.registry import fetch_model
from tasks.steps import run_step
from tasks.tables.rating_check import RATING_RULES, rating_violations
from tasks.tables.surface_file import surface_path
from tasks.vocabulary.universe import item_universe

logger = logging.getLogger(__name__)
N_PROVEN = 2000  # short lists of a shard whose reason is proven
RULES = {
    "hidden": "no list holds an item that its user has seen or is not to be shown",
    "ineligible": "no list holds an item that is unavailable, outside the surface or unknown",
    "not_allowed": "a user with an allow list gets nothing else",
    "repeated": "no list holds an item twice",
    "not_finite": "every score is a finite number",
    "rank_gap": "ranks run from 1 without a gap, scores of the model fall unless a rule says so",
    "category_caps": "no list holds more of a category than its cap",
    "wrong_length": "every list is as long as asked, or says why it is not",
    "untrue_reason": "a short list's reason is true, and it is as long as the rules allow",
    "unknown_user": "every list belongs to a user of the history",
    "stamp": "every row carries tonight's run date, model version and snapshot",
}


def check_lists(
    night: Night, history: HistoryManifest, matrices: MatrixManifest, snapshot: SnapshotManifest
) -> CheckManifest:
    """Return the violations by rule, all zero.

    Raises:
        ContractViolationError: a list breaks a rule, or too many users got nothing of the model.
    """
    work = functools.partial(_check, night, matrices, snapshot)
    settings = {"max_fallback_share": night.config.tables.max_fallback_share}
    return run_step(
        night, "check", CheckManifest, settings=settings, inputs=[history, snapshot], work=work
    )


def _check(
    night: Night, matrices: MatrixManifest, snapshot: SnapshotManifest, _staging: Path, key: str
) -> CheckManifest:
    item_ids = item_universe(night, matrices)
    known = _known_items(night, snapshot, item_ids)
    found = dict.fromkeys(RULES, 0)
    users = 0
    for surface in night.config.surfaces:
        rules = load_rules(night, surface, item_ids)
        for shard in range(matrices.n_shards):
            user_ids = load_shard(night.step("matrices"), shard).users
            terms = _terms(night, rules, shard, user_ids, known)
            users += len(user_ids)
            for rule, count in shard_violations(
                night, snapshot, surface, shard, user_ids, item_ids, terms
            ).items():
                found[rule] += count
    found |= rating_violations(night, snapshot)
    refuse(found, snapshot, night)
    logger.info("check: %d lists, every rule kept", users)
    return CheckManifest(step="check", run_date=night.run_date, key=key, rules=found, users=users)


def _known_items(night: Night, snapshot: SnapshotManifest, item_ids: pl.Series) -> np.ndarray:
    """Return which items the model knows: those with a vector, by its counts if none has one."""
    embeddings = night.step("materialise") / "item_embeddings" / "*.parquet"
    embedded = pl.scan_parquet(embeddings).select("item_id").collect()["item_id"]
    if len(embedded):
        return item_ids.is_in(embedded.implode()).to_numpy()
    counts = fetch_model(night.config, snapshot.model_version).counts
    return np.pad(np.asarray(counts) > 0, (0, len(item_ids) - len(counts)))


def _terms(
    night: Night, rules: SurfaceRules, shard: int, user_ids: pl.Series, known: np.ndarray
) -> Terms:
    users = rules_of_users(night, rules, shard, user_ids)
    surface = rules.surface
    return Terms(
        n=surface.n_top, eligible=rules.eligible, known=known, group=users.group,
        hidden=users.hidden, allowed=users.allowed, category=rules.category, caps=rules.caps,
        complete="newest" in surface.fallback,
        scores_fall=not (surface.diversity or surface.rotation or surface.content_places),
    )  # fmt: skip


def shard_violations(
    night: Night,
    snapshot: SnapshotManifest,
    surface: str,
    shard: int,
    user_ids: pl.Series,
    item_ids: pl.Series,
    terms: Terms,
) -> dict[str, int]:
    """Return how often the lists of one user shard break every rule."""
    folder = night.step("materialise")
    rows = pl.read_parquet(folder / surface_path("top_n", surface, shard))
    short = pl.read_parquet(folder / surface_path("short_lists", surface, shard))
    user = _place(rows["user_id"], user_ids)
    reason = _reasons(short, user_ids)
    strangers = user < 0
    lists = Lists(
        user=user[~strangers],
        item=_place(rows["item_id"], item_ids)[~strangers],
        rank=rows["rank"].to_numpy()[~strangers],
        score=rows["score"].to_numpy()[~strangers],
        by_model=(rows["source"] == "model").to_numpy()[~strangers],
    )
    found = violations(lists, terms, reason, n_proven=N_PROVEN)
    found["unknown_user"] = int(strangers.sum() + (_place(short["user_id"], user_ids) < 0).sum())
    found["stamp"] = sum(_unstamped(table, night, snapshot) for table in (rows, short))
    found["wrong_length"] += _disagreeing(rows, short)
    return found


def _place(values: pl.Series, ids: pl.Series) -> np.ndarray:
    """Return the place of every value among the ids, -1 where it is not there."""
    places = pl.DataFrame({"id": ids, "place": np.arange(len(ids), dtype=np.int64)})
    found = pl.DataFrame({"id": values}).join(places, on="id", how="left", maintain_order="left")
    return found["place"].fill_null(-1).to_numpy()


def _reasons(short: pl.DataFrame, user_ids: pl.Series) -> np.ndarray:
    reason = np.full(len(user_ids), -1, dtype=np.int8)
    codes = short["short_reason"].replace_strict(
        SHORT_REASONS, range(len(SHORT_REASONS)), return_dtype=pl.Int8
    )
    place = _place(short["user_id"], user_ids)
    reason[place[place >= 0]] = codes.to_numpy()[place >= 0]
    return reason


def _unstamped(table: pl.DataFrame, night: Night, snapshot: SnapshotManifest) -> int:
    stamped = (
        (pl.col("run_date") == night.run_date)
        & (pl.col("model_version") == snapshot.model_version)
        & (pl.col("snapshot_id") == snapshot.snapshot_id)
    )
    return table.filter(~stamped).height


def _disagreeing(rows: pl.DataFrame, short: pl.DataFrame) -> int:
    """Count users whose rows give another reason or number than short_lists."""
    told = rows.filter(pl.col("short_reason").is_not_null())
    told = told.group_by("user_id", "short_reason").agg(n_items=pl.len().cast(pl.Int32))
    stated = short.filter(pl.col("n_items") > 0).select("user_id", "short_reason", "n_items")
    both = told.join(stated, on=["user_id", "short_reason", "n_items"], how="semi").height
    return told.height + stated.height - 2 * both


def refuse(found: dict[str, int], snapshot: SnapshotManifest, night: Night) -> None:
    """Stop the night if any list breaks a rule, or too many users got nothing of the model.

    Raises:
        ContractViolationError: with the sentence of every broken rule.
    """
    broken = {rule: count for rule, count in found.items() if count}
    if broken:
        said = RULES | RATING_RULES
        sentences = "; ".join(f"{said[rule]}: {count} broken" for rule, count in broken.items())
        raise ContractViolationError(
            f"the lists of {night.run_date} break their contract: {sentences}"
        )
    most = night.config.tables.max_fallback_share
    if snapshot.fallback_share > most:
        raise ContractViolationError(
            f"the share of lists without an item of the model must be at most {most}, "
            f"got {snapshot.fallback_share} (tables.max_fallback_share)"
        )
