"""Tell what is known of one user or one item, from the latest snapshot and its night."""

from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from data_contracts.errors import ConfigError
from data_contracts.manifests import SnapshotManifest
from data_contracts.why import (
    ItemStory,
    Listed,
    MetItem,
    Origin,
    SimilarItem,
    UserList,
    UserStory,
)
from tasks.catalogue import read_catalogue
from tasks.history.history_event import is_kept
from tasks.history.history_shard import of_user, users_of_item
from tasks.lake import Night
from tasks.lists.segments import read_segments
from tasks.report.examples import in_words
from tasks.snapshot.snapshot import reading
from tasks.user_hash import masked

Id = str | int


class Published(NamedTuple):
    """A snapshot that is being read, and the night that made it."""

    night: Night
    folder: Path
    manifest: SnapshotManifest

    @property
    def origin(self) -> Origin:
        """Where an answer comes from."""
        manifest = self.manifest
        return Origin(
            snapshot_id=manifest.snapshot_id,
            run_date=manifest.run_date,
            model_version=manifest.model_version,
        )

    def table(self, name: str) -> pl.LazyFrame:
        """Return a table, not yet read; surfaces are texts, whatever their names."""
        files = [each.path for each in self.manifest.files if each.path.startswith(f"{name}/")]
        types = {"surface": pl.String()} if any("/surface=" in path for path in files) else None
        return pl.scan_parquet(
            [self.folder / path for path in sorted(files)],
            hive_partitioning=types is not None,
            hive_schema=types,
        )

    @property
    def history(self) -> Path | None:
        """Folder of what users have met, or None where its files were tidied up."""
        folder = self.night.step("history")
        return folder if is_kept(folder) else None


def why_user(night: Night, user: str, surface: str | None = None) -> UserStory:
    """Return a user's history and lists, with the reasons behind them.

    Args:
        night: gives lake and configuration; its run date plays no part.
        user: the id, as text.
        surface: the only one to show; by default all.

    Raises:
        NoSnapshotError: nothing has been published.
        ConfigError: the snapshot knows no such user or surface.
    """
    with reading(night.lake) as (folder, manifest):
        published = Published(_as_of(night, manifest), folder, manifest)
        top_n = published.table("top_n")
        user_id = _parsed(user, top_n, "user_id")
        shown = _of_user(top_n, user_id)
        short = _of_user(published.table("short_lists"), user_id)
        kept = published.history
        met = None if kept is None else of_user(kept, user_id)
        if shown.is_empty() and short.is_empty() and (met is None or met.is_empty()):
            raise ConfigError(
                f"user must be one that snapshot {manifest.snapshot_id} knows, got "
                f"{masked(night.config, user)}"
            )
        titles = _titles(published.night)
        return UserStory(
            origin=published.origin,
            user_id=user_id,
            segment=_segment(published.night, user_id),
            history=() if met is None else _met(published.night, met, titles),
            history_is_kept=met is not None,
            lists=_lists(top_n, shown, short, surface, titles),
        )


def why_item(night: Night, item: str) -> ItemStory:
    """Return what an item is like, and how often it is shown.

    Args:
        night: gives lake and configuration; its run date plays no part.
        item: the id, as text.

    Raises:
        NoSnapshotError: nothing has been published.
        ConfigError: neither the snapshot nor the catalogue knows such an item.
    """
    with reading(night.lake) as (folder, manifest):
        published = Published(_as_of(night, manifest), folder, manifest)
        top_n = published.table("top_n")
        item_id = _parsed(item, top_n, "item_id")
        catalogue = read_catalogue(published.night, ("title", "category", "available"))
        own = _of_item(catalogue, item_id)
        similar = _collect(published.table("similar_items"), "item_id", item_id).sort("rank")
        vector = _collect(published.table("item_embeddings"), "item_id", item_id)
        lists = _listed(top_n, item_id)
        met = _users_met(published, item_id)
        if not (own or lists or met) and similar.is_empty() and vector.is_empty():
            raise ConfigError(
                f"item must be one that snapshot {manifest.snapshot_id} or the catalogue knows, "
                f"got {item}"
            )
        titles = dict(catalogue.select("item_id", "title").iter_rows())
        return ItemStory(
            origin=published.origin,
            item_id=item_id,
            title=own.get("title"),
            category=own.get("category"),
            available=own.get("available", True),
            in_catalogue=bool(own),
            users_met=met,
            model_users=None if vector.is_empty() else vector["n_interactions"].item(),
            similar=_similar(similar, titles),
            lists=lists,
        )


def _as_of(night: Night, manifest: SnapshotManifest) -> Night:
    return night.model_copy(update={"run_date": manifest.run_date})


def _parsed(text: str, table: pl.LazyFrame, column: str) -> Id:
    if table.collect_schema()[column] == pl.String:
        return text
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{column} must be a whole number in this lake, got a text") from None


def _collect(table: pl.LazyFrame, column: str, value: Id) -> pl.DataFrame:
    return table.filter(pl.col(column) == pl.lit(value)).collect(engine="streaming")


def _of_user(table: pl.LazyFrame, user_id: Id) -> pl.DataFrame:
    return _collect(table, "user_id", user_id)


def _titles(night: Night) -> dict[Id, str | None]:
    return dict(read_catalogue(night, ("title",)).iter_rows())


def _segment(night: Night, user_id: Id) -> str | None:
    segments = read_segments(night)
    if not segments.names:  # an empty table has no type of ids
        return None
    found = segments.users.filter(pl.col("user_id") == pl.lit(user_id))
    return segments.names[found["group"].item() - 1] if found.height else None


def _met(night: Night, rows: pl.DataFrame, titles: dict[Id, str | None]) -> tuple[MetItem, ...]:
    zone = ZoneInfo(night.config.interactions.time_zone)
    rows = rows.sort("weight", "item_id", descending=[True, False])
    return tuple(
        MetItem(
            item_id=row["item_id"],
            title=titles.get(row["item_id"]),
            weight=row["weight"],
            events=row["n_events"],
            first_day=row["first_seen"].astimezone(zone).date(),
            last_day=row["last_seen"].astimezone(zone).date(),
        )
        for row in rows.iter_rows(named=True)
    )


def _lists(
    top_n: pl.LazyFrame,
    shown: pl.DataFrame,
    short: pl.DataFrame,
    only: str | None,
    titles: dict[Id, str | None],
) -> tuple[UserList, ...]:
    names = top_n.select(pl.col("surface").unique().sort()).collect(engine="streaming")["surface"]
    if only is not None and only not in names:
        raise ConfigError(f"surface must be one of {', '.join(names)}, got {only}")
    return tuple(
        UserList(
            surface=name,
            short_reason=next(iter(short.filter(pl.col("surface") == name)["short_reason"]), None),
            items=in_words(shown.filter(pl.col("surface") == name).sort("rank"), titles),
        )
        for name in names
        if only in (None, name)
    )


def _of_item(catalogue: pl.DataFrame, item_id: Id) -> dict[str, Any]:
    if catalogue.is_empty():  # then it has no type of ids
        return {}
    rows = catalogue.filter(pl.col("item_id") == pl.lit(item_id))
    return rows.row(0, named=True) if rows.height else {}


def _similar(rows: pl.DataFrame, titles: dict[Id, str | None]) -> tuple[SimilarItem, ...]:
    return tuple(
        SimilarItem(
            rank=row["rank"],
            item_id=row["similar_item_id"],
            title=titles.get(row["similar_item_id"]),
            score=row["score"],
            source=row["source"],
        )
        for row in rows.iter_rows(named=True)
    )


def _listed(top_n: pl.LazyFrame, item_id: Id) -> tuple[Listed, ...]:
    users = top_n.group_by("surface").agg(pl.col("user_id").n_unique().alias("all"))
    rows = (
        top_n.filter(pl.col("item_id") == pl.lit(item_id))
        .group_by("surface", "source")
        .agg(pl.len().alias("n"), pl.col("rank").cast(pl.Int64).sum().alias("ranks"))
        .join(users, on="surface")
        .sort("surface", "source")
        .collect(engine="streaming")
    )
    by_surface = rows.group_by("surface", maintain_order=True)
    return tuple(_shown_on(str(surface), part) for (surface,), part in by_surface)


def _shown_on(surface: str, rows: pl.DataFrame) -> Listed:
    n, ranks, users = int(rows["n"].sum()), int(rows["ranks"].sum()), int(rows["all"][0])
    return Listed(
        surface=surface,
        users=n,
        share_of_users=round(n / users, 6),
        mean_rank=round(ranks / n, 2),
        sources=dict(rows.select("source", "n").iter_rows()),
    )


def _users_met(published: Published, item_id: Id) -> int | None:
    return None if published.history is None else users_of_item(published.history, item_id)
