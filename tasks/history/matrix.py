"""Build the matrices of a night: per user shard, CSR arrays that are opened without being read."""

import functools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import HoarfrostError
from data_contracts.interactions import day_start
from data_contracts.manifests import HistoryManifest, MatrixManifest
from models.event.event_log import csr_of, marked_by_user, relabelled
from models.split.split import temporal_holdout
from tasks.calendar import micros
from tasks.history.history_event import history_items
from tasks.history.history_shard import HistoryShard, check_pairs, open_shard
from tasks.history.shard_threads import for_every_shard
from tasks.lake import Night, shard_name
from tasks.steps import entries, read_manifest, run_step
from tasks.vocabulary.id_digest import id_digest
from tasks.vocabulary.retirement import retire_items
from tasks.vocabulary.vocabulary import tonights_vocabulary

logger = logging.getLogger(__name__)
MATRICES = ("full", "train", "fold_in", "target")
_PARTS = ("indptr", "indices", "data")


@dataclass(frozen=True)
class MatrixShard:
    """The matrices of one user shard; rows are users, columns are items of the vocabulary."""

    users: pl.Series
    full: sp.csr_array  # all up to the run date
    train: sp.csr_array  # events before the held-out days
    fold_in: sp.csr_array  # shown of judged users
    target: sp.csr_array  # asked of judged users


class Counts(NamedTuple):
    """Sizes of one shard."""

    users: int
    interactions: int
    held_out_users: int
    users_without_target: int  # back since the cut, but nothing to ask


def build_matrices(night: Night, history: HistoryManifest) -> MatrixManifest:
    """Return the manifest of the night's CSR shards; new items join the vocabulary."""
    settings = {"fold_in_share": night.config.evaluation.fold_in_share, "cut": str(night.cut)}
    work = functools.partial(_build, night, history)
    return run_step(
        night, "matrices", MatrixManifest, settings=settings, inputs=[history], work=work
    )


def finished_matrices(night: Night) -> MatrixManifest:
    """Return the manifest of matrices that lie in the lake.

    Raises:
        HoarfrostError: there are none.
    """
    manifest = read_manifest(night.step("matrices"), MatrixManifest)
    if manifest is None:
        raise HoarfrostError(f"the night of {night.run_date} has no matrices in {night.folder}")
    return manifest


def load_shard(folder: Path, shard: int) -> MatrixShard:
    """Return one user shard of a finished step, its arrays memory-mapped."""
    place = folder / shard_name(shard)
    users = pl.read_parquet(place / "users.parquet")["user_id"]
    full, train, fold_in, target = (_open(place, name) for name in MATRICES)
    return MatrixShard(users, full, train, fold_in, target)


def _open(place: Path, name: str) -> sp.csr_array:
    indptr, indices, data = (
        np.load(place / f"{name}.{part}.npy", mmap_mode="r", allow_pickle=False) for part in _PARTS
    )
    shape = np.load(place / f"{name}.shape.npy", allow_pickle=False)
    return sp.csr_array((data, indices, indptr), shape=tuple(shape), copy=False)


def _build(night: Night, history: HistoryManifest, staging: Path, key: str) -> MatrixManifest:
    items = history_items(night.step("history"))
    vocabulary = _vocabulary(night, items)
    build = functools.partial(
        _build_shard, night, staging, item_labels(items, vocabulary), vocabulary.height
    )
    counts = for_every_shard(build, history.n_user_shards, "building matrices")
    totals = Counts(*(sum(column) for column in zip(*counts, strict=True)))
    rows_of = {
        str(path.relative_to(staging)): count.users
        for shard, count in enumerate(counts)
        for path in sorted((staging / shard_name(shard)).iterdir())
    }
    logger.info("matrices: %d users, %d items", totals.users, vocabulary.height)
    return MatrixManifest(
        step="matrices", run_date=night.run_date, key=key, files=entries(staging, rows_of),
        n_users=totals.users, n_items=vocabulary.height, n_interactions=totals.interactions,
        n_heldout_users=totals.held_out_users, n_shards=len(counts),
        n_users_without_target=totals.users_without_target,
        vocabulary_sha256=id_digest(vocabulary["item_id"]), cut=night.cut,
    )  # fmt: skip


def _vocabulary(night: Night, items: pl.Series) -> pl.DataFrame:
    """Return the vocabulary tonight; a night that is run again keeps the items it had."""
    before = read_manifest(night.step("matrices"), MatrixManifest)
    vocabulary = tonights_vocabulary(night, items, before.n_items if before else None)
    retire_items(night, vocabulary.height, items)
    return vocabulary


def item_labels(items: pl.Series, vocabulary: pl.DataFrame) -> np.ndarray:
    """Return the index of every item of a history, shape (n_items_of_history,) int32."""
    found = items.to_frame().join(vocabulary, on="item_id", how="left", maintain_order="left")
    return found["item"].to_numpy()


def _build_shard(
    night: Night, staging: Path, labels: np.ndarray, n_items: int, shard: int
) -> Counts:
    place = staging / shard_name(shard)
    place.mkdir()
    cut = micros(day_start(night.cut, night.config.interactions.time_zone))
    share = night.config.evaluation.fold_in_share
    history = open_shard(night.step("history"), shard)
    check_pairs(history.pairs)
    return write_shard(place, history, labels, n_items, cut=cut, fold_in_share=share)


def write_shard(
    place: Path,
    history: HistoryShard,
    labels: np.ndarray,
    n_items: int,
    *,
    cut: int,
    fold_in_share: float,
) -> Counts:
    """Write users and the four matrices of one history shard; return its sizes.

    Args:
        place: folder of the matrices.
        history: of the users.
        labels: index of every item of the history, shape (n_items_of_history,) int32.
        n_items: of the vocabulary.
        cut: first held-out moment, in microseconds.
        fold_in_share: of a new user's items, the share that is shown.
    """
    history.users.to_frame().write_parquet(place / "users.parquet")
    pairs = relabelled(history.pairs, labels)
    weight, before = pairs.weight, pairs.weight_before_cut
    fold_in, target = temporal_holdout(
        pairs.indptr, weight, before, pairs.first_seen, fold_in_share=fold_in_share
    )
    n_users = len(history.users)
    shown = np.where(before > 0, before, weight)
    for name, values, mask in (
        ("full", weight, weight > 0),
        ("train", before, before > 0),
        ("fold_in", shown, fold_in),
        ("target", weight, target),
    ):
        _save(place, name, pairs.indptr, pairs.item, values, mask, (n_users, n_items))
    is_back = (pairs.last_seen >= cut) & (weight > 0)
    n_back, n_asked = (
        int(np.count_nonzero(marked_by_user(pairs.indptr, marked))) for marked in (is_back, target)
    )
    return Counts(n_users, int((weight > 0).sum()), n_asked, n_back - n_asked)


def _save(
    place: Path,
    name: str,
    indptr: np.ndarray,
    item: np.ndarray,
    values: np.ndarray,
    mask: np.ndarray,
    shape: tuple[int, int],
) -> None:
    parts = csr_of(indptr, item, values, mask)
    for part, array in zip((*_PARTS, "shape"), (*parts, np.asarray(shape)), strict=True):
        np.save(place / f"{name}.{part}.npy", array, allow_pickle=False)
