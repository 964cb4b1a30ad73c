"""Read the optional catalogue of items, refuse a broken one with a sentence."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from data_contracts.catalogue import catalogue_schema
from data_contracts.errors import ContractViolationError
from tasks.id_type import id_type
from tasks.lake import Night
from tasks.source.given_file import (
    GivenFiles,
    as_ids,
    is_text,
    log_id_types,
    refuse_missing,
    refuse_other_type,
    refuse_repeated,
)
from tasks.tables.table_file import check_table

logger = logging.getLogger(__name__)
COLUMNS = {
    "title": pl.String(),
    "category": pl.String(),
    "text": pl.String(),
    "available": pl.Boolean(),
    "added": pl.Datetime("us", "UTC"),
}


def read_catalogue(night: Night, only: Collection[str] | None = None) -> pl.DataFrame:
    """Return the catalogue: item_id, title, category, text, available, added; one row per item.

    Columns that the files do not have are filled: no title, category, text or time, available.
    An available that is null counts as true, like an item the catalogue does not mention. A
    day, or a time without a zone, is one of the zone of the log (interactions.time_zone).

    Args:
        night: says where the files lie and how their columns are called.
        only: columns to read besides item_id; by default all. Texts may be long.

    Returns:
        The items in the order of the files; without any an empty frame with ids as strings.

    Raises:
        ContractViolationError: a file cannot be read, has a column of a wrong type, a missing
            item_id or one that came before; or the ids have another type than the log's.
    """
    wanted = {name: dtype for name, dtype in COLUMNS.items() if only is None or name in only}
    given = _given(night)
    parts = [_read_file(given, path, wanted) for path in given.paths()]
    parts = [part for part in parts if part.height]
    if not parts:
        return pl.DataFrame(schema={"item_id": pl.String(), **wanted})
    types = log_id_types(night)
    refuse_other_type(parts, "item_id", types[1] if types else None)
    items = pl.concat(parts)
    refuse_missing(items, "item_id")
    refuse_repeated(items, "item_id", "keep one row per item")
    items = items.select("item_id", *wanted)
    check_table(catalogue_schema(id_type(items["item_id"]), only), items)
    logger.debug("catalogue: %d items", items.height)
    return items


def read_numbers(night: Night, names: Sequence[str]) -> pl.DataFrame:
    """Return item_id and further columns of the catalogue as Float64, null or nan if not known.

    Args:
        night: says where the files lie.
        names: columns of the files, such as price.

    Raises:
        ContractViolationError: a file lacks a column, or it holds no finite numbers.
    """
    given = replace(_given(night), setting="model.numbers to columns that are there")
    own = {"item_id": night.config.items.columns.item_id}
    parts = [pl.DataFrame(schema={"item_id": pl.String(), **dict.fromkeys(names, pl.Float64())})]
    for path in given.paths():
        frame = given.read(path, own | {name: name for name in names}, ["item_id", *names])
        ids = as_ids(frame["item_id"], own["item_id"], given.name(path))
        numbers = [_finite(frame[name], given.name(path)) for name in names]
        parts.append(pl.DataFrame([ids, *numbers]))
    filled = [part for part in parts if part.height]
    return pl.concat(filled) if filled else parts[0]


def _finite(found: pl.Series, file: str) -> pl.Series:
    numbers = found.cast(pl.Float64) if found.dtype.is_numeric() else None
    if numbers is None or numbers.is_infinite().any():
        got = found.dtype if numbers is None else "an infinite one"
        raise ContractViolationError(
            f"{file}: {found.name} must hold finite numbers, got {got}: convert the column, or "
            "leave it out of model.numbers"
        )
    return numbers


def catalogue_files(night: Night) -> list[Path]:
    """Return the files of the catalogue, in the order of their names."""
    return _given(night).paths()


def catalogue_fingerprint(night: Night) -> dict[str, str]:
    """Return the digest of every file of the catalogue; inside the lake by relative path."""
    return _given(night).fingerprint()


def _given(night: Night) -> GivenFiles:
    names = "items.columns.{column} to its name"
    return GivenFiles(night, night.config.items.files, what="the catalogue", setting=names)


def _read_file(given: GivenFiles, path: Path, wanted: dict[str, pl.DataType]) -> pl.DataFrame:
    names, file = given.night.config.items.columns.model_dump(), given.name(path)
    names = {column: names[column] for column in ("item_id", *wanted)}
    frame = given.read(path, names, required=["item_id"])
    zone = given.night.config.interactions.time_zone
    columns = [as_ids(frame["item_id"], names["item_id"], file)]
    for column, dtype in wanted.items():
        if column not in frame.columns or frame[column].dtype == pl.Null:
            columns.append(pl.Series(column, [None], dtype).new_from_index(0, frame.height))
        else:
            columns.append(_canonical(frame[column], names[column], file, zone))
    items = pl.DataFrame(columns)
    if "available" in wanted:
        items = items.with_columns(pl.col("available").fill_null(value=True))
    return items.with_columns(frame["_file"], frame["_row"])


def _canonical(found: pl.Series, name: str, file: str, zone: str) -> pl.Series:
    expected = COLUMNS[found.name]
    if expected == pl.String and is_text(found.dtype):
        return found.cast(pl.String)
    if found.name == "added" and isinstance(found.dtype, pl.Date | pl.Datetime):
        return _moments(found, zone)
    if found.dtype == expected:
        return found
    wanted = "Date or Datetime" if found.name == "added" else expected
    raise ContractViolationError(
        f"{file}: {name} must be {wanted}, got {found.dtype}: convert the column, or set "
        f"items.columns.{found.name} to another one"
    )


def _moments(found: pl.Series, zone: str) -> pl.Series:
    times = found.cast(pl.Datetime("us")) if found.dtype == pl.Date else found
    if getattr(times.dtype, "time_zone", None) is None:
        times = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return times.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
