"""Build the matrices of a night: per user shard, CSR arrays that are opened without being read."""

import functools
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import HoarfrostError, TooLittleDataError
from data_contracts.interactions import day_start
from data_contracts.manifests import HistoryManifest, MatrixManifest
from models.split import temporal_holdout
from tasks.files import digest
from tasks.lake import Night, shard_name
from tasks.progress import track
from tasks.steps import entries, read_manifest, run_step
from tasks.vocabulary import extend_vocabulary, read_vocabulary, vocabulary_path

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
    return MatrixShard(users, *(_open(place, name) for name in MATRICES))


def training_rows(night: Night, matrices: MatrixManifest) -> sp.csr_array:
    """Return all users before the cut.

    Raises:
        TooLittleDataError: there is no event before it.
    """
    X = stack_shards(night, matrices, "train")
    if not X.nnz:
        raise TooLittleDataError(
            f"there is nothing to train on: no event of the log lies before {matrices.cut}, the "
            "first held-out day (evaluation.holdout_days); wait for another day of log"
        )
    return X


def stack_shards(night: Night, matrices: MatrixManifest, name: str) -> sp.csr_array:
    """Return one of the matrices of a finished step, all user shards together."""
    folder = night.step("matrices")
    shards = [getattr(load_shard(folder, shard), name) for shard in range(matrices.n_shards)]
    return sp.csr_array(sp.vstack(shards, format="csr"))


def _open(place: Path, name: str) -> sp.csr_array:
    indptr, indices, data = (
        np.load(place / f"{name}.{part}.npy", mmap_mode="r", allow_pickle=False) for part in _PARTS
    )
    shape = np.load(place / f"{name}.shape.npy", allow_pickle=False)
    return sp.csr_array((data, indices, indptr), shape=tuple(shape), copy=False)


def _build(night: Night, history: HistoryManifest, staging: Path, key: str) -> MatrixManifest:
    vocabulary = _vocabulary(night)
    names = [entry.path for entry in history.files]
    counts, since = [], day_start(night.cut, night.config.interactions.time_zone)
    share = night.config.evaluation.fold_in_share
    for shard, name in enumerate(track(names, "building matrices")):
        rows = pl.read_parquet(night.step("history") / name)
        place = staging / shard_name(shard)
        place.mkdir()
        counts.append(write_shard(place, rows, vocabulary, since, share))
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
        n_heldout_users=totals.held_out_users, n_shards=len(names),
        n_users_without_target=totals.users_without_target,
        vocabulary_sha256=digest({"item_ids": vocabulary["item_id"].to_list()}), cut=night.cut,
    )  # fmt: skip


def _vocabulary(night: Night) -> pl.DataFrame:
    """Return the vocabulary tonight; a night that is run again keeps the items it had."""
    before = read_manifest(night.step("matrices"), MatrixManifest)
    if before is not None and vocabulary_path(night.lake).exists():
        vocabulary = read_vocabulary(night.lake).head(before.n_items)
        if not _items(night).is_in(vocabulary["item_id"].implode()).not_().any():
            return vocabulary
    return extend_vocabulary(night.lake, _items(night))


def _items(night: Night) -> pl.Series:
    history = pl.scan_parquet(night.step("history") / "*.parquet")
    return history.select(pl.col("item_id").unique()).collect(engine="streaming")["item_id"]


def write_shard(
    place: Path,
    history: pl.DataFrame,
    vocabulary: pl.DataFrame,
    cut: datetime,
    fold_in_share: float,
) -> Counts:
    """Write users and the four matrices of one history shard; return its sizes."""
    users = history.select(pl.col("user_id").unique(maintain_order=True))
    users.write_parquet(place / "users.parquet")
    user = history["user_id"].rle_id().to_numpy()
    rows = history.join(vocabulary, on="item_id", how="left", maintain_order="left")
    item = rows["item"].to_numpy()
    order = np.argsort(user.astype(np.int64) * vocabulary.height + item)
    weight, before, seen = (
        rows[name].to_physical().to_numpy()[order]
        for name in ("weight", "weight_before_cut", "first_seen")
    )
    indptr = np.concatenate(([0], np.cumsum(np.bincount(user, minlength=users.height))))
    fold_in, target = temporal_holdout(indptr, weight, before, seen, fold_in_share=fold_in_share)
    shown = np.where(before > 0, before, weight)
    user, item, shape = user[order], item[order], (users.height, vocabulary.height)
    for name, values, mask in (
        ("full", weight, weight > 0),
        ("train", before, before > 0),
        ("fold_in", shown, fold_in),
        ("target", weight, target),
    ):
        _save(place, name, user[mask], item[mask], values[mask], shape)
    back = history["last_seen"].ge(cut).to_numpy()[order] & (weight > 0)
    n_back, n_asked = len(np.unique(user[back])), len(np.unique(user[target]))
    return Counts(users.height, int((weight > 0).sum()), n_asked, n_back - n_asked)


def _save(
    place: Path,
    name: str,
    user: np.ndarray,
    item: np.ndarray,
    values: np.ndarray,
    shape: tuple[int, int],
) -> None:
    indptr = np.concatenate(([0], np.cumsum(np.bincount(user, minlength=shape[0]))))
    # scipy wants one type for both index arrays, and would copy a mapped one of another type
    index = np.int32 if len(item) < 2**31 else np.int64
    parts = (indptr.astype(index), item.astype(index), values.astype(np.float32))
    for part, array in zip((*_PARTS, "shape"), (*parts, np.asarray(shape)), strict=True):
        np.save(place / f"{name}.{part}.npy", array, allow_pickle=False)
