"""Tombstones: items that nobody has met inside the window and that no catalogue mentions.

A retired item keeps its index and gets no place in any table; it comes back under that index when
somebody meets it again or the catalogue lists it again. Every night leaves what has changed since
the nights before it, so the state of any night is the sum of what came up to it.
"""

import functools
import hashlib
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.errors import HoarfrostError
from data_contracts.manifests import HistoryManifest
from data_contracts.vocabulary import VocabularyManifest
from tasks.catalogue import catalogue_fingerprint, read_catalogue
from tasks.history.history_event import history_items
from tasks.lake import Night
from tasks.steps import entries, read_manifest, run_step
from tasks.vocabulary.id_digest import id_digest
from tasks.vocabulary.vocabulary import STEP, read_vocabulary

logger = logging.getLogger(__name__)
_CHANGES = "changes.parquet"


def retire_items(night: Night, n_items: int, met: pl.Series | None = None) -> VocabularyManifest:
    """Return how many items are retired tonight, and leave a tombstone for each.

    Args:
        night: its history is built and its items are in the vocabulary.
        n_items: of the vocabulary tonight.
        met: distinct ids of the history; by default they are read from it.

    Raises:
        HoarfrostError: the night has no history.
    """
    history = read_manifest(night.step("history"), HistoryManifest)
    if history is None:
        raise HoarfrostError(f"the night of {night.run_date} has no history in {night.folder}")
    before = _state(night.lake, night.run_date, n_items, inclusive=False)
    settings = {
        "n_items": n_items,
        "before": hashlib.sha256(before.tobytes()).hexdigest(),
        "catalogue": catalogue_fingerprint(night),
    }
    work = functools.partial(_retire, night, before, met)
    return run_step(night, STEP, VocabularyManifest, settings=settings, inputs=[history], work=work)


def retired_since(night: Night, n_items: int) -> np.ndarray:
    """Return the run date on which every item retired, as datetime64[D]; NaT for the others.

    Args:
        night: what came after it plays no part.
        n_items: of the vocabulary, shape of the answer.
    """
    days = _state(night.lake, night.run_date, n_items, inclusive=True)
    epoch = date(1970, 1, 1).toordinal()
    since = (days.astype(np.int64) - epoch).astype("datetime64[D]")
    since[days == 0] = np.datetime64("NaT")
    return since


def retired_mask(night: Night, n_items: int) -> np.ndarray:
    """Tell for every item whether it is retired; shape (n_items,) bool."""
    return _state(night.lake, night.run_date, n_items, inclusive=True) > 0


def _retire(
    night: Night, before: np.ndarray, met: pl.Series | None, staging: Path, key: str
) -> VocabularyManifest:
    n_items = len(before)
    vocabulary = read_vocabulary(night.lake).head(n_items)
    gone = ~_alive(night, vocabulary, met)
    changed = np.flatnonzero(gone != (before > 0)).astype(np.int32)
    rows = {}
    if len(changed):
        frame = pl.DataFrame({"item": changed, "retired": gone[changed]})
        frame.write_parquet(staging / _CHANGES)
        rows[_CHANGES] = len(changed)
    newly = int(gone[changed].sum())
    logger.info(
        "vocabulary: %d of %d items retired, %d of them tonight, %d came back",
        gone.sum(), n_items, newly, len(changed) - newly,
    )  # fmt: skip
    return VocabularyManifest(
        step=STEP, run_date=night.run_date, key=key, files=entries(staging, rows),
        n_items=n_items, sha256=id_digest(vocabulary["item_id"]), retired=int(gone.sum()),
        which=hashlib.sha256(gone.tobytes()).hexdigest(), newly_retired=newly,
        revived=len(changed) - newly,
    )  # fmt: skip


def _alive(night: Night, vocabulary: pl.DataFrame, met: pl.Series | None) -> np.ndarray:
    """Tell which items the history or the catalogue mentions; shape (n_items,)."""
    ids = history_items(night.step("history")) if met is None else met
    found = ids.alias("item_id").to_frame().lazy()
    listed = read_catalogue(night, only=())
    if listed.height:
        same = listed.select(pl.col("item_id").cast(vocabulary.schema["item_id"]))
        found = pl.concat([found, same.lazy()])
    items = vocabulary.lazy().join(found, on="item_id", how="semi").select("item")
    alive = np.zeros(vocabulary.height, dtype=bool)
    alive[items.collect(engine="streaming")["item"].to_numpy()] = True
    return alive


def _state(lake: Path, run_date: date, n_items: int, *, inclusive: bool) -> np.ndarray:
    """Return the ordinal of the day on which every item retired, 0 for the others; int32."""
    since = np.zeros(n_items, dtype=np.int32)
    for day, path in _changes(lake):
        if day < run_date or (inclusive and day == run_date):
            changes = pl.read_parquet(path, glob=False).filter(pl.col("item") < n_items)
            since[changes["item"].to_numpy()] = changes["retired"].to_numpy() * day.toordinal()
    return since


def _changes(lake: Path) -> Iterator[tuple[date, Path]]:
    """Yield the nights in which anything changed, oldest first, and what changed."""
    for path in sorted((lake / "state" / "nights").glob(f"run_date=*/{STEP}/{_CHANGES}")):
        yield date.fromisoformat(path.parent.parent.name.removeprefix("run_date=")), path
