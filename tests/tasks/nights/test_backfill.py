"""Which nights of a range are open, and what a backfill that was cut short leaves behind."""

import shutil
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ConfigError
from tasks.lake import night_folder
from tasks.nights.backfill import days_between, finish, finished_report, first_open, open_from
from tests.tiny_night import run_night, tiny_shop

DAY = date(2026, 9, 1)


@given(first=st.dates(), n=st.integers(0, 400))
def test_days_are_all_there_once_and_in_order(first, n):
    """Both ends belong to them."""
    last = date.fromordinal(min(first.toordinal() + n, date.max.toordinal()))
    days = days_between(first, last)
    assert [day.toordinal() for day in days] == list(range(first.toordinal(), last.toordinal() + 1))


def test_a_range_that_runs_backwards_is_refused():
    """A swapped pair is a typing mistake."""
    with pytest.raises(ConfigError, match="--to must not lie before --from, got 2026-09-01 to"):
        days_between(DAY, DAY - timedelta(days=1))


def test_the_first_open_night_stays_open_until_it_is_done(tmp_path):
    """What was done again makes all that follows open; a gap before it is not forgotten."""
    days = [DAY + timedelta(days=n) for n in range(4)]
    for day in days:
        night_folder(tmp_path, day).mkdir(parents=True)
    assert first_open(tmp_path) is None
    open_from(tmp_path, days[1])
    open_from(tmp_path, days[2])
    assert first_open(tmp_path) == days[1]
    finish(tmp_path, days[2])
    assert first_open(tmp_path) == days[1]
    finish(tmp_path, days[1])
    assert first_open(tmp_path) == days[2]
    for day in days[2:]:
        finish(tmp_path, day)
    assert first_open(tmp_path) is None
    (tmp_path / "state" / "backfill.json").write_text("{", encoding="utf-8")
    assert first_open(tmp_path) is None


def test_a_night_is_done_if_its_tables_were_published_under_this_configuration(
    tmp_path, migrated_mlflow
):
    """Neither a changed key nor a missing publication passes for done."""
    night, _ = tiny_shop(tmp_path)
    (tmp_path / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, tmp_path / "mlflow" / "mlflow.db")
    assert finished_report(night) is None
    report = run_night(night)
    assert finished_report(night) == report
    tables = night.config.tables.model_copy(update={"n_similar": 3})
    changed = night.config.model_copy(update={"tables": tables})
    assert finished_report(night.model_copy(update={"config": changed})) is None
    shutil.rmtree(night.step("publish"))
    assert finished_report(night) is None
