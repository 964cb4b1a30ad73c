"""Read one log file in batches, in our own columns and types."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from data_contracts.config import InteractionColumns, InteractionsConfig
from data_contracts.id_type import IdType
from tasks.ingest.event_keys import event_keys
from tasks.plain_error import told
from tasks.source.log_source import LogSource
from tasks.source.object_store import MovedError

_BATCH_ROWS = 1_000_000
# of Polars and Arrow, on files that are not what they say; or not there any more
FAILURES = (
    pa.ArrowException,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    MovedError,
)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_YEARS = (-62_135_596_800, 253_402_300_800)  # 1 to 9999, in seconds
ID_DTYPES: dict[IdType, pl.DataType] = {"string": pl.String(), "integer": pl.Int64()}


class UnfitFileError(Exception):
    """A file that cannot be taken; rule is its name in quarantine."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason


class FileShape(NamedTuple):
    """What a file says of itself."""

    rows: int
    user_id_type: IdType | None  # None where the column holds nulls only
    item_id_type: IdType | None


def inspect(source: LogSource, config: InteractionsConfig) -> FileShape:
    """Return rows and id types of a file from its footer.

    Raises:
        UnfitFileError: it is no whole Parquet file, or its columns do not fit.
    """
    if not source.is_file():  # a pipe would be waited for
        raise UnfitFileError(
            "unreadable_file", "no file, but a folder, a pipe, a device or nothing"
        )
    try:
        with source.opened() as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            names = schema.names
    except MovedError as error:
        raise UnfitFileError("unreadable_file", str(error)) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnfitFileError(
            "unreadable_file", f"not a whole Parquet file ({told(error)})"
        ) from error
    columns = config.columns
    _check_names(names, [name for name in columns.model_dump().values() if name])
    _check_time(schema.field(columns.timestamp).type, config)
    event_type = schema.field(columns.event_type).type if columns.event_type else pa.null()
    if not _is_text(event_type) and not pa.types.is_null(event_type):
        raise UnfitFileError("wrong_columns", f"{columns.event_type} must be text")
    _check_more(schema, columns)
    return FileShape(rows, _id_type(schema, columns.user_id), _id_type(schema, columns.item_id))


def inspect_all(
    sources: Sequence[LogSource], config: InteractionsConfig, *, n_at_once: int
) -> list[FileShape | UnfitFileError]:
    """Return the shape of every file, or why it cannot be taken.

    Args:
        sources: the files.
        config: names and types of the columns.
        n_at_once: footers read at the same time; a store answers late, but many at once.
    """
    if n_at_once == 1:
        return [_inspected(source, config) for source in sources]
    with ThreadPoolExecutor(n_at_once) as pool:
        return list(pool.map(_inspected, sources, repeat(config)))


def _inspected(source: LogSource, config: InteractionsConfig) -> FileShape | UnfitFileError:
    try:
        return inspect(source, config)
    except UnfitFileError as error:
        return error


def batches(
    source: LogSource, config: InteractionsConfig, id_types: tuple[IdType, IdType]
) -> Iterator[pl.DataFrame]:
    """Yield user_id, item_id, event_type, timestamp and row_number, bounded in memory.

    Where the log has them, also value (float32) and event_key (uint64, 0 for no id).

    Unsigned ids of 64 bits stay so: one beyond the signed ones is refused by the row rules.

    Raises:
        UnfitFileError: a page of the file cannot be read.
    """
    columns = config.columns
    names = [name for name in columns.model_dump().values() if name]
    event_type = (
        pl.col(columns.event_type).cast(pl.String)
        if columns.event_type
        else pl.lit(config.default_event_type)
    )
    start = 0
    try:
        with source.opened() as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
                batch.validate(full=True)  # text that is no UTF-8 would fail far from here
                raw = pl.DataFrame(pa.RecordBatch.from_arrays(batch.columns, names))  # no metadata
                yield raw.select(
                    user_id=_id(raw, columns.user_id, id_types[0]),
                    item_id=_id(raw, columns.item_id, id_types[1]),
                    event_type=event_type,
                    timestamp=moment(raw.schema[columns.timestamp], config),
                    row_number=pl.int_range(start, start + raw.height, dtype=pl.UInt32),
                    **_more(raw, columns),
                )
                start += raw.height
    except MovedError as error:
        raise UnfitFileError("unreadable_file", str(error)) from error
    except (*FAILURES, OSError) as error:
        raise UnfitFileError(
            "unreadable_file", f"cannot be read to its end ({told(error)})"
        ) from error


def moment(dtype: pl.DataType, config: InteractionsConfig) -> pl.Expr:
    """Return the log's time column as moments in UTC, microseconds."""
    column = pl.col(config.columns.timestamp)
    if dtype == pl.Null:
        return column.cast(pl.Datetime("us", "UTC"))
    if not isinstance(dtype, pl.Datetime):
        return _of_number(column.cast(pl.Int64, strict=False), config.time_unit)
    if dtype.time_zone is None:
        within = _of_number(column.to_physical(), dtype.time_unit).is_not_null()
        column = (
            pl.when(within)
            .then(column)
            .dt.replace_time_zone(config.time_zone, ambiguous="earliest", non_existent="null")
        )
    return _of_number(column.to_physical(), dtype.time_unit)


def _of_number(numbers: pl.Expr, unit: str) -> pl.Expr:
    """Return the moments of numbers since 1970 in UTC; null before the year 1 and after 9999."""
    known = pl.when(has_year(numbers, unit)).then(numbers)
    micros = known * (1_000_000 // _PER_SECOND[unit]) if unit != "ns" else known // 1_000
    return micros.cast(pl.Datetime("us", "UTC"))


def has_year(numbers: pl.Expr, unit: str) -> pl.Expr:
    """Tell which times since 1970 are in the years 1 to 9999; Polars can write no others."""
    bounds = (each * _PER_SECOND[unit] for each in _YEARS)
    first, end = (max(-(2**63), min(2**63 - 1, each)) for each in bounds)
    return (numbers >= first) & (numbers < end)


def _more(raw: pl.DataFrame, columns: InteractionColumns) -> dict[str, pl.Expr | pl.Series]:
    more: dict[str, pl.Expr | pl.Series] = {}
    if columns.value:
        more["value"] = pl.col(columns.value).cast(pl.Float32)
    if columns.event_id:
        more["event_key"] = event_keys(raw[columns.event_id])
    return more


def _check_more(schema: pa.Schema, columns: InteractionColumns) -> None:
    if columns.value and not _is_number(schema.field(columns.value).type):
        raise UnfitFileError("wrong_columns", f"{columns.value} must be numbers")
    if columns.event_id:
        _id_type(schema, columns.event_id)


def _is_number(dtype: pa.DataType) -> bool:
    return pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_null(dtype)


def _check_names(names: list[str], wanted: list[str]) -> None:
    counts = Counter(names)
    faulty = [name for name in wanted if counts[name] != 1]
    faulty += [name for name, count in counts.items() if count > 1 and name not in wanted]
    if faulty:  # quarantine could not keep both columns of one name
        raise UnfitFileError(
            "wrong_columns", f"needs each of {', '.join(faulty)} once, has {', '.join(names[:20])}"
        )


def _id(raw: pl.DataFrame, name: str, id_type: IdType) -> pl.Expr:
    if id_type == "integer" and raw.schema[name] == pl.UInt64:
        return pl.col(name)
    return pl.col(name).cast(ID_DTYPES[id_type])


def _is_text(dtype: pa.DataType) -> bool:
    value = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return (
        pa.types.is_string(value)
        or pa.types.is_large_string(value)
        or pa.types.is_string_view(value)
    )


def _id_type(schema: pa.Schema, name: str) -> IdType | None:
    dtype = schema.field(name).type
    if pa.types.is_null(dtype):
        return None
    if _is_text(dtype):
        return "string"
    if pa.types.is_integer(dtype):
        return "integer"
    raise UnfitFileError("wrong_columns", f"{name} must be string or integer, is {dtype}")


def _check_time(dtype: pa.DataType, config: InteractionsConfig) -> None:
    name = config.columns.timestamp
    if pa.types.is_null(dtype):
        return
    if config.time_unit == "datetime" and not pa.types.is_timestamp(dtype):
        raise UnfitFileError(
            "wrong_columns",
            f"{name} must be a Parquet timestamp, is {dtype} (interactions.time_unit)",
        )
    if config.time_unit != "datetime" and not pa.types.is_integer(dtype):
        raise UnfitFileError(
            "wrong_columns", f"{name} must be an integer, is {dtype} (interactions.time_unit)"
        )
