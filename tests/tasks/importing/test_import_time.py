"""Times of foreign files: what is read, in which zone, and what is no time."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.importing.import_time import read_times

MOMENT = datetime(2026, 3, 5, 7, 8, 9, 123456, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(timezones=st.just(UTC)).filter(lambda each: 1700 < each.year < 2250)


def read(text, time="iso", zone="UTC"):
    """One moment."""
    return read_times(pl.Series([text], dtype=pl.String), time, zone)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-05T07:08:09.123456Z", MOMENT),
        (" 2026-03-05 08:08:09,123456+01:00 ", MOMENT),
        ("2026-03-05T07:08:09.123456789Z", MOMENT),
        ("2026-03-05T03:38:09.123456-0330", MOMENT),
        ("2026-03-05 07:08", MOMENT.replace(second=0, microsecond=0)),
        ("2026-03-05", datetime(2026, 3, 5, tzinfo=UTC)),
        ("2026-02-30", None),
        ("2026-03-05 24:01", None),
        ("5 March", None),
        ("", None),
        (None, None),
    ],
)
def test_iso(text, expected):
    """With and without parts of a second, zone and hour."""
    assert read(text) == expected


def test_a_time_without_zone_is_one_of_the_zone():
    """An hour that is left out is no time, of one that comes twice the first is meant."""
    assert read("2026-07-01 12:00", zone="Europe/Prague").hour == 10
    assert read("2026-03-29 02:30", zone="Europe/Prague") is None
    twice = read("2026-10-25 02:30", zone="Europe/Prague")
    assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert read("2026-07-01 12:00Z", zone="Europe/Prague").hour == 12


def test_pattern():
    """Of strptime, with its own zone if it has one."""
    assert read("05.03.2026 07:08", "%d.%m.%Y %H:%M") == MOMENT.replace(second=0, microsecond=0)
    assert read("05.03.2026", "%d.%m.%Y", "Europe/Prague").day == 4
    assert read("05.03.2026 09:08 +0200", "%d.%m.%Y %H:%M %z", "Europe/Prague").hour == 7
    assert read("03/05/2026", "%d.%m.%Y") is None


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "99999999999", "1" * 30, "0x10", None])
def test_no_number_is_no_time(text):
    """Nor is what would be a far future in another unit."""
    assert read(text, "s") is None


def test_numbers_may_have_parts_and_exponents():
    """As floating point numbers are printed."""
    assert read("1.5e9", "s") == datetime(2017, 7, 14, 2, 40, tzinfo=UTC)
    assert read("1500000000.25", "s") == datetime(2017, 7, 14, 2, 40, 0, 250_000, tzinfo=UTC)
    assert read(" -1 ", "s") == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)


@settings(max_examples=40)
@given(
    moment=MOMENTS,
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_units_are_exact(moment, unit):
    """To the microsecond, or to what the unit can say."""
    micros = (moment - EPOCH) // timedelta(microseconds=1)
    step = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[unit]
    text = str(micros * 1_000 if unit == "ns" else micros // step)
    expected = EPOCH + timedelta(microseconds=micros // step * step)
    assert read(text, unit) == expected


@settings(max_examples=40)
@given(moment=MOMENTS)
def test_iso_is_exact(moment):
    """What Python writes is read."""
    assert read(moment.isoformat()) == moment
    assert read(moment.replace(tzinfo=None).isoformat()) == moment
