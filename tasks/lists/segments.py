"""Read the optional table of users' segments."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.segments import segments_schema
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


@dataclass(frozen=True)
class Segments:
    """Names of the segments, sorted, and every user's group: the place of theirs and 1."""

    names: tuple[str, ...]
    users: pl.DataFrame  # user_id, group (int32)

    def group_of(self, users: pl.Series) -> np.ndarray:
        """Return the group of every user, 0 for one of no segment; shape (n_users,) int32."""
        if self.users.is_empty():
            return np.zeros(len(users), dtype=np.int32)
        asked = pl.DataFrame({"user_id": users})
        found = asked.join(self.users, on="user_id", how="left", maintain_order="left")
        return found["group"].fill_null(0).to_numpy(writable=True)


def read_segments(night: Night) -> Segments:
    """Return the segments of all users; no file means no segment.

    Raises:
        ContractViolationError: a file cannot be read, lacks a column or has one of a wrong
            type, a value is missing, or a user is there twice.
    """
    given = segment_files(night)
    parts = [_read_file(given, path) for path in given.paths()]
    parts = [part for part in parts if part.height]
    if not parts:
        return Segments((), pl.DataFrame(schema={"user_id": pl.String, "group": pl.Int32}))
    types = log_id_types(night)
    refuse_other_type(parts, "user_id", types[0] if types else None)
    rows = pl.concat(parts)
    for column in ("user_id", "segment"):
        refuse_missing(rows, column)
    refuse_repeated(rows, "user_id", "keep the one segment of the user")
    users = rows.select("user_id", "segment")
    check_table(segments_schema(id_type(users["user_id"])), users)
    names = users["segment"].unique().sort()
    group = users["segment"].replace_strict(
        names, pl.int_range(1, len(names) + 1, dtype=pl.Int32, eager=True), return_dtype=pl.Int32
    )
    return Segments(tuple(names), users.select("user_id", group.alias("group")))


def segment_files(night: Night) -> GivenFiles:
    """Return where the segments lie."""
    return GivenFiles(
        night, night.config.segments.files, what="segments.files", setting="segments.files to "
        "files that have it",
    )  # fmt: skip


def _read_file(given: GivenFiles, path: Path) -> pl.DataFrame:
    file, names = given.name(path), {"user_id": "user_id", "segment": "segment"}
    frame = given.read(path, names, required=names)
    if not is_text(frame["segment"].dtype):
        raise ContractViolationError(
            f"{file}: segment must be String, got {frame['segment'].dtype}: convert the column"
        )
    users = as_ids(frame["user_id"], "user_id", file)
    return frame.select(users, pl.col("segment").cast(pl.String), "_file", "_row")
