"""Files that people put beside the log: found by a pattern, read with a sentence where broken."""

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_contracts.bucket_pattern import in_bucket
from data_contracts.errors import ContractViolationError
from data_contracts.id_type import IdType
from data_contracts.manifests import IngestManifest
from tasks.files import sha256_of
from tasks.id_type import id_type
from tasks.lake import Night
from tasks.plain_error import told
from tasks.source.bucket_mirror import BucketMirror, address_of
from tasks.steps import read_manifest

PLACE = ("_file", "_row")  # where a row stands, while it is checked


@dataclass(frozen=True)
class GivenFiles:
    """The files of one pattern, relative to the lake, absolute, or in an object store."""

    night: Night
    pattern: str
    what: str
    """What the files are, for sentences: the catalogue."""
    setting: str
    """Where the configuration names their columns, or else the pattern."""

    def paths(self) -> list[Path]:
        """Return the files in the order of their names; copies of those in an object store.

        Raises:
            ObjectStoreError: the store is out of reach or refuses.
        """
        if in_bucket(self.pattern):
            setting = f"the pattern of {self.what}"
            return BucketMirror.of(self.night, self.pattern, setting).paths()
        root = glob.escape(str(self.night.lake))
        found = glob.glob(os.path.join(root, self.pattern), recursive=True)  # noqa: PTH118, PTH207
        return sorted(path for path in map(Path, found) if path.is_file())

    def name(self, path: Path) -> str:
        """Return a file's path, relative to the lake where it lies inside; a copy's address."""
        if in_bucket(self.pattern):
            return address_of(self.night.lake, path)
        inside = path.is_relative_to(self.night.lake)
        return path.relative_to(self.night.lake).as_posix() if inside else str(path)

    def fingerprint(self) -> dict[str, str]:
        """Return the digest of every file."""
        return {self.name(path): sha256_of(path) for path in self.paths()}

    def read(self, path: Path, columns: Mapping[str, str], required: Iterable[str]) -> pl.DataFrame:
        """Return a file's columns under our names, those it has, and where each row stands.

        Args:
            path: the file.
            columns: our name of each column -> the file's.
            required: our names of the columns that must be there.

        Raises:
            ContractViolationError: the file cannot be read or lacks a column.
        """
        name = self.name(path)
        try:
            found = pl.read_parquet_schema(path)
            wanted = {theirs: ours for ours, theirs in columns.items() if theirs in found}
            frame = pl.read_parquet(path, columns=list(wanted), glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ContractViolationError(
                f"{name} must be a whole Parquet file: write it again, or move it out of "
                f"{self.what} ({told(error)})"
            ) from error
        for ours in required:
            if columns[ours] not in found:
                raise ContractViolationError(
                    f"{name} must have the column {columns[ours]}, got {list(found)}: add it, or "
                    f"set {self.setting.format(column=ours)}"
                )
        return frame.select(
            pl.col(theirs).alias(ours) for theirs, ours in wanted.items()
        ).with_columns(pl.lit(name).alias("_file"), pl.int_range(pl.len()).alias("_row"))


def log_id_types(night: Night) -> tuple[IdType, IdType] | None:
    """Return the types of user and item ids in the log, None where no log was read tonight."""
    log = read_manifest(night.step("ingest"), IngestManifest)
    return (log.user_id_type, log.item_id_type) if log else None


def as_ids(found: pl.Series, name: str, file: str) -> pl.Series:
    """Return ids as strings or 64-bit integers.

    Args:
        found: the column, under any name.
        name: the file's own name of it.
        file: where it stands.

    Raises:
        ContractViolationError: they are neither.
    """
    if found.dtype.is_integer():
        if found.dtype == pl.UInt64 and (found > 2**63 - 1).any():
            largest = "a larger one" if name == "user_id" else repr(found.max())
            raise ContractViolationError(
                f"{file}: {name} must fit into 64 bits with sign, got {largest}: "
                "write the ids as strings, here and in the log"
            )
        return found.cast(pl.Int64)
    if is_text(found.dtype):
        return found.cast(pl.String)
    raise ContractViolationError(
        f"{file}: {name} must be string or integer, got {found.dtype}: convert the column "
        "to the type the ids have in the log"
    )


def is_text(dtype: pl.DataType) -> bool:
    """Tell whether a column holds texts, plain or as a dictionary."""
    return dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum)


def refuse_other_type(parts: Iterable[pl.DataFrame], column: str, log: IdType | None) -> None:
    """Raise ContractViolationError unless the ids of all files are of one type, that of the log.

    Args:
        parts: the files' rows, at least one each.
        column: which ids.
        log: their type in the log; without one the first file decides.
    """
    expected = log
    for part in parts:
        got = id_type(part[column])
        expected = expected or got
        if got != expected:
            raise ContractViolationError(
                f"{part['_file'][0]}: {column} must be {expected} as in the "
                f"{'log' if log else 'files before'}, got {got}: convert the column"
            )


def refuse_missing(rows: pl.DataFrame, column: str) -> None:
    """Raise ContractViolationError if a value is null or an empty text."""
    missing = pl.col(column).is_null()
    if rows[column].dtype == pl.String:
        missing |= pl.col(column) == ""
    for file, row in rows.filter(missing).head(1).select(PLACE).iter_rows():
        raise ContractViolationError(
            f"{file}: {column} must be given, got nothing in row {row} (counted from 0): fill it "
            "in or leave the row out"
        )


def refuse_repeated(rows: pl.DataFrame, column: str, remedy: str) -> None:
    """Raise ContractViolationError if two rows hold the same value."""
    again = rows.filter(~pl.col(column).is_first_distinct())
    if again.is_empty():
        return
    value, file, row = (again[name][0] for name in (column, *PLACE))
    first = rows.filter(pl.col(column) == value)
    shown = "the same" if column == "user_id" else value  # ids of people stay out of messages
    raise ContractViolationError(
        f"{file}: {column} must be there once, got {shown} again in row {row} (counted from 0; "
        f"first in {first['_file'][0]}, row {first['_row'][0]}; {again.height} such rows in all): "
        f"{remedy}"
    )
