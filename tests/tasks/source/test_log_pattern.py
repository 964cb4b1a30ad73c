"""Patterns of the log: which names they mean, and where those stand among all keys."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.source.log_pattern import key_range, shape_of

DAY = date(2026, 9, 10)
PATTERNS = (
    "log/date={date}/*.parquet",
    "{date}.parquet",
    "log/{date}-*.parquet",
    "{date}",
    "*/day={date}/?.parquet",
    "lo*/{date}.parquet",
)
names = st.text(st.sampled_from("a0-. =~\u00e9\U0001f600"), max_size=4)
days = st.dates(date(1971, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("pattern", "name", "day"),
    [
        ("log/{date}/*.parquet", "log/2026-09-10/a.parquet", DAY),
        ("log/{date}/*.parquet", "log/2026-09-10/.parquet", None),
        ("log/{date}/*.parquet", "log/2026-09-10/.a.parquet", None),
        ("log/{date}/*.parquet", "log/2026-09-10/b/a.parquet", None),
        ("log/{date}/*.parquet", "log/2026-02-30/a.parquet", None),
        ("log/{date}/*.parquet", "log/2026-9-10/a.parquet", None),
        ("log/{date}/.*.parquet", "log/2026-09-10/.a.parquet", DAY),
        ("log/{date}?x", "log/2026-09-10.x", DAY),
        ("log/{date}?x", "log/2026-09-10/x", None),
        ("[a]/{date}", "[a]/2026-09-10", DAY),
        ("[a]/{date}", "a/2026-09-10", None),
    ],
)
def test_pattern_means_names_of_its_form(pattern, name, day):
    """Brackets are plain text, a dot at the start hides a name, folders are not crossed."""
    assert shape_of(pattern).day(name) == day


@given(st.sampled_from(PATTERNS), names, names, days, st.integers(0, 400), st.integers(-500, 900))
def test_no_file_of_the_days_wanted_is_outside_the_range(pattern, one, two, first, n_days, k):
    """And none of other days is taken where plain text stands before the date."""
    last, day = first + timedelta(days=n_days), first + timedelta(days=k)
    name = pattern.replace("{date}", str(day)).replace("*", one, 1).replace("*", two)
    name = name.replace("?", "x")
    if shape_of(pattern).day(name) != day:
        return  # a hidden file
    folder, after, until = key_range(pattern, first, last)
    inside = after < name < until and (not folder or name.startswith(f"{folder}/"))
    if first <= day <= last:
        assert inside
    elif "*" not in pattern.partition("{date}")[0]:
        assert inside == (day == first - timedelta(days=1) and not pattern.endswith("{date}"))
