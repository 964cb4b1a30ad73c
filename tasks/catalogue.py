"""Read the optional catalogue of items, refuse a broken one with a sentence."""

import glob
import logging
import os
from pathlib import Path

import polars as pl

from data_contracts.catalogue import catalogue_schema
from data_contracts.config import ItemColumns
from data_contracts.errors import ContractViolationError
from data_contracts.manifests import IngestManifest
from tasks.files import sha256_of
from tasks.id_type import id_type
from tasks.lake import Night
from tasks.steps import read_manifest
from tasks.table_file import check_table

logger = logging.getLogger(__name__)
COLUMNS = {"title": pl.String, "category": pl.String, "available": pl.Boolean}


def read_catalogue(night: Night) -> pl.DataFrame:
    """Return the catalogue: item_id, title, category, available; one row per item.

    Columns that the files do not have are filled: no title, no category, available. An
    available that is null counts as true, like an item the catalogue does not mention.

    Args:
        night: says where the files lie and how their columns are called.

    Returns:
        The items in the order of the files; without any an empty frame with ids as strings.

    Raises:
        ContractViolationError: a file cannot be read, has a column of a wrong type, a missing
            item_id or one that came before; or the ids have another type than the log's.
    """
    parts = [_read_file(night, path) for path in catalogue_files(night)]
    parts = [part for part in parts if part.height]
    if not parts:
        return pl.DataFrame(schema={"item_id": pl.String, **COLUMNS})
    _refuse_other_type(night, parts)
    items = pl.concat(parts)
    _refuse_missing_id(items)
    _refuse_duplicates(items)
    items = items.select("item_id", "title", "category", pl.col("available").fill_null(value=True))
    check_table(catalogue_schema(id_type(items["item_id"])), items)
    logger.info("catalogue: %d items, %d unavailable", items.height, (~items["available"]).sum())
    return items


def catalogue_files(night: Night) -> list[Path]:
    """Return the files of the catalogue, in the order of their names."""
    pattern = os.path.join(glob.escape(str(night.lake)), night.config.items.files)  # noqa: PTH118
    found = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - may be absolute
    return sorted(path for path in found if path.is_file())


def catalogue_fingerprint(night: Night) -> dict[str, str]:
    """Return the digest of every file of the catalogue; inside the lake by relative path."""
    return {_name(night, path): sha256_of(path) for path in catalogue_files(night)}


def _name(night: Night, path: Path) -> str:
    inside = path.is_relative_to(night.lake)
    return path.relative_to(night.lake).as_posix() if inside else str(path)


def _read_file(night: Night, path: Path) -> pl.DataFrame:
    name, names = _name(night, path), night.config.items.columns
    try:
        found = pl.read_parquet_schema(path)
        wanted = [column for column in names.model_dump().values() if column in found]
        frame = pl.read_parquet(path, columns=wanted, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ContractViolationError(
            f"{name} must be a whole Parquet file: write it again, or move it out of the "
            f"catalogue ({error})"
        ) from error
    if names.item_id not in found:
        raise ContractViolationError(
            f"{name} must have the column {names.item_id}, got {list(found)}: add it, or set "
            "items.columns.item_id to its name"
        )
    return _canonical(frame, names, name).with_columns(
        pl.lit(name).alias("_file"), pl.int_range(pl.len()).alias("_row")
    )


def _canonical(frame: pl.DataFrame, names: ItemColumns, file: str) -> pl.DataFrame:
    columns = [_ids(frame[names.item_id], file).alias("item_id")]
    absent = pl.repeat(None, frame.height, dtype=pl.Null, eager=True)
    for column, dtype in COLUMNS.items():
        name = getattr(names, column)
        found = frame[name] if name in frame.columns else absent
        if isinstance(found.dtype, pl.Categorical | pl.Enum):
            found = found.cast(pl.String)
        if found.dtype not in (dtype, pl.Null):
            raise ContractViolationError(
                f"{file}: {name} must be {dtype}, got {found.dtype}: convert the column, or set "
                f"items.columns.{column} to another one"
            )
        columns.append(found.cast(dtype).alias(column))
    return pl.DataFrame(columns)


def _ids(found: pl.Series, file: str) -> pl.Series:
    if found.dtype.is_integer():
        if found.dtype == pl.UInt64 and (found > 2**63 - 1).any():
            raise ContractViolationError(
                f"{file}: {found.name} must fit into 64 bits with sign, got {found.max()!r}: "
                "write the ids as strings, here and in the log"
            )
        return found.cast(pl.Int64)
    if found.dtype == pl.String or isinstance(found.dtype, pl.Categorical | pl.Enum):
        return found.cast(pl.String)
    raise ContractViolationError(
        f"{file}: {found.name} must be string or integer, got {found.dtype}: convert the column "
        "to the type the ids have in the log"
    )


def _refuse_other_type(night: Night, parts: list[pl.DataFrame]) -> None:
    log = read_manifest(night.step("ingest"), IngestManifest)
    expected = log.item_id_type if log else id_type(parts[0]["item_id"])
    for part in parts:
        if (got := id_type(part["item_id"])) != expected:
            raise ContractViolationError(
                f"{part['_file'][0]}: item_id must be {expected} as in the "
                f"{'log' if log else 'files before'}, got {got}: convert the column"
            )


def _refuse_missing_id(items: pl.DataFrame) -> None:
    missing = pl.col("item_id").is_null()
    if items["item_id"].dtype == pl.String:
        missing |= pl.col("item_id") == ""
    for file, row in items.filter(missing).head(1).select("_file", "_row").iter_rows():
        raise ContractViolationError(
            f"{file}: item_id must be given, got nothing in row {row} (counted from 0): fill it "
            "in or leave the row out"
        )


def _refuse_duplicates(items: pl.DataFrame) -> None:
    again = items.filter(~pl.col("item_id").is_first_distinct())
    if again.is_empty():
        return
    item, file, row = again.row(0)[0], again["_file"][0], again["_row"][0]
    first = items.filter(pl.col("item_id") == item)
    raise ContractViolationError(
        f"{file}: item_id must be there once, got {item} again in row {row} (counted from 0; "
        f"first in {first['_file'][0]}, row {first['_row'][0]}; {again.height} such rows in all): "
        "keep one row per item"
    )
