"""The contract of the log: bounds of a day, the order of rules, and rules against the schema."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.config import InteractionsConfig
from data_contracts.errors import ContractViolationError
from data_contracts.interactions import (
    EVENT,
    ROW_RULES,
    bounds,
    broken_rule,
    day_start,
    interactions_schema,
)
from tasks.tables.table_file import check_table

DAY = date(2026, 9, 10)
NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)
LIMITS = bounds(InteractionsConfig(), DAY)
TYPES = {"view", "purchase"}
GOOD = ("u", "i", "view", NOON)
LONG = "é" * 513  # 1,026 bytes
FRAME = {
    "user_id": pl.String,
    "item_id": pl.String,
    "event_type": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
}


def first_broken(row, schema=FRAME, text_ids=(True, True), limits=LIMITS):
    """The first rule a row breaks."""
    frame = pl.DataFrame([row], schema=schema, orient="row")
    return frame.select(broken_rule(TYPES, limits, text_ids=text_ids)).item()


@pytest.mark.parametrize(
    ("day", "zone", "moment"),
    [
        (DAY, "UTC", datetime(2026, 9, 10, tzinfo=UTC)),
        (DAY, "Europe/Prague", datetime(2026, 9, 9, 22, tzinfo=UTC)),
        (DAY, "America/Los_Angeles", datetime(2026, 9, 10, 7, tzinfo=UTC)),
        (date(2026, 3, 29), "Europe/Prague", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (date(2026, 3, 30), "Europe/Prague", datetime(2026, 3, 29, 22, tzinfo=UTC)),
    ],
)
def test_day_starts_where_its_zone_says(day, zone, moment):
    """The day on which spring skips an hour has 23 of them."""
    assert day_start(day, zone) == moment


def test_bounds_follow_the_partition():
    """Whatever night reads it, or a file that comes late would be judged otherwise."""
    config = InteractionsConfig(look_back_days=2, earliest=date(2020, 1, 1))
    found = bounds(config, DAY - timedelta(days=1))
    assert found.earliest == datetime(2020, 1, 1, tzinfo=UTC)
    assert found.arrived_after == datetime(2026, 9, 7, tzinfo=UTC)
    assert found.end == datetime(2026, 9, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "rule"),
    [
        (LIMITS.end - timedelta(microseconds=1), None),
        (LIMITS.end, "timestamp_in_future"),
        (LIMITS.arrived_after, None),
        (LIMITS.arrived_after - timedelta(microseconds=1), "too_late"),
        (LIMITS.earliest, "too_late"),
        (LIMITS.earliest - timedelta(microseconds=1), "timestamp_ancient"),
    ],
)
def test_bounds_are_sharp(moment, rule):
    """To the microsecond, on both sides."""
    assert first_broken(("u", "i", "view", moment)) == rule


def test_row_that_breaks_several_rules_is_told_the_first():
    """In the order in which the rules are listed."""
    repaired = [
        (None, None, "stare", None),
        (LONG, None, "stare", None),
        (LONG, LONG, "stare", None),
        ("u", LONG, "stare", None),
        ("u", "i", "stare", None),
        ("u", "i", "stare", LIMITS.end),
        GOOD,
    ]
    assert [first_broken(row) for row in repaired] == [*list(ROW_RULES)[:6], None]


def test_integer_ids_are_never_empty():
    """Zero and minus one are ids like others, null is none."""
    schema = FRAME | {"user_id": pl.Int64, "item_id": pl.Int64}
    row = ("view", NOON)
    integers = {"schema": schema, "text_ids": (False, False)}
    assert first_broken((0, -1, *row), **integers) is None
    assert first_broken((None, 1, *row), **integers) == "user_id_missing"
    assert first_broken((1, None, *row), **integers) == "item_id_missing"


@pytest.mark.parametrize(("row", "rule"), [
    (("u" * 1_024, "é" * 512), None),
    (("u" * 1_025, "i"), "user_id_unfit"),
    (("u", LONG), "item_id_unfit"),
])  # fmt: skip
def test_longest_id_is_counted_in_bytes(row, rule):
    """As every table and index that will hold it counts."""
    assert first_broken((*row, "view", NOON)) == rule


@pytest.mark.parametrize(("row", "rule"), [
    ((2**63 - 1, 2**63 - 1), None),
    ((2**63, 1), "user_id_unfit"),
    ((1, 2**64 - 1), "item_id_unfit"),
])  # fmt: skip
def test_unsigned_ids_end_where_signed_ones_do(row, rule):
    """They are there, and no more missing than any other."""
    schema = FRAME | {"user_id": pl.UInt64, "item_id": pl.UInt64}
    assert first_broken((*row, "view", NOON), schema=schema, text_ids=(False, False)) == rule


VALUES = st.tuples(
    st.sampled_from(["u", "", " ", None]),
    st.sampled_from(["i", "", None]),
    st.sampled_from(["view", "purchase", "VIEW", "", None]),
    st.sampled_from([NOON, None]),
)


@settings(max_examples=60)
@given(VALUES)
def test_rules_and_schema_agree_on_values(row):
    """What the rules let pass keeps the schema, and what they refuse breaks it."""
    frame = pl.DataFrame([row], schema=FRAME, orient="row").select(EVENT)
    schema = interactions_schema("string", "string", TYPES)
    if first_broken(row) is None:
        check_table(schema, frame)
    else:
        with pytest.raises(ContractViolationError, match="interactions must keep its contract"):
            check_table(schema, frame)


def test_schema_is_strict_about_types():
    """A time without its zone, or ids of another type, are not repaired."""
    frame = pl.DataFrame([GOOD], schema=FRAME, orient="row").select(EVENT)
    schema = interactions_schema("string", "string", TYPES)
    check_table(schema, frame)
    naive = frame.with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    with pytest.raises(ContractViolationError, match="timestamp breaks dtype"):
        check_table(schema, naive)
    with pytest.raises(ContractViolationError, match="user_id breaks dtype"):
        check_table(interactions_schema("integer", "string", TYPES), frame)


def test_nothing_but_check_table_validates():
    """Anything else could hand a contract a lazy frame, whose values it would not look at."""
    root = Path(__file__).parents[2]
    calls = [
        path.relative_to(root).as_posix()
        for package in ("flows", "tasks", "models", "data_contracts")
        for path in sorted((root / package).rglob("*.py"))
        if re.search(r"schema(\([^)]*\))?\.validate\(", path.read_text(encoding="utf-8"))
    ]
    assert calls == ["tasks/tables/table_file.py"]


def test_lazy_frame_is_refused_because_its_values_would_not_be_looked_at():
    """The bad value is there, and only an eager frame shows it."""
    bad = pl.DataFrame([("", "i", "view", NOON)], schema=FRAME, orient="row").select(EVENT)
    schema = interactions_schema("string", "string", TYPES)
    with pytest.raises(TypeError, match="only eager frames can be checked, got LazyFrame"):
        check_table(schema, bad.lazy())
    with pytest.raises(ContractViolationError, match="user_id breaks not_empty"):
        check_table(schema, bad)
