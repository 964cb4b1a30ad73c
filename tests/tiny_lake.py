"""A lake of a few rows, written in the test that needs it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from data_contracts.config import NightlyConfig
from tasks.lake import Night, quarantine_folder

DAY = date(2026, 9, 10)
Row = tuple[object, object, object, object]  # user_id, item_id, event_type, timestamp
SCHEMA = {
    "user_id": pl.String(),
    "item_id": pl.String(),
    "event_type": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
}


def at(hour: float, day: date = DAY) -> datetime:
    """A moment of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def write_day(
    lake: Path,
    rows: Sequence[Row],
    *,
    day: date = DAY,
    name: str = "part-0",
    schema: dict[str, pl.DataType] | None = None,
    **more: object,
) -> Path:
    """Write one log file; more columns may be given as constants."""
    path = lake / "interactions" / f"date={day}" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(rows, schema=schema or SCHEMA, orient="row")
    frame.with_columns(**{key: pl.lit(value) for key, value in more.items()}).write_parquet(path)
    return path


def good_rows(n: int = 6, day: date = DAY) -> list[Row]:
    """Rows that keep every rule."""
    return [(f"u{k % 3}", f"i{k % 4}", "view", at(1 + k, day)) for k in range(n)]


def night(lake: Path, day: date = DAY, **sections: object) -> Night:
    """A night with settings fit for a few rows."""
    given = {"validation": {"max_bad_share": 1.0}} | sections
    return Night(config=NightlyConfig.model_validate({"lake": str(lake), **given}), run_date=day)


def quarantined(lake: Path, day: date = DAY) -> list[tuple[str, int | None, str]]:
    """File name, row number and rule of every refused row."""
    parts = sorted(quarantine_folder(lake, day).glob("*.parquet"))
    places = ["source_file", "row_number", "rule"]
    rows = [row for part in parts for row in pl.read_parquet(part, columns=places).rows()]
    return sorted((Path(file).name, number, rule) for file, number, rule in rows)
