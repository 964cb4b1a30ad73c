"""Turn a text file of items into a catalogue: one row per item."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from data_contracts.config import ItemColumns
from data_contracts.import_source import CatalogueFormat
from tasks.files import sync
from tasks.importing.import_lines import FAULTS, Chunk
from tasks.importing.import_reading import read_chunks
from tasks.importing.import_refused import RefusedRows


def write_catalogue(
    source: Path, form: CatalogueFormat, names: ItemColumns, target: Path, refused: RefusedRows
) -> tuple[int, int]:
    """Write the items of a file under the configuration's names of columns; return rows, written.

    Of an item that comes twice the first row counts; ids are held in memory, rows are not.
    """
    seen: set[str | int] = set()
    n_rows = n_written = 0
    columns = form.columns()
    empty = _items(pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), form, names)
    schema = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    with pq.ParquetWriter(target, schema, compression="zstd") as file:
        for chunk in read_chunks(source, form, columns):
            good, faults = _judged(chunk, form, seen)
            refused.write(faults)
            items = _items(good, form, names)
            if items.height:
                file.write_table(items.to_arrow(compat_level=pl.CompatLevel.oldest()))
            n_rows += chunk.rows.height + chunk.faults.height
            n_written += items.height
    sync(target)
    return n_rows, n_written


def _judged(
    chunk: Chunk, form: CatalogueFormat, seen: set[str | int]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = chunk.rows.with_columns(_id=_item_id(form))
    given = pl.col(form.item_id).str.len_bytes() > 0
    rows = rows.with_columns(
        _rule=pl.when(~given.fill_null(value=False)).then(pl.lit("item_id_missing"))
        .when(pl.col("_id").is_null()).then(pl.lit("item_id_not_integer"))
    )  # fmt: skip
    repeated = []
    for item in rows["_id"]:
        repeated.append(item is not None and item in seen)
        if item is not None:
            seen.add(item)
    again = pl.when(pl.Series(repeated, dtype=pl.Boolean)).then(pl.lit("item_id_repeated"))
    rows = rows.with_columns(_rule=pl.coalesce("_rule", again))
    bad = rows.filter(pl.col("_rule").is_not_null()).select(
        "row_number", rule="_rule", value=form.item_id,
        original=pl.struct(*form.columns()).struct.json_encode(),
    )  # fmt: skip
    return rows.filter(pl.col("_rule").is_null()), pl.concat([chunk.faults, bad.cast(FAULTS)])


def _items(rows: pl.DataFrame, form: CatalogueFormat, names: ItemColumns) -> pl.DataFrame:
    columns = {names.item_id: _item_id(form)}
    if form.title:
        columns[names.title] = _given(form.title)
    if form.flags:
        flagged = [pl.when(pl.col(flag) == "1").then(pl.lit(flag)) for flag in form.flags]
        columns[names.category] = pl.coalesce(flagged)
        columns[names.text] = pl.concat_str(flagged, separator=" ", ignore_nulls=True)
    if form.category:
        columns[names.category] = _plain(form.category).str.split("|").list.first()
    if form.text:
        columns[names.text] = _plain(form.text).str.replace_all("|", " ", literal=True)
    return rows.select(**columns)


def _item_id(form: CatalogueFormat) -> pl.Expr:
    column = pl.col(form.item_id)
    if form.item_ids == "string":
        return column
    return column.str.strip_chars().cast(pl.Int64, strict=False)


def _given(name: str) -> pl.Expr:
    return pl.when(pl.col(name).str.len_bytes() > 0).then(name)


def _plain(name: str) -> pl.Expr:
    """Return a text; one that was a list of texts is joined."""
    column = _given(name)
    listed = column.str.starts_with("[")
    joined = column.map_elements(_joined, return_dtype=pl.String)
    return pl.when(listed).then(joined).otherwise(column)


def _joined(text: str) -> str | None:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return " ".join(str(part) for part in value) or None if isinstance(value, list) else text
