"""The contract of the interaction log: what a good row is, rule by rule.

A row rule is one Polars expression; it splits rows into good and refused, and the good part
must then pass the Pandera schema as well, so that neither can drift from the other.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandera.polars as pa
import polars as pl

from data_contracts.config import InteractionsConfig
from data_contracts.forgetting import FORGOTTEN_RULES
from data_contracts.id_type import IdType
from data_contracts.table_column import id_column

ROW_RULES = {
    "user_id_missing": "every row says who: user_id is neither null nor empty",
    "item_id_missing": "every row says what: item_id is neither null nor empty",
    "user_id_unfit": "a user_id has at most 1,024 bytes, as a whole number at most 2^63 - 1",
    "item_id_unfit": "an item_id has at most 1,024 bytes, as a whole number at most 2^63 - 1",
    "timestamp_missing": "every row says when, in a time that its zone has",
    "event_type_unknown": "the event type is one of those in [events]",
    "timestamp_ancient": "no time lies before interactions.earliest",
    "timestamp_in_future": "no time lies after the day of its file",
    "too_late": "no event comes more than interactions.look_back_days after it happened",
    "value_unfit": "where the log has ratings, every row has one, and it is a finite number",
}
USER_RULES = {
    "duplicate": "an event (its id; else user, item, event type, time) is told once",
    "bot": "no user has more than validation.max_events_per_user_day events on a day",
}
FILE_RULES = {
    "unreadable_file": "every file is a whole Parquet file; its day waits until it is",
    "wrong_columns": "every file has the configured columns with fitting types; its day waits",
    "day_waits": "a day is taken as a whole, or not yet",
    "day_set_aside": "a day beyond a limit of [validation.rules] waits until it or that changes",
    "too_late_file": "no file comes or changes more than interactions.look_back_days after its day",
}
INTERACTION_RULES = ROW_RULES | USER_RULES | FILE_RULES | FORGOTTEN_RULES
LONGEST_ID = 1_024  # bytes of UTF-8
_LARGEST_ID = 2**63 - 1
EVENT = ("user_id", "item_id", "event_type", "timestamp")


class Bounds(NamedTuple):
    """Between which moments an event of one partition may lie."""

    earliest: datetime
    arrived_after: datetime  # too late before it
    end: datetime  # of the partition's day


def bounds(config: InteractionsConfig, partition: date) -> Bounds:
    """Return the bounds of a partition's events, as moments in UTC.

    They do not depend on the night that reads it: a row is good or bad whenever it arrives.
    """
    return Bounds(
        earliest=day_start(config.earliest, config.time_zone),
        arrived_after=day_start(
            partition - timedelta(days=config.look_back_days), config.time_zone
        ),
        end=day_start(partition + timedelta(days=1), config.time_zone),
    )


def day_start(day: date, time_zone: str) -> datetime:
    """Return the moment a day begins in a time zone."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(ZoneInfo("UTC"))


def broken_rule(
    event_types: Iterable[str],
    limits: Bounds,
    *,
    text_ids: tuple[bool, bool],
    has_value: bool = False,
) -> pl.Expr:
    """Return the name of the first rule a row breaks, null for a good row.

    Args:
        event_types: the known ones.
        limits: of the partition.
        text_ids: whether user ids and item ids are strings.
        has_value: whether rows have a rating.
    """
    timestamp = pl.col("timestamp")
    broken = {
        "user_id_missing": _missing("user_id", is_text=text_ids[0]),
        "item_id_missing": _missing("item_id", is_text=text_ids[1]),
        "user_id_unfit": _unfit("user_id", is_text=text_ids[0]),
        "item_id_unfit": _unfit("item_id", is_text=text_ids[1]),
        "timestamp_missing": timestamp.is_null(),
        "event_type_unknown": ~pl.col("event_type")
        .is_in(sorted(event_types))
        .fill_null(value=False),
        "timestamp_ancient": timestamp < limits.earliest,
        "timestamp_in_future": timestamp >= limits.end,
        "too_late": timestamp < limits.arrived_after,
        "value_unfit": ~pl.col("value").is_finite().fill_null(value=False)
        if has_value
        else pl.lit(value=False),
    }
    return pl.coalesce(pl.when(broken[rule]).then(pl.lit(rule)) for rule in ROW_RULES)


def interactions_schema(
    user_id_type: IdType, item_id_type: IdType, event_types: Iterable[str]
) -> pa.DataFrameSchema:
    """Return the contract of good rows; validate eager frames only."""
    known = pa.Check.isin(sorted(event_types), n_failure_cases=10)
    return pa.DataFrameSchema(
        {
            "user_id": id_column(user_id_type, "Who."),
            "item_id": id_column(item_id_type, "What."),
            "event_type": pa.Column(pl.String, known, description="Which kind of event."),
            "timestamp": pa.Column(pl.Datetime("us", "UTC"), description="When."),
        },
        name="interactions",
        description="The interaction log after validation: one row per event.",
    )


def _missing(column: str, *, is_text: bool) -> pl.Expr:
    null = pl.col(column).is_null()
    return null | (pl.col(column) == "") if is_text else null


def _unfit(column: str, *, is_text: bool) -> pl.Expr:
    if is_text:
        return pl.col(column).str.len_bytes() > LONGEST_ID
    return pl.col(column) > _LARGEST_ID  # unsigned numbers reach further
