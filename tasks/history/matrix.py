"""Build the matrices of a night: per user shard, CSR arrays that are opened without being read."""

import functools
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import HoarfrostError
from data_contracts.interactions import day_start
from data_contracts.manifests import HistoryManifest, MatrixManifest
from models.event.event_log import marked_by_user
from models.event.pair import weighted
from models.split.split import temporal_holdout
from tasks.calendar import micros
from tasks.history.history_event import history_items
from tasks.history.history_shard import HistoryShard, check_pairs, open_shard
from tasks.history.matrix_shard import MatrixShard, save_shard
from tasks.lake import Night, shard_name
from tasks.shard_threads import for_every_shard
from tasks.steps import entries, read_manifest, run_step
from tasks.vocabulary.id_digest import id_digest
from tasks.vocabulary.retirement import retire_items
from tasks.vocabulary.vocabulary import tonights_vocabulary

logger = logging.getLogger(__name__)


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
    history = open_shard(night.step("history"), shard, labels)
    check_pairs(history.pairs)
    return write_shard(place, history, n_items, cut=cut, fold_in_share=share)


def write_shard(
    place: Path, history: HistoryShard, n_items: int, *, cut: int, fold_in_share: float
) -> Counts:
    """Write the matrices of one history shard; return its sizes.

    Args:
        place: folder of the matrices.
        history: of the users; its items bear the indices of the vocabulary.
        n_items: of the vocabulary.
        cut: first held-out moment, in microseconds.
        fold_in_share: of a new user's items, the share that is shown.
    """
    pairs = weighted(history.pairs)
    weight, before = pairs.weight, pairs.weight_before_cut
    _, asked = temporal_holdout(
        pairs.indptr, weight, before, pairs.first_seen, fold_in_share=fold_in_share
    )
    n_users = len(history.users)
    changed = np.flatnonzero(before != weight)
    shard = MatrixShard(
        users=history.users,
        full=sp.csr_array((weight, pairs.item, pairs.indptr), shape=(n_users, n_items), copy=False),
        changed=changed, before=before[changed], asked=np.flatnonzero(asked),
    )  # fmt: skip
    save_shard(place, shard)
    n_back, n_asked = (
        int(np.count_nonzero(marked_by_user(pairs.indptr, marked)))
        for marked in (pairs.last_seen >= cut, asked)
    )
    return Counts(n_users, len(weight), n_asked, n_back - n_asked)
