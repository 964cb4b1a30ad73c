"""Materialise the tables of a snapshot from the champion in the registry."""

import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from data_contracts.frozen import Frozen
from data_contracts.manifests import (
    IngestManifest,
    MatrixManifest,
    PromoteManifest,
    SnapshotManifest,
)
from models.fitted_model import likens_items
from tasks.catalogue import catalogue_fingerprint
from tasks.config_digest import whole_config_digest
from tasks.files import sync
from tasks.history.matrix_shard import load_shard
from tasks.history.row_values import RowValues
from tasks.judging import contender
from tasks.judging.contender import Contender
from tasks.lake import Night
from tasks.lists.content import ContentVectors, content_vectors
from tasks.lists.eligibility import available_mask
from tasks.lists.ranker import Ranker
from tasks.lists.rules import load_rules, rules_fingerprint, rules_of_users
from tasks.lists.segments import read_segments
from tasks.lists.tiers import Tiers, load_tiers
from tasks.progress import track
from tasks.registry.registry import fetch_model
from tasks.snapshot.stamp import Stamp
from tasks.steps import code_version, entries, once, run_step
from tasks.tables.item_tables import write_item_embeddings, write_similar_items
from tasks.tables.rating_pairs import pairs_fingerprint
from tasks.tables.rating_table import RATINGS, predicts_ratings, write_rating_predictions
from tasks.tables.surface_file import surface_path
from tasks.tables.top_n_table import ListsNote, write_lists
from tasks.training.device import choose_device
from tasks.training.item_content import content_inputs, with_content
from tasks.vocabulary.retirement import retire_items, retired_mask
from tasks.vocabulary.universe import item_universe

logger = logging.getLogger(__name__)
SIMILAR, EMBEDDINGS = "similar_items/part-000.parquet", "item_embeddings/part-000.parquet"


class RowsNote(Frozen):
    """Rows of a finished file."""

    rows: int


@dataclass(frozen=True)
class Sources:
    """What lists are made of tonight, whatever the surface."""

    champion: Contender
    tiers: Tiers
    content: ContentVectors | None
    item_ids: pl.Series
    stamp: Stamp


def materialise_tables(
    night: Night,
    ingest: IngestManifest,
    matrices: MatrixManifest,
    promote: PromoteManifest,
) -> SnapshotManifest:
    """Return the manifest of tonight's tables, written but not yet published.

    A night that was killed goes on with the first file that is not finished.
    """
    inputs = {file.path: file.sha256 for file in ingest.log_files}
    retired = retire_items(night, matrices.n_items)  # the catalogue may be another since
    settings = {
        "inputs": inputs,
        "tables": night.config.tables.model_dump(),
        "surfaces": {name: each.model_dump() for name, each in night.config.surfaces.items()},
        "catalogue": catalogue_fingerprint(night),
        "rules": rules_fingerprint(night),
        "pairs": pairs_fingerprint(night),
        "champion": promote.champion_version,
        "model": promote.champion_digest,
        "config": whole_config_digest(night),
        "retired": retired.which,
    } | content_inputs(night)
    work = functools.partial(_materialise, night, inputs, matrices, promote)
    return run_step(
        night, "materialise", SnapshotManifest, settings=settings, inputs=[matrices], work=work,
        resume=True,
    )  # fmt: skip


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
    stamp = Stamp(night.run_date, version, snapshot_id)
    sources = gather_sources(night, matrices, stamp)
    notes = dict(_write_lists(night, matrices, sources, staging))
    rows = {path: note.rows for path, note in notes.items()}
    rows |= {path.replace("top_n", "short_lists", 1): note.short for path, note in notes.items()}
    rows |= _write_item_tables(night, sources, staging)
    rows |= _write_ratings(night, matrices, sources, staging)
    n_lists = sum(note.users for note in notes.values())
    fallbacks = sum(note.fallbacks for note in notes.values())
    per_table = _per_table(rows)
    logger.info("materialise: %s, %d lists without the model", per_table, fallbacks)
    return SnapshotManifest(
        step="materialise", run_date=night.run_date, key=key, files=entries(staging, rows),
        snapshot_id=snapshot_id, model_version=version, config_digest=whole_config_digest(night),
        code_version=code_version(), inputs=inputs, rows=per_table,
        fallback_share=round(fallbacks / max(n_lists, 1), 6),
        short_lists=sum(note.short for note in notes.values()),
    )  # fmt: skip


def gather_sources(night: Night, matrices: MatrixManifest, stamp: Stamp) -> Sources:
    """Return the champion and the fallback tiers over tonight's item universe."""
    item_ids = item_universe(night, matrices)
    registered = fetch_model(night.config, stamp.model_version)
    champion = contender.from_registry(registered, item_ids, night.lake)
    champion = with_content(night, champion, item_ids)
    content = None  # read only if there is an item that the model does not know, or liken
    if not champion.known.all() or not likens_items(champion.model):
        content = content_vectors(night, item_ids, seed=night.config.seed)
    left = ~retired_mask(night, len(item_ids))
    known, listable = champion.known & left, champion.listable & left
    champion = champion._replace(known=known, listable=listable)
    segments = read_segments(night)
    tiers = load_tiers(
        night, matrices, item_ids, n_groups=len(segments.names) + 1,
        group_of_shard=lambda _shard, users: segments.group_of(users),
    )  # fmt: skip
    return Sources(champion, tiers, content, item_ids, stamp)


def _write_lists(
    night: Night, matrices: MatrixManifest, sources: Sources, staging: Path
) -> Iterator[tuple[str, ListsNote]]:
    rows = RowValues(night, matrices, sources.champion.consumes)
    for surface in night.config.surfaces:
        ranker = surface_ranker(night, sources, surface)
        for shard in track(range(matrices.n_shards), f"writing top_n of {surface}"):
            path = surface_path("top_n", surface, shard)
            write = functools.partial(
                _write_shard, night, ranker, rows, sources.stamp, staging, shard
            )
            yield path, once(staging / path, ListsNote, write)


def surface_ranker(night: Night, sources: Sources, surface: str) -> Ranker:
    """Return what makes the lists of one surface."""
    return Ranker(
        champion=sources.champion,
        tiers=sources.tiers,
        content=sources.content,
        rules=load_rules(night, surface, sources.item_ids),
        item_ids=sources.item_ids,
        run_date=night.run_date,
        device=choose_device(night.config.training.device),
    )


def _write_shard(
    night: Night,
    ranker: Ranker,
    rows: RowValues,
    stamp: Stamp,
    staging: Path,
    shard: int,
    top_n: Path,
) -> ListsNote:
    arrays = load_shard(night.step("matrices"), shard)
    users = rules_of_users(night, ranker.rules, shard, arrays.users)
    shown = replace(arrays, full=rows.of(shard, "full", arrays))
    short_lists = staging / surface_path("short_lists", ranker.rules.name, shard)
    note = write_lists(top_n, short_lists, shard=shown, users=users, ranker=ranker, stamp=stamp)
    sync(short_lists)
    return note


def _write_item_tables(night: Night, sources: Sources, staging: Path) -> dict[str, int]:
    champion, item_ids, stamp = sources.champion, sources.item_ids, sources.stamp

    def similar(path: Path) -> RowsNote:
        rows = write_similar_items(
            path, champion, sources.content, item_ids=item_ids, stamp=stamp,
            available=available_mask(night, item_ids), n_similar=night.config.tables.n_similar,
        )  # fmt: skip
        return RowsNote(rows=rows)

    def embeddings(path: Path) -> RowsNote:
        rows = write_item_embeddings(
            path, champion, item_ids=item_ids, model_version=stamp.model_version
        )
        return RowsNote(rows=rows)

    writers = {SIMILAR: similar, EMBEDDINGS: embeddings}
    return {path: once(staging / path, RowsNote, write).rows for path, write in writers.items()}


def _write_ratings(
    night: Night, matrices: MatrixManifest, sources: Sources, staging: Path
) -> dict[str, int]:
    if not night.config.rating_predictions.pairs:
        return {}
    if not predicts_ratings(sources.champion):
        logger.warning(
            "rating_predictions is left out: version %s, the champion, predicts no ratings; make a "
            "model of ratings champion with 'hoarfrost promote', or leave the pairs out",
            sources.stamp.model_version,
        )
        return {}

    def write(path: Path) -> RowsNote:
        rows = write_rating_predictions(
            path, night, matrices, sources.champion, item_ids=sources.item_ids, stamp=sources.stamp
        )
        return RowsNote(rows=rows)

    return {RATINGS: once(staging / RATINGS, RowsNote, write).rows}


def _per_table(rows: dict[str, int]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for path, n in rows.items():
        table = path.partition("/")[0]
        totals[table] = totals.get(table, 0) + n
    return totals
