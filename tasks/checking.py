"""Check the finished lists against the histories, before anybody can read them."""

import functools
import logging
from pathlib import Path

import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.manifests import CheckManifest, HistoryManifest, SnapshotManifest
from tasks.eligibility import unavailable_items
from tasks.lake import Night, shard_name
from tasks.steps import run_step

logger = logging.getLogger(__name__)
RULES = {
    "seen": "no list holds an item of its user's history",
    "ineligible": "no list holds an item that is unavailable or unknown to its source",
    "repeated": "no list holds an item twice",
    "not_finite": "every score is a finite number",
    "rank_gap": "ranks run from 1 without a gap, scores never rise",
    "wrong_length": "every list is as long as asked, or as the user's unseen items allow",
    "unknown_user": "every list belongs to a user of the history",
    "stamp": "every row carries tonight's run date, model version and snapshot",
}


def check_lists(
    night: Night, history: HistoryManifest, snapshot: SnapshotManifest
) -> CheckManifest:
    """Return the violations by rule, all zero.

    Raises:
        ContractViolationError: a list breaks a rule, or too many users got the popular list.
    """
    work = functools.partial(_check, night, snapshot)
    settings = {"tables": night.config.tables.model_dump()}
    return run_step(
        night, "check", CheckManifest, settings=settings, inputs=[history, snapshot], work=work
    )


def _check(night: Night, snapshot: SnapshotManifest, _staging: Path, key: str) -> CheckManifest:
    eligible = eligible_items(night)
    found = dict.fromkeys(RULES, 0)
    users = 0
    for shard in range(night.config.history.n_user_shards):
        lists = pl.read_parquet(_table(night, "top_n", shard))
        history = pl.read_parquet(night.step("history") / f"{shard_name(shard)}.parquet")
        users += history["user_id"].n_unique()
        for rule, count in violations(lists, history, eligible, snapshot, night).items():
            found[rule] += count
    refuse(found, snapshot, night)
    logger.info("check: %d users, every rule kept", users)
    return CheckManifest(step="check", run_date=night.run_date, key=key, rules=found, users=users)


def eligible_items(night: Night) -> dict[str, pl.Series]:
    """Return the ids each source may recommend."""
    embeddings = night.step("materialise") / "item_embeddings" / "*.parquet"
    known = pl.scan_parquet(embeddings).select("item_id").collect()["item_id"]
    liked = pl.scan_parquet(night.step("history") / "*.parquet").filter(pl.col("weight") > 0)
    popular = liked.select(pl.col("item_id").unique()).collect(engine="streaming")["item_id"]
    banned = unavailable_items(night).to_list()
    return {
        "model": known.filter(~known.is_in(banned)),
        "popular": popular.filter(~popular.is_in(banned)),
    }


def violations(
    lists: pl.DataFrame,
    history: pl.DataFrame,
    eligible: dict[str, pl.Series],
    snapshot: SnapshotManifest,
    night: Night,
) -> dict[str, int]:
    """Return the number of rows (or users) of one user shard that break each rule."""
    seen = history.filter(pl.col("weight") > 0).select("user_id", "item_id")
    by_user = lists.group_by("user_id", maintain_order=True)
    ranks = by_user.agg(
        gap=(pl.col("rank") != pl.int_range(1, pl.len() + 1)).any(),
        rises=(pl.col("score").diff() > 0).any(),
    )
    stamped = (
        (pl.col("run_date") == night.run_date)
        & (pl.col("model_version") == snapshot.model_version)
        & (pl.col("snapshot_id") == snapshot.snapshot_id)
    )
    allowed = pl.lit(value=False)
    for source, items in eligible.items():
        allowed |= (pl.col("source") == source) & pl.col("item_id").is_in(items.to_list())
    return {
        "seen": lists.join(seen, on=["user_id", "item_id"], how="semi").height,
        "ineligible": lists.filter(~allowed).height,
        "repeated": lists.height - lists.select("user_id", "item_id").n_unique(),
        "not_finite": lists.filter(~pl.col("score").is_finite()).height,
        "rank_gap": ranks.filter(pl.col("gap") | pl.col("rises")).height,
        "wrong_length": _wrong_lengths(lists, history, seen, eligible, night.config.tables.n_top),
        "unknown_user": lists.join(history, on="user_id", how="anti").height,
        "stamp": lists.filter(~stamped).height,
    }


def _wrong_lengths(
    lists: pl.DataFrame,
    history: pl.DataFrame,
    seen: pl.DataFrame,
    eligible: dict[str, pl.Series],
    n_top: int,
) -> int:
    got = lists.group_by("user_id").agg(n=pl.len(), source=pl.col("source").first())
    users = history.select(pl.col("user_id").unique()).join(got, on="user_id", how="left")
    model = seen.filter(pl.col("item_id").is_in(eligible["model"].to_list()))
    popular = seen.filter(pl.col("item_id").is_in(eligible["popular"].to_list()))
    for source, rows in (("model", model), ("popular", popular)):
        counts = rows.group_by("user_id").agg(pl.len().alias(source))
        users = users.join(counts, on="user_id", how="left")
    left = {
        source: len(items) - pl.col(source).fill_null(0).cast(pl.Int64)
        for source, items in eligible.items()
    }
    # a user whose list is empty shows no source: it may be empty if either has nothing left
    expected = (
        pl.when(pl.col("source") == "popular").then(left["popular"])
        .when(pl.col("source") == "model").then(left["model"])
        .otherwise(pl.min_horizontal(left["model"], left["popular"]))
        .clip(0, n_top)
    )  # fmt: skip
    return users.filter(pl.col("n").fill_null(0).cast(pl.Int64) != expected).height


def refuse(found: dict[str, int], snapshot: SnapshotManifest, night: Night) -> None:
    """Stop the night if any list breaks a rule, or too many users got the popular list.

    Raises:
        ContractViolationError: with the sentence of every broken rule.
    """
    broken = {rule: count for rule, count in found.items() if count}
    if broken:
        sentences = "; ".join(f"{RULES[rule]}: {count} broken" for rule, count in broken.items())
        raise ContractViolationError(
            f"the lists of {night.run_date} break their contract: {sentences}"
        )
    most = night.config.tables.max_fallback_share
    if snapshot.fallback_share > most:
        raise ContractViolationError(
            f"the share of users with the popular list must be at most {most}, "
            f"got {snapshot.fallback_share} (tables.max_fallback_share)"
        )


def _table(night: Night, table: str, shard: int) -> Path:
    return night.step("materialise") / table / f"{shard_name(shard)}.parquet"
