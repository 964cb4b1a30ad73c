"""The vocabulary: item_id -> item index, append-only; an index never changes its meaning.

The file carries a seal: whose it is, how many ids it holds and their digest. Whoever reads it
checks the seal, and a night checks besides that it begins with the ids of the night before.
"""

import logging
from datetime import date
from pathlib import Path

import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.manifests import MatrixManifest
from data_contracts.vocabulary import Seal, VocabularyManifest
from tasks.files import make_folder, move_file, staged_path
from tasks.lake import Night, night_folder, nights
from tasks.lake_id import ensure_lake_id, lake_id, lake_id_path
from tasks.steps import read_manifest
from tasks.vocabulary.id_digest import IdDigest, id_digest

logger = logging.getLogger(__name__)
STEP = "vocabulary"
_SEAL = "hoarfrost_vocabulary"  # key of the file's metadata
_RESTORE = (
    "nothing was built on it. Bring state/vocabulary/vocabulary.parquet and state/lake.json back "
    "from a copy of this lake, or run: hoarfrost vocabulary --restore"
)


def vocabulary_path(lake: Path) -> Path:
    """Where the vocabulary lies."""
    return lake / "state" / "vocabulary" / "vocabulary.parquet"


def read_vocabulary(lake: Path) -> pl.DataFrame:
    """Return item_id and item (int32, 0..n-1), in order of item.

    Raises:
        ContractViolationError: it is gone, cannot be read, was changed since it was written, or
            belongs to another lake.
    """
    return _read(lake)[0]


def items_of(lake: Path, matrices: MatrixManifest) -> pl.Series:
    """Return the ids of the columns of a night's matrices, in their order.

    Raises:
        ContractViolationError: the vocabulary does not begin with them, or see read_vocabulary.
    """
    ids = read_vocabulary(lake)["item_id"].head(matrices.n_items)
    if len(ids) < matrices.n_items or id_digest(ids) != matrices.vocabulary_sha256:
        raise _other_ids(lake, f"the matrices of {matrices.run_date}", matrices.n_items, len(ids))
    return ids


def tonights_vocabulary(night: Night, item_ids: pl.Series, n_before: int | None) -> pl.DataFrame:
    """Return the vocabulary of a night; its new items are appended.

    Args:
        night: whose it is.
        item_ids: distinct ids of the night.
        n_before: items that the night had when it was run before; it keeps to them if it can.

    Raises:
        ContractViolationError: it does not begin with the ids of the night before, or see
            read_vocabulary.
    """
    last = last_vocabulary(night.lake, night.run_date)
    if last is not None:
        refuse_other_meaning(night.lake, last)
    if n_before is not None:
        kept = read_vocabulary(night.lake).head(n_before)
        if not len(_missing(item_ids, kept)):
            return kept
    return extend_vocabulary(night.lake, item_ids)


def extend_vocabulary(lake: Path, item_ids: pl.Series) -> pl.DataFrame:
    """Append the ids that are new, in sorted order; return the whole vocabulary.

    Args:
        lake: whose vocabulary it is.
        item_ids: distinct ids.

    Raises:
        ContractViolationError: see read_vocabulary.
    """
    if not vocabulary_path(lake).exists():
        known, digest, is_sealed = _numbered(item_ids.clear()), IdDigest(item_ids.dtype), False
    else:
        known, digest, is_sealed = _read(lake)
    new = _missing(item_ids, known).sort()
    if not len(new) and is_sealed:
        return known
    digest.feed(new)
    vocabulary = pl.concat([known, _numbered(new, first=known.height)])
    _write(lake, vocabulary, digest.hexdigest())
    logger.info("vocabulary: %d items, %d new", vocabulary.height, len(new))
    return vocabulary


def copy_vocabulary(source: Path, target: Path, n_items: int) -> None:
    """Give a lake the first items of another one's vocabulary, under its own identity."""
    replace_vocabulary(target, read_vocabulary(source)["item_id"].head(n_items))


def replace_vocabulary(lake: Path, item_ids: pl.Series) -> None:
    """Write ids as the whole vocabulary of a lake; who calls this knows that they mean the same."""
    ids = item_ids.alias("item_id")
    _write(lake, _numbered(ids), id_digest(ids))


def last_vocabulary(lake: Path, until: date = date.max) -> VocabularyManifest | None:
    """Return what the newest night up to a run date left of the vocabulary, None without any."""
    for day in reversed([each for each in nights(lake) if each <= until]):
        manifest = read_manifest(night_folder(lake, day) / STEP, VocabularyManifest)
        if manifest is not None:
            return manifest
    return None


def refuse_other_meaning(lake: Path, last: VocabularyManifest) -> None:
    """Raise ContractViolationError unless the vocabulary begins with the ids that a night left."""
    ids = read_vocabulary(lake)["item_id"].head(last.n_items)
    if len(ids) < last.n_items or id_digest(ids) != last.sha256:
        raise _other_ids(lake, f"the night of {last.run_date}", last.n_items, len(ids))


def _other_ids(lake: Path, whose: str, n_items: int, got: int) -> ContractViolationError:
    found = f"only {got}" if got < n_items else "others"
    return ContractViolationError(
        f"{vocabulary_path(lake)} must begin with the {n_items} items of {whose}, got {found}: "
        f"an older or another file was put in its place; {_RESTORE}"
    )


def _missing(item_ids: pl.Series, known: pl.DataFrame) -> pl.Series:
    """Return the ids that are not known; what is built for it is as large as item_ids."""
    asked = item_ids.alias("item_id").to_frame()
    met = known.lazy().select("item_id").join(asked.lazy(), on="item_id", how="semi")
    return asked.lazy().join(met, on="item_id", how="anti").collect()["item_id"]


def _numbered(ids: pl.Series, first: int = 0) -> pl.DataFrame:
    items = pl.int_range(first, first + len(ids), dtype=pl.Int32, eager=True)
    return pl.DataFrame({"item_id": ids, "item": items})


def _write(lake: Path, vocabulary: pl.DataFrame, sha256: str) -> None:
    seal = Seal(lake=ensure_lake_id(lake), n_items=vocabulary.height, sha256=sha256)
    path = vocabulary_path(lake)
    staged = staged_path(make_folder(path.parent) / path.name)
    vocabulary.write_parquet(staged, metadata={_SEAL: seal.model_dump_json()})
    move_file(staged, path)


def _read(lake: Path) -> tuple[pl.DataFrame, IdDigest, bool]:
    """Return the vocabulary, the digest of its ids, and whether it carries a seal."""
    path = vocabulary_path(lake)
    try:
        told = pl.read_parquet_metadata(path).get(_SEAL)
        vocabulary = pl.read_parquet(path, glob=False).select("item_id", "item")
        digest = IdDigest(vocabulary["item_id"].dtype)
        digest.feed(vocabulary["item_id"])
        seal = None if told is None else Seal.model_validate_json(told)
    except FileNotFoundError:
        raise ContractViolationError(f"{path} must be there, got no file: {_RESTORE}") from None
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        kind = type(error).__name__
        raise ContractViolationError(
            f"{path} must be a whole vocabulary, got a file that cannot be read ({kind}): "
            f"{_RESTORE}"
        ) from error
    _refuse_foreign(lake, seal)
    counted = vocabulary["item"].equals(pl.int_range(vocabulary.height, dtype=pl.Int32, eager=True))
    if not counted or (seal is not None and digest.hexdigest() != seal.sha256):
        raise ContractViolationError(
            f"{path} must hold the items it was written with, got others: it was changed by "
            f"somebody or something else; {_RESTORE}"
        )
    return vocabulary, digest, seal is not None


def _refuse_foreign(lake: Path, seal: Seal | None) -> None:
    own, path = lake_id(lake), vocabulary_path(lake)
    if own is None and seal is None:
        return  # from before there were seals; the next night puts one on it
    if own is None:
        raise ContractViolationError(
            f"{lake_id_path(lake)} must be there to tell whose vocabulary {path} is, got no file: "
            f"{_RESTORE}"
        )
    if seal is None:
        raise ContractViolationError(
            f"{path} must carry the seal of this lake, got none: another program wrote it; "
            f"{_RESTORE}"
        )
    if seal.lake != own:
        raise ContractViolationError(
            f"{path} must be the vocabulary of this lake, got that of another lake "
            f"({seal.lake[:8]}, and this one is {own[:8]}): {_RESTORE}"
        )
