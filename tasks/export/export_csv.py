"""Export to CSV: a folder with one file per table."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa
from pyarrow import csv

from data_contracts.manifests import SnapshotManifest
from tasks.export.export_source import TableSource
from tasks.export.export_target import MARKER, refuse_foreign_folder, sibling, swap_folder
from tasks.files import write_text

Compression = Literal["none", "gzip", "zstd"]
_ENDING = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def write_csv(
    tables: Sequence[TableSource], manifest: SnapshotManifest, into: Path, compression: Compression
) -> str:
    """Write a folder with one CSV file per table and replace the former one; return its path.

    Vectors are written as JSON arrays, null as nothing at all.
    """
    refuse_foreign_folder(into)
    staging = sibling(into)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    for table in tables:
        _write(table, staging / f"{table.name}.csv{_ENDING[compression]}", compression)
    write_text(staging / MARKER, manifest.model_dump_json(exclude={"files"}, indent=2) + "\n")
    swap_folder(staging, into)
    return str(into)


def _write(table: TableSource, path: Path, compression: Compression) -> None:
    schema = pa.schema(
        pa.field(each.name, pa.string() if _is_list(each.type) else each.type)
        for each in table.dataset.schema
    )
    codec = None if compression == "none" else compression
    with (
        pa.CompressedOutputStream(str(path), codec) if codec else pa.OSFile(str(path), "wb") as out,
        csv.CSVWriter(out, schema) as writer,
    ):
        for batch in table.batches():
            writer.write_batch(_plain(batch, schema))


def _is_list(dtype: pa.DataType) -> bool:
    return pa.types.is_list(dtype) or pa.types.is_fixed_size_list(dtype)


def _plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_as_json(column) if _is_list(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _as_json(column: pa.Array) -> pa.Array:
    values = pl.Series(column.cast(pa.list_(column.type.value_type)))
    text = pl.format("[{}]", pl.col("v").list.eval(pl.element().cast(pl.String)).list.join(","))
    return pl.DataFrame({"v": values}).select(text).to_series().to_arrow().cast(pa.string())
