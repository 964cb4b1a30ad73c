"""Materialise the tables of a snapshot from the champion in the registry."""

import functools
import logging
from pathlib import Path

import numpy as np

from data_contracts.manifests import (
    IngestManifest,
    MatrixManifest,
    PromoteManifest,
    SnapshotManifest,
)
from models.popularity import Popularity
from tasks import contender
from tasks.catalogue import catalogue_fingerprint
from tasks.eligibility import available_mask
from tasks.files import digest
from tasks.item_tables import write_item_embeddings, write_similar_items
from tasks.lake import Night, shard_name
from tasks.matrix import load_shard
from tasks.progress import track
from tasks.ranker import Ranker
from tasks.registry import fetch_model
from tasks.snapshot import TABLES
from tasks.stamp import Stamp
from tasks.steps import code_version, entries, run_step
from tasks.top_n_table import Lists, write_top_n
from tasks.vocabulary import read_vocabulary

logger = logging.getLogger(__name__)


def materialise_tables(
    night: Night,
    ingest: IngestManifest,
    matrices: MatrixManifest,
    promote: PromoteManifest,
) -> SnapshotManifest:
    """Return the manifest of tonight's tables, written but not yet published."""
    inputs = {file.path: file.sha256 for file in ingest.log_files}
    settings = {
        "inputs": inputs,
        "tables": night.config.tables.model_dump(),
        "catalogue": catalogue_fingerprint(night),
        "champion": promote.champion_version,
        "model": promote.champion_digest,
        "config": config_digest(night),
    }
    work = functools.partial(_materialise, night, inputs, matrices, promote)
    return run_step(
        night, "materialise", SnapshotManifest, settings=settings, inputs=[matrices], work=work
    )


def config_digest(night: Night) -> str:
    """Digest of the configuration, but for where the lake lies."""
    return digest(night.config.model_dump(mode="json", exclude={"lake"}))[:12]


def _materialise(
    night: Night,
    inputs: dict[str, str],
    matrices: MatrixManifest,
    promote: PromoteManifest,
    staging: Path,
    key: str,
) -> SnapshotManifest:
    version = promote.champion_version
    snapshot_id = f"{night.run_date}-v{version}-{key[:8]}"  # the key covers all that shapes a table
    ranker = build_ranker(night, matrices, version)
    stamp = Stamp(night.run_date, version, snapshot_id)
    rows, lists = _write(night, matrices, ranker, stamp, staging)
    n_users = sum(part.users for part in lists)
    fallbacks = sum(part.fallbacks for part in lists)
    per_table = {
        table: sum(n for path, n in rows.items() if path.startswith(table)) for table in TABLES
    }
    logger.info("materialise: %s, %d users by the popular list", per_table, fallbacks)
    return SnapshotManifest(
        step="materialise", run_date=night.run_date, key=key, files=entries(staging, rows),
        snapshot_id=snapshot_id, model_version=version, config_digest=config_digest(night),
        code_version=code_version(), inputs=inputs, rows=per_table,
        fallback_share=round(fallbacks / max(n_users, 1), 6),
        short_lists=sum(part.short for part in lists),
    )  # fmt: skip


def build_ranker(night: Night, matrices: MatrixManifest, version: str) -> Ranker:
    """Return the ranker of a registered version over tonight's vocabulary and histories."""
    item_ids = read_vocabulary(night.lake)["item_id"].head(matrices.n_items)
    champion = contender.from_registry(fetch_model(night.config, version), item_ids, night.lake)
    tables = night.config.tables
    return Ranker(
        champion=champion,
        popular=Popularity(recent_popularity(night, matrices)),
        available=available_mask(night, item_ids),
        item_ids=item_ids,
        n_top=tables.n_top,
        block_size=tables.block_size,
    )


def recent_popularity(night: Night, matrices: MatrixManifest) -> np.ndarray:
    """Return the summed decayed weight of every item; shape (n_items,) float64."""
    total = np.zeros(matrices.n_items)
    for shard in range(matrices.n_shards):
        X = load_shard(night.step("matrices"), shard).full
        total += np.bincount(X.indices, weights=X.data, minlength=matrices.n_items)
    return total


def _write(
    night: Night, matrices: MatrixManifest, ranker: Ranker, stamp: Stamp, staging: Path
) -> tuple[dict[str, int], list[Lists]]:
    for table in TABLES:
        (staging / table).mkdir()
    rows: dict[str, int] = {}
    lists = []
    for shard in track(range(matrices.n_shards), "writing top_n"):
        path = f"top_n/{shard_name(shard)}.parquet"
        arrays = load_shard(night.step("matrices"), shard)
        lists.append(write_top_n(staging / path, arrays, ranker, stamp))
        rows[path] = lists[-1].rows
    similar, embeddings = "similar_items/part-000.parquet", "item_embeddings/part-000.parquet"
    n_similar = night.config.tables.n_similar
    rows[similar] = write_similar_items(staging / similar, ranker, stamp, n_similar=n_similar)
    rows[embeddings] = write_item_embeddings(staging / embeddings, ranker, stamp)
    return rows, lists
