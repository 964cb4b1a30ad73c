"""Missing, empty, too small, suspiciously small: four different sentences, and sharp limits."""

from datetime import timedelta

import pytest

from data_contracts.errors import TooLittleDataError
from data_contracts.manifests import IngestManifest, LogFile
from tasks.day_rules.volume import refuse_missing_day, refuse_small_day
from tests.tiny_lake import DAY, night


def ingests(*by_day):
    """Manifests of nights, each with the rows it took by days before the run date."""
    return [
        IngestManifest(
            step="ingest", run_date=DAY, key="", refused_files=(), n_user_shards=1, rows=0,
            log_files=tuple(file_of(f"{ago}/{number}", ago, rows) for ago, rows in each.items()),
            user_id_type="string", item_id_type="string", accepted=0, quarantined={}, late_rows=0,
            accepted_by_day={},
        )
        for number, each in enumerate(by_day)
    ]  # fmt: skip


def file_of(path, ago, rows):
    """A file of so many good rows."""
    return LogFile(
        path=path, partition=DAY - timedelta(days=ago), bytes=1, modified_ns=1, sha256="",
        rows=rows, accepted=rows,
    )  # fmt: skip


def test_missing_day_names_where_it_was_looked_for(tmp_path):
    """With the date filled in."""
    tonight = night(tmp_path)
    refuse_missing_day(tonight, has_files=True)
    with pytest.raises(
        TooLittleDataError, match=r"is missing: no file at interactions/date=2026-09-10/\*\.parquet"
    ) as missing:
        refuse_missing_day(tonight, has_files=False)
    assert missing.value.exit_code == 4


@pytest.mark.parametrize("accepted", [{}, {0: 0}, {1: 9}])
def test_day_without_a_good_row_is_empty(tmp_path, accepted):
    """Whatever other days hold."""
    with pytest.raises(TooLittleDataError, match="is empty: its files hold no good row"):
        refuse_small_day(night(tmp_path), ingests(accepted))


def test_fewest_rows_are_a_limit_of_their_own(tmp_path):
    """It holds on the first night too, when nothing is usual yet."""
    tonight = night(tmp_path, validation={"min_rows": 10})
    refuse_small_day(tonight, ingests({0: 10}))
    with pytest.raises(TooLittleDataError, match=r"is too small: 9 good rows, at least 10 are"):
        refuse_small_day(tonight, ingests({0: 9}))


def test_usual_is_the_median_and_the_limit_is_sharp(tmp_path):
    """One huge day and one tiny one do not move it."""
    known = {1: 100, 2: 1, 3: 100, 4: 90_000, 5: 100}
    tonight = night(tmp_path, validation={"min_share_of_usual": 0.25})
    refuse_small_day(tonight, ingests(known, {0: 25}))
    with pytest.raises(
        TooLittleDataError, match=r"suspiciously small: 24 good rows are 24\.0% of the usual 100"
    ):
        refuse_small_day(tonight, ingests(known, {0: 24}))


def test_what_came_late_counts_for_its_day(tmp_path):
    """A day in three parts, from three nights, is one day of their sum."""
    parts = {1: 50, 2: 50, 3: 50}
    tonight = night(tmp_path)
    refuse_small_day(tonight, ingests(parts, {0: 15}))
    with pytest.raises(TooLittleDataError, match=r"10\.0% of the usual 150"):
        refuse_small_day(tonight, ingests(parts, parts, parts | {0: 15}))


def test_file_that_was_read_anew_counts_once(tmp_path):
    """With the rows it has now."""
    first, again = ingests({1: 1000, 2: 1000, 3: 1000}, {0: 15})
    files = tuple(file_of(file.path, ago, 50) for ago, file in enumerate(first.log_files, 1))
    tonight, again = (
        night(tmp_path),
        again.model_copy(update={"log_files": again.log_files + files}),
    )
    refuse_small_day(tonight, [first, again])
    with pytest.raises(TooLittleDataError, match="suspiciously small"):
        refuse_small_day(tonight, [again, first])


def test_two_days_are_not_usual_yet(tmp_path):
    """Three are, and a share of 0 switches the rule off."""
    refuse_small_day(night(tmp_path), ingests({1: 1000, 2: 1000}, {0: 1}))
    known = ingests({1: 1000, 2: 1000, 3: 1000}, {0: 1})
    with pytest.raises(TooLittleDataError, match="suspiciously small"):
        refuse_small_day(night(tmp_path), known)
    refuse_small_day(night(tmp_path, validation={"min_share_of_usual": 0}), known)
