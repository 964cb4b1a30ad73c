"""Plant bad rows in the log of a sample lake, at known places."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

BOT = "u-robot"
N_BOT_ROWS = 1600  # of one user on one day
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOO_LATE = timedelta(days=5)
NO_TEXT = pl.lit(None, pl.String)


class Planted(NamedTuple):
    """A file's rows with the bad ones among them."""

    rows: pl.DataFrame
    faults: list[tuple[int, str]]  # row number, rule


def plant_rows(
    good: pl.DataFrame,
    rng: np.random.Generator,
    *,
    day: date,
    last_day: date,
    n_each: int,
    with_bot: bool = False,
) -> Planted:
    """Return the good rows in their order, with bad ones in between.

    Every bad row but a bot's is the copy of a good one with one thing wrong; a duplicate
    has nothing wrong but that it comes again.

    Args:
        good: rows of one file, of the columns of the sample's log.
        rng: decides which rows are copied and where the copies stand.
        day: the partition's.
        last_day: of the lake; times in the future lie after it.
        n_each: bad rows of every kind.
        with_bot: whether one user more clicks day and night.
    """
    placed = [good.with_columns(_at=pl.int_range(pl.len()).cast(pl.Float64), _rule=NO_TEXT)]
    for rule, wrong in _kinds(day, last_day):
        copied = rng.integers(0, good.height, n_each)
        earliest = copied + 0.5 if rule == "duplicate" else np.full(n_each, -0.5)
        at = earliest + (good.height - 0.5 - earliest) * rng.random(n_each)
        bad = good[copied].with_columns(wrong)
        placed.append(bad.with_columns(pl.Series("_at", at), pl.lit(rule).alias("_rule")))
    if with_bot:
        placed.append(_bot_rows(good, rng, day))
    rows = pl.concat(placed).sort("_at", maintain_order=True).with_row_index("_number")
    faults = rows.filter(pl.col("_rule").is_not_null()).select("_number", "_rule").rows()
    return Planted(rows.select(good.columns), faults)


def _kinds(day: date, last_day: date) -> list[tuple[str, pl.Expr]]:
    ahead = last_day - day + timedelta(days=2)
    time = pl.col("timestamp")
    return [
        ("user_id_missing", NO_TEXT.alias("user_id")),
        ("user_id_missing", pl.lit("").alias("user_id")),
        ("item_id_missing", NO_TEXT.alias("item_id")),
        ("item_id_missing", pl.lit("").alias("item_id")),
        ("timestamp_missing", pl.lit(None, time_type()).alias("timestamp")),
        ("event_type_unknown", pl.lit("veiw").alias("event_type")),
        ("event_type_unknown", NO_TEXT.alias("event_type")),
        ("timestamp_ancient", pl.lit(EPOCH, time_type()).alias("timestamp")),
        ("timestamp_in_future", time + ahead),
        ("too_late", time - TOO_LATE),
        ("duplicate", time),
    ]


def time_type() -> pl.Datetime:
    """Return the type of the log's times."""
    return pl.Datetime("us", "UTC")


def _bot_rows(good: pl.DataFrame, rng: np.random.Generator, day: date) -> pl.DataFrame:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    clicks = pl.int_range(N_BOT_ROWS) * (86_400_000_000 // N_BOT_ROWS)
    return good[rng.integers(0, good.height, N_BOT_ROWS)].with_columns(
        pl.lit(BOT).alias("user_id"),
        pl.lit("view").alias("event_type"),
        ("/item/" + pl.col("item_id")).alias("page"),
        (pl.lit(midnight, time_type()) + pl.duration(microseconds=clicks)).alias("timestamp"),
        pl.Series("_at", np.sort(rng.random(N_BOT_ROWS)) * good.height - 0.5),
        pl.lit("bot").alias("_rule"),
    )
