"""Read the allow and block lists of a surface."""

from pathlib import Path
from typing import Literal

import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.id_type import IdType
from data_contracts.item_list import item_list_schema
from tasks.id_type import id_type
from tasks.lake import Night
from tasks.source.given_file import (
    PLACE,
    GivenFiles,
    as_ids,
    is_text,
    log_id_types,
    refuse_missing,
    refuse_other_type,
)
from tasks.tables.table_file import check_table

Kind = Literal["allow", "block"]
NAMES = {"item_id": "item_id", "user_id": "user_id", "segment": "segment"}


def read_item_list(night: Night, surface: str, kind: Kind, item_id_type: IdType) -> pl.DataFrame:
    """Return a list: item_id, user_id and segment, both null in a row for everybody.

    Args:
        night: says where the files lie.
        surface: whose list.
        kind: allow or block.
        item_id_type: of the ids it is matched with.

    Returns:
        The rows of all files; none where the surface has no such list.

    Raises:
        ContractViolationError: there is no file, one cannot be read, lacks item_id or has a
            column of a wrong type, item_id is missing, or a row names a user and a segment.
    """
    types = log_id_types(night)
    user_id_type = types[0] if types else None
    given = item_list_files(night, surface, kind)
    if given is None:
        return _empty(user_id_type or "string", item_id_type)
    paths = given.paths()
    if not paths:
        raise ContractViolationError(
            f"{given.what} must name at least one file, got none for {given.pattern}: put the "
            "list there, empty if nothing is on it, or take the setting out"
        )
    parts = [part for path in paths if (part := _read_file(given, path)).height]
    if not parts:
        return _empty(user_id_type or "string", item_id_type)
    refuse_other_type(parts, "item_id", types[1] if types else item_id_type)
    own = [part for part in parts if part["user_id"].dtype != pl.Null]
    refuse_other_type(own, "user_id", user_id_type)
    rows = pl.concat(parts, how="vertical_relaxed")
    if rows["user_id"].dtype == pl.Null:
        rows = rows.with_columns(pl.col("user_id").cast(_dtype(user_id_type or "string")))
    refuse_missing(rows, "item_id")
    _refuse_empty(rows)
    _refuse_two_owners(rows)
    rows = rows.select(*NAMES)
    check_table(item_list_schema(id_type(rows["user_id"]), id_type(rows["item_id"])), rows)
    return rows


def item_list_files(night: Night, surface: str, kind: Kind) -> GivenFiles | None:
    """Return where a list of a surface lies, None where it has no such list."""
    pattern = getattr(night.config.surfaces[surface], kind)
    setting = f"surfaces.{surface}.{kind}"
    if pattern is None:
        return None
    return GivenFiles(night, pattern, what=setting, setting=f"{setting} to files that have it")


def _read_file(given: GivenFiles, path: Path) -> pl.DataFrame:
    file = given.name(path)
    frame = given.read(path, NAMES, required=["item_id"])
    user, segment = (_optional(frame, name) for name in ("user_id", "segment"))
    if segment.dtype != pl.Null and not is_text(segment.dtype):
        raise ContractViolationError(
            f"{file}: segment must be String, got {segment.dtype}: convert the column"
        )
    return frame.select(
        as_ids(frame["item_id"], "item_id", file),
        user if user.dtype == pl.Null else as_ids(user, "user_id", file),
        segment.cast(pl.String),
        "_file",
        "_row",
    )


def _optional(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a column, of type Null where it is absent or holds nothing."""
    if name in frame.columns and frame[name].null_count() < frame.height:
        return frame[name]
    return pl.Series(name, [None], dtype=pl.Null).new_from_index(0, frame.height)


def _refuse_empty(rows: pl.DataFrame) -> None:
    # taken for null, it would make a row of one user a row for everybody
    for column in ("user_id", "segment"):
        if rows[column].dtype != pl.String:
            continue
        for file, row in rows.filter(pl.col(column) == "").head(1).select(PLACE).iter_rows():
            raise ContractViolationError(
                f"{file}: {column} must be null or not empty, got an empty text in row {row} "
                "(counted from 0): fill it in, or write null in a row that is for everybody"
            )


def _refuse_two_owners(rows: pl.DataFrame) -> None:
    both = pl.col("user_id").is_not_null() & pl.col("segment").is_not_null()
    for file, row in rows.filter(both).head(1).select(PLACE).iter_rows():
        raise ContractViolationError(
            f"{file}: a row must name a user or a segment, got both in row {row} (counted from "
            "0): write two rows"
        )


def _empty(user_id_type: IdType, item_id_type: IdType) -> pl.DataFrame:
    user, item = _dtype(user_id_type), _dtype(item_id_type)
    return pl.DataFrame(schema={"item_id": item, "user_id": user, "segment": pl.String()})


def _dtype(type_: IdType) -> pl.DataType:
    return pl.String() if type_ == "string" else pl.Int64()
