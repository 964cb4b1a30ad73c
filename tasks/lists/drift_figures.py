"""Measure how the lists of one surface moved between two snapshots, a chunk of users at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.drift import SurfaceDrift
from data_contracts.manifests import SnapshotManifest
from models.metric.list_overlap import Common, is_popular, overlap, rank_biased_overlap, unchanged
from tasks.history.matrix import finished_matrices
from tasks.history.matrix_shard import load_shard
from tasks.lake import Night
from tasks.vocabulary.vocabulary import items_of

_CHUNK_USERS = 50_000  # compared at once
_MEANS = ("overlap", "rank_overlap", "changed_users", "popular_users", "popular_overlap")


class Surface(NamedTuple):
    """The lists of one surface in two snapshots, and the items that stand in them."""

    now: list[Path]
    before: list[Path]
    items: pl.DataFrame  # item_id, item (place here), popular_rank (from 1; 0: none), now, before
    popular_rank: np.ndarray  # of every item of the vocabulary, from 1; 0: none


class Chunk(NamedTuple):
    """Some users of one shard: rows of (user, item, rank), user counted inside the chunk."""

    now: pl.DataFrame
    before: pl.DataFrame
    met: pl.DataFrame  # user, popular_rank: the popular items they have met
    n_users: int


class Sums(NamedTuple):
    """Sums over users, added up over chunks."""

    users: int
    shared: int
    values: np.ndarray  # one per name in _MEANS


def surface_files(root: Path, manifest: SnapshotManifest) -> dict[str, list[Path]]:
    """Return the files of top_n of every surface of a snapshot that lies in a folder."""
    found: dict[str, list[Path]] = {}
    for entry in manifest.files:
        table, _, rest = entry.path.partition("/surface=")
        if table == "top_n" and rest:
            found.setdefault(rest.partition("/")[0], []).append(root / entry.path)
    return {name: sorted(paths) for name, paths in found.items()}


def open_surface(night: Night, now: list[Path], before: list[Path]) -> Surface:
    """Return the lists with the items that stand in them.

    The order by popularity holds only items listed now: what a rule keeps out of every list
    would otherwise make all lists look unlike the popular one.
    """
    listed, listed_before = (_listed(paths) for paths in (now, before))
    vocabulary = items_of(night.lake, finished_matrices(night))
    rank = _popular_rank(night, vocabulary.is_in(listed.implode()).to_numpy())
    ranks = pl.DataFrame({"item_id": vocabulary, "popular_rank": rank})
    ids = pl.concat([listed, listed_before]).unique().sort().to_frame()
    items = ids.join(ranks, on="item_id", how="left", maintain_order="left").with_columns(
        pl.col("popular_rank").fill_null(0),
        item=pl.int_range(pl.len(), dtype=pl.Int64),
        now=pl.col("item_id").is_in(listed.implode()),
        before=pl.col("item_id").is_in(listed_before.implode()),
    )
    return Surface(now, before, items, rank)


def surface_drift(night: Night, surface: Surface) -> SurfaceDrift:
    """Return the figures of one surface; memory is bounded by a chunk of users."""
    persistence = night.config.drift.persistence
    found = [_sums(chunk, persistence) for chunk in _chunks(night, surface)]
    users, shared = (sum(column) for column in (zip(*[each[:2] for each in found], strict=True)))
    per_mean = np.array([shared, shared, shared, users, users])
    means = np.sum([each.values for each in found], axis=0) / np.maximum(per_mean, 1)
    now, before = surface.items["now"], surface.items["before"]
    return SurfaceDrift(
        users=users, shared_users=shared, new_users=users - shared,
        gone_users=_users(surface.before) - shared,
        items_in=_share(now & ~before, now), items_out=_share(before & ~now, before),
        **{name: round(float(mean), 6) for name, mean in zip(_MEANS, means, strict=True)},
    )  # fmt: skip


def _share(part: pl.Series, whole: pl.Series) -> float:
    return round(int(part.sum()) / max(int(whole.sum()), 1), 6)


def _listed(paths: list[Path]) -> pl.Series:
    lists = pl.scan_parquet(paths, hive_partitioning=False)
    return lists.select(pl.col("item_id").unique()).collect(engine="streaming")["item_id"]


def _users(paths: list[Path]) -> int:
    lists = pl.scan_parquet(paths, hive_partitioning=False)
    return int(lists.select(pl.col("user_id").n_unique()).collect(engine="streaming").item())


def _popular_rank(night: Night, listed: np.ndarray) -> np.ndarray:
    """Return the place of every listed item by summed weight, from 1; 0 for the others."""
    total = np.zeros(len(listed))
    for shard in range(finished_matrices(night).n_shards):
        X = load_shard(night.step("matrices"), shard).full
        total += np.bincount(X.indices, weights=X.data, minlength=len(listed))
    order = np.argsort(-total, kind="stable")
    order = order[(listed & (total > 0))[order]]
    rank = np.zeros(len(listed), np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return rank


def _chunks(night: Night, surface: Surface) -> Iterator[Chunk]:
    for shard in range(finished_matrices(night).n_shards):
        arrays = load_shard(night.step("matrices"), shard)
        for start in range(0, len(arrays.users), _CHUNK_USERS):
            users = arrays.users.slice(start, _CHUNK_USERS)
            X = arrays.full[start : start + len(users)]
            user = np.repeat(np.arange(len(users)), np.diff(X.indptr))
            rank = surface.popular_rank[X.indices]
            met = pl.DataFrame({"user": user, "popular_rank": rank}).filter(
                pl.col("popular_rank") > 0
            )
            now, before = (_rows(paths, users, surface) for paths in (surface.now, surface.before))
            yield Chunk(now, before, met, len(users))


def _rows(paths: list[Path], users: pl.Series, surface: Surface) -> pl.DataFrame:
    """Return the lists of some users; the files are in order of user_id, so few are read."""
    first, last = users.min(), users.max()
    place = pl.DataFrame({"user_id": users, "user": np.arange(len(users))})
    items = surface.items.select("item_id", "item", "popular_rank")
    return (
        pl.scan_parquet(paths, hive_partitioning=False)
        .select("user_id", "rank", "item_id")
        .filter(pl.col("user_id").is_between(pl.lit(first), pl.lit(last)))
        .join(place.lazy(), on="user_id")
        .join(items.lazy(), on="item_id")
        .select("user", "item", "popular_rank", rank=pl.col("rank").cast(pl.Int64))
        .collect(engine="streaming")
    )


def _sums(chunk: Chunk, persistence: float) -> Sums:
    now, before = chunk.now, chunk.before
    n, n_before = (
        np.bincount(rows["user"].to_numpy(), minlength=chunk.n_users) for rows in (now, before)
    )
    both = (n > 0) & (n_before > 0)
    pairs = now.join(before, on=["user", "item"], suffix="_before")
    common = Common(*(pairs[name].to_numpy() for name in ("user", "rank", "rank_before")))
    n_both, n_before_both = np.maximum(n, 1), np.maximum(n_before, 1)  # the rest is left out below
    values = (
        overlap(common, n_both, n_before_both)[both].sum(),
        rank_biased_overlap(common, n_both, n_before_both, persistence=persistence)[both].sum(),
        (~unchanged(common, n_both, n_before_both))[both].sum(),
        _popular(chunk, n)[n > 0].sum(),
        _popular_overlap(now, n)[n > 0].sum(),
    )
    return Sums(int((n > 0).sum()), int(both.sum()), np.array(values, np.float64))


def _popular(chunk: Chunk, n: np.ndarray) -> np.ndarray:
    user, rank, popular_rank = (
        chunk.now[name].to_numpy() for name in ("user", "rank", "popular_rank")
    )
    met = chunk.met.join(chunk.now, on=["user", "popular_rank"], how="anti")
    return is_popular(
        user, rank, popular_rank, n,
        met_user=met["user"].to_numpy(), met_rank=met["popular_rank"].to_numpy(),
    )  # fmt: skip


def _popular_overlap(now: pl.DataFrame, n: np.ndarray) -> np.ndarray:
    """Return the share of every list that stands among the most popular items, as many."""
    user, rank = now["user"].to_numpy(), now["popular_rank"].to_numpy()
    top = user[(rank > 0) & (rank <= n[user])]
    shares: np.ndarray = np.bincount(top, minlength=len(n)) / np.maximum(n, 1)
    return shares
