"""Turn rows of text into rows of the log, or say what is wrong with them."""

from datetime import date
from typing import NamedTuple

import polars as pl

from data_contracts.config import InteractionsConfig
from data_contracts.errors import ConfigError
from data_contracts.id_type import IdType
from data_contracts.import_source import Kept, LogFormat, LogSource
from data_contracts.interactions import EVENT, day_start
from tasks.importing.import_lines import FAULTS, Chunk
from tasks.importing.import_time import read_times

DAY = "_day"  # of the log, beside the columns that are written
_TYPES: dict[Kept | IdType, pl.DataType] = {
    "text": pl.String(),
    "number": pl.Float64(),
    "string": pl.String(),
    "integer": pl.Int64(),
}


class LogShape(NamedTuple):
    """How a file becomes rows of the log."""

    source: LogSource
    log: InteractionsConfig
    today: date

    def target_columns(self) -> dict[str, str]:
        """Return our name -> the log's name, of the columns that are written.

        Raises:
            ConfigError: a column that is kept is called like one of the log, or the log has no
                column for event types that are not its default.
        """
        columns = self.log.columns.model_dump(include=set(EVENT))
        names = {ours: name for ours, name in columns.items() if name}
        form = self.source.format
        if taken := set(form.keep) & set(names.values()):
            raise ConfigError(
                f"columns that are kept must not be called like those of the log, got {taken}: "
                "leave them out of --keep, or rename the log's in [interactions.columns]"
            )
        default = self.log.default_event_type
        if "event_type" not in names and (form.event_column or form.event_type != default):
            raise ConfigError(
                "interactions.columns.event_type must name a column for events that are not all "
                f"{default}, got an empty name: set it, or interactions.default_event_type"
            )
        return names


def log_rows(shape: LogShape, chunk: Chunk) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of the log in their own columns and types with their day, and the faults.

    Ids that are missing stay missing: the night refuses them with the whole row.

    Args:
        shape: what the columns mean and which days are taken.
        chunk: rows of text, and what was no row.
    """
    form, rows = shape.source.format, chunk.rows
    zone = shape.log.time_zone
    times = _times(shape, rows)
    typed = rows.with_columns(
        times.alias("_time"),
        times.dt.convert_time_zone(zone).dt.date().alias(DAY),
        *(
            _typed(name, kind).alias(f"_{place}")
            for place, (name, kind) in enumerate(_typed_columns(form))
        ),
    )
    judged = typed.with_columns(_rule=_broken(shape), _value=_broken_value(form))
    good = judged.filter(pl.col("_rule").is_null())
    bad = judged.filter(pl.col("_rule").is_not_null())
    refused = bad.select(
        "row_number",
        rule="_rule",
        value="_value",
        original=pl.struct(*form.columns()).struct.json_encode(),
    )
    return _written(shape, good), pl.concat([chunk.faults, refused.cast(FAULTS)])


def _times(shape: LogShape, rows: pl.DataFrame) -> pl.Series:
    form, zone = shape.source.format, shape.log.time_zone
    if form.timestamp:
        return read_times(rows[form.timestamp], form.time, form.time_zone or zone)
    if shape.source.day is None:
        raise ConfigError(
            f"{shape.source.path} does not say when: give the day of all its events with --date"
        )
    moment = pl.Series([day_start(shape.source.day, zone)], dtype=pl.Datetime("us", "UTC"))
    return moment.new_from_index(0, rows.height)


def _typed_columns(form: LogFormat) -> list[tuple[str, Kept | IdType]]:
    ids: list[tuple[str, Kept | IdType]] = [
        (form.user_id, form.user_ids),
        (form.item_id, form.item_ids),
    ]
    return ids + list(form.keep.items())


def _typed(name: str, kind: Kept | IdType) -> pl.Expr:
    if kind in ("string", "text"):
        return pl.col(name)
    text = pl.col(name).str.strip_chars()
    if kind == "integer":
        return text.cast(pl.Int64, strict=False)
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _faults_of(form: LogFormat) -> dict[str, tuple[pl.Expr, str]]:
    """Return what is wrong with typed values: a name -> when it is so, column."""
    found = {}
    for place, (name, kind) in enumerate(_typed_columns(form)):
        if kind in ("string", "text"):
            continue
        given = pl.col(name).str.strip_chars().str.len_bytes() > 0
        rules = ("user_id_not_integer", "item_id_not_integer")
        rule = rules[place] if place < len(rules) else f"not_a_number {name}"
        found[rule] = (given.fill_null(value=False) & pl.col(f"_{place}").is_null(), name)
    return found


def _broken(shape: LogShape) -> pl.Expr:
    broken = [
        (pl.col("_time").is_null(), "time_unreadable"),
        (pl.col(DAY) < shape.log.earliest, "time_too_early"),
        (pl.col(DAY) > shape.today, "time_in_future"),
    ]
    broken += [
        (wrong, rule.split()[0]) for rule, (wrong, _) in _faults_of(shape.source.format).items()
    ]
    return pl.coalesce(pl.when(wrong).then(pl.lit(rule)) for wrong, rule in broken)


def _broken_value(form: LogFormat) -> pl.Expr:
    time = pl.col(form.timestamp) if form.timestamp else pl.lit(None, pl.String)
    faults = _faults_of(form).values()
    return pl.coalesce(
        [pl.when(wrong & pl.col("_time").is_not_null()).then(name) for wrong, name in faults]
        + [time]
    )


def _written(shape: LogShape, good: pl.DataFrame) -> pl.DataFrame:
    form, names = shape.source.format, shape.target_columns()
    columns = {names["user_id"]: pl.col("_0"), names["item_id"]: pl.col("_1")}
    if "event_type" in names:
        event = pl.col(form.event_column) if form.event_column else pl.lit(form.event_type)
        columns[names["event_type"]] = event
    unit = shape.log.time_unit
    columns[names["timestamp"]] = (
        pl.col("_time") if unit == "datetime" else pl.col("_time").dt.epoch(unit)
    )
    for place, name in enumerate(form.keep, start=2):
        columns[name] = pl.col(f"_{place}")
    return good.select(DAY, **columns)
