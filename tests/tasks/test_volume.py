"""Missing, empty, too small, suspiciously small: four different sentences, and sharp limits."""

from datetime import timedelta

import pytest

from data_contracts.errors import TooLittleDataError
from data_contracts.manifests import IngestManifest
from tasks.volume import refuse_missing_day, refuse_small_day
from tests.tiny_lake import DAY, night


def earlier(*by_day):
    """Manifests of earlier nights, each with the rows it took by days before the run date."""
    return [
        IngestManifest(
            step="ingest", run_date=DAY - timedelta(days=1), key="", log_files=(), refused_files=(),
            user_id_type="string", item_id_type="string", n_user_shards=1, rows=0, accepted=0,
            quarantined={}, late_rows=0,
            accepted_by_day={DAY - timedelta(days=ago): rows for ago, rows in each.items()},
        )
        for each in by_day
    ]  # fmt: skip


def test_missing_day_names_where_it_was_looked_for(tmp_path):
    """With the date filled in."""
    tonight = night(tmp_path)
    refuse_missing_day(tonight, has_files=True)
    with pytest.raises(
        TooLittleDataError, match=r"is missing: no file at interactions/date=2026-09-10/\*\.parquet"
    ) as missing:
        refuse_missing_day(tonight, has_files=False)
    assert missing.value.exit_code == 4


@pytest.mark.parametrize("accepted", [{}, {DAY: 0}, {DAY - timedelta(days=1): 9}])
def test_day_without_a_good_row_is_empty(tmp_path, accepted):
    """Whatever other days hold."""
    with pytest.raises(TooLittleDataError, match="is empty: its files hold no good row"):
        refuse_small_day(night(tmp_path), accepted, [])


def test_fewest_rows_are_a_limit_of_their_own(tmp_path):
    """It holds on the first night too, when nothing is usual yet."""
    tonight = night(tmp_path, validation={"min_rows": 10})
    refuse_small_day(tonight, {DAY: 10}, [])
    with pytest.raises(TooLittleDataError, match=r"is too small: 9 good rows, at least 10 are"):
        refuse_small_day(tonight, {DAY: 9}, [])


def test_usual_is_the_median_and_the_limit_is_sharp(tmp_path):
    """One huge day and one tiny one do not move it."""
    known = earlier({1: 100, 2: 1, 3: 100, 4: 90_000, 5: 100})
    tonight = night(tmp_path, validation={"min_share_of_usual": 0.25})
    refuse_small_day(tonight, {DAY: 25}, known)
    with pytest.raises(
        TooLittleDataError, match=r"suspiciously small: 24 good rows are 24\.0% of the usual 100"
    ):
        refuse_small_day(tonight, {DAY: 24}, known)


def test_what_came_late_counts_for_its_day(tmp_path):
    """A day in three parts, from three nights, is one day of their sum."""
    parts = {1: 50, 2: 50, 3: 50}
    tonight = night(tmp_path)
    refuse_small_day(tonight, {DAY: 15}, earlier(parts))
    late = {DAY - timedelta(days=ago): rows for ago, rows in parts.items()}
    with pytest.raises(TooLittleDataError, match=r"10\.0% of the usual 150"):
        refuse_small_day(tonight, {DAY: 15, **late}, earlier(parts, parts))


def test_two_days_are_not_usual_yet(tmp_path):
    """Three are, and a share of 0 switches the rule off."""
    refuse_small_day(night(tmp_path), {DAY: 1}, earlier({1: 1000, 2: 1000}))
    known = earlier({1: 1000, 2: 1000, 3: 1000})
    with pytest.raises(TooLittleDataError, match="suspiciously small"):
        refuse_small_day(night(tmp_path), {DAY: 1}, known)
    refuse_small_day(night(tmp_path, validation={"min_share_of_usual": 0}), {DAY: 1}, known)
