"""Write refused rows, with every original column, the rule they broke and the value that did."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from data_contracts.forgetting import FORGOTTEN
from data_contracts.interactions import EVENT
from data_contracts.manifests import LogFile, RefusedFile
from data_contracts.quarantine import quarantine_schema
from tasks.files import empty_folder, replace_folder
from tasks.lake import Night, quarantine_folder
from tasks.source.log_reader import has_year
from tasks.source.log_store import log_place
from tasks.tables.table_file import check_table

logger = logging.getLogger(__name__)
OURS = ("rule", "broken_value", "source_file", "row_number")
_LONGEST_VALUE = 1_000  # characters of broken_value; the column itself is kept whole
_BROKEN = {  # rule -> our name of the column that broke it; of a repeated event all count
    "user_id_missing": "user_id",
    "item_id_missing": "item_id",
    "user_id_unfit": "user_id",
    "item_id_unfit": "item_id",
    "timestamp_missing": "timestamp",
    "event_type_unknown": "event_type",
    "timestamp_ancient": "timestamp",
    "timestamp_in_future": "timestamp",
    "too_late": "timestamp",
    "value_unfit": "value",
    "bot": "user_id",
}


def write_quarantine(
    night: Night,
    faults: Mapping[str, pl.DataFrame],
    refused: Sequence[RefusedFile],
    files: Sequence[LogFile] = (),
) -> Path:
    """Replace the night's quarantine; return its folder.

    Args:
        night: whose quarantine it is.
        faults: for every file with refused rows, their row_number and rule; those of people
            who were forgotten are counted elsewhere and kept nowhere.
        refused: files that were not taken at all; one row each, with the reason.
        files: as they were judged; one in an object store that has changed since is refused.

    Raises:
        MovedError: a file in an object store is gone, or has changed since it was judged.
        ObjectStoreError: the store is out of reach.
    """
    staging = empty_folder(night.state / "staging" / "quarantine")
    aside = night.state / "staging" / "quarantine.log"
    kept = {path: rows.filter(pl.col("rule") != FORGOTTEN) for path, rows in faults.items()}
    place, judged = log_place(night), {file.path: file for file in files}
    parts = []
    for path, rows in sorted(kept.items()):
        if rows.height:
            with place.source(path, judged.get(path)).at_hand(aside) as file:
                parts.append(_rows(night, path, file, rows))
    parts += [_file(file) for file in refused]
    for number, part in enumerate(parts):
        check_table(quarantine_schema(), part)
        part.write_parquet(staging / f"part-{number:05d}.parquet")
    target = quarantine_folder(night.lake, night.run_date)
    replace_folder(staging, target)
    return target


def _rows(night: Night, path: str, file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    log = pl.scan_parquet(file, glob=False)
    renamed = _free_names(log.collect_schema().names())
    numbered = log.rename(renamed).with_row_index("row_number")
    wanted = rows.with_columns(pl.col("row_number").cast(pl.UInt32)).lazy()
    found = numbered.join(wanted, on="row_number", how="inner", maintain_order="left")
    columns = {
        ours: renamed.get(name, name)
        for ours, name in night.config.interactions.columns.model_dump().items()
        if name
    }
    broken = _broken_value(columns, found.collect_schema())
    ours = found.with_columns(source_file=pl.lit(path), broken_value=broken)
    return ours.collect(engine="streaming").sort("row_number")


def _broken_value(columns: Mapping[str, str], dtypes: Mapping[str, pl.DataType]) -> pl.Expr:
    texts = {
        ours: _as_text(pl.col(name), dtypes[name]).str.slice(0, _LONGEST_VALUE)
        for ours, name in columns.items()
    }
    values = [
        pl.when(pl.col("rule") == rule).then(texts[name])
        for rule, name in _BROKEN.items()
        if name in texts
    ]
    event = pl.concat_str(
        *(texts[ours] for ours in EVENT if ours in texts), separator=" | ", ignore_nulls=True
    )
    return pl.coalesce(*values, pl.when(pl.col("rule") == "duplicate").then(event))


def _as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return values as text; a time without a year between 1 and 9999 as its number."""
    if not isinstance(dtype, pl.Datetime):
        return column.cast(pl.String)
    number = column.to_physical()
    written = pl.when(has_year(number, dtype.time_unit)).then(column).cast(pl.String)
    return pl.coalesce(written, number.cast(pl.String))


def _free_names(names: Sequence[str]) -> dict[str, str]:
    """Map the log's columns that are called like ours to names that nothing else has."""
    renamed = {}
    for name in (name for name in OURS if name in names):
        free = f"original_{name}"
        while free in names:
            free = f"original_{free}"
        renamed[name] = free
    return renamed


def _file(file: RefusedFile) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "rule": [file.rule],
            "broken_value": pl.Series([None], dtype=pl.String),
            "source_file": [file.path],
            "row_number": pl.Series([None], dtype=pl.UInt32),
            "reason": [file.reason],
        }
    )
