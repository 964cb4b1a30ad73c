"""Validating: the same answer as ingesting, and not a byte of the lake changed."""

from datetime import timedelta

import pytest

from data_contracts.errors import ConfigError, HoarfrostError, TooLittleDataError
from data_contracts.interactions import INTERACTION_RULES
from tasks.files import sha256_of
from tasks.ingest.ingest import ingest
from tasks.ingest.validating import validate_log
from tests.tiny_lake import DAY, at, good_rows, night, write_day

YESTERDAY = DAY - timedelta(days=1)
BAD = (None, "i1", "view", at(9))


def content(lake):
    """Every path of a lake, with the digest and the time of its files."""
    return {
        path: (sha256_of(path), path.stat().st_mtime_ns) if path.is_file() else None
        for path in lake.rglob("*")
    }


@pytest.fixture
def lake(tmp_path):
    """Yesterday with a broken file, and today with two bad rows."""
    write_day(tmp_path, good_rows(4, YESTERDAY), day=YESTERDAY)
    write_day(tmp_path, [], day=YESTERDAY, name="broken").write_bytes(b"PAR1")
    write_day(tmp_path, [*good_rows(6), BAD, BAD])
    return tmp_path


def test_answer_is_what_ingesting_would_give(lake):
    """Row for row; every rule that is named is explained."""
    check, manifest = validate_log(night(lake)), ingest(night(lake))
    assert (check.rows, check.accepted) == (manifest.rows, manifest.accepted) == (8, 6)
    assert check.quarantined == manifest.quarantined
    assert check.quarantined == {"day_waits": 1, "unreadable_file": 1, "user_id_missing": 2}
    assert check.refused_files == manifest.refused_files
    assert check.files == len(manifest.log_files) == 1
    assert (check.problem, check.exit_code) == (None, 0)
    assert check.rules == INTERACTION_RULES


def test_nothing_in_the_lake_changes(lake):
    """Neither in a fresh lake, nor in one with nights."""
    before = content(lake)
    validate_log(night(lake))
    assert content(lake) == before
    ingest(night(lake))
    tomorrow = DAY + timedelta(days=1)
    write_day(lake, [*good_rows(3, tomorrow), ("", *BAD[1:])], day=tomorrow)
    before = content(lake)
    assert validate_log(night(lake, tomorrow)).rows == 4
    assert content(lake) == before


@pytest.mark.parametrize(
    ("validation", "problem", "exit_code"),
    [
        ({"max_bad_share": 0.2}, r"2 of 8 rows are bad \(25.0%\)", 3),
        ({"max_bad_share": 1.0, "min_rows": 7}, "is too small: 6 good rows", 4),
    ],
)
def test_what_would_stop_the_night_is_an_answer(lake, validation, problem, exit_code):
    """In the words of the night, with its exit code, and with the counts behind."""
    tonight = night(lake, validation=validation)
    check = validate_log(tonight)
    with pytest.raises(HoarfrostError, match=problem) as stopped:
        ingest(tonight)
    assert (check.problem, check.exit_code) == (str(stopped.value), exit_code)
    assert check.quarantined["user_id_missing"] == 2


def test_missing_day_has_no_counts(tmp_path):
    """There is nothing to answer."""
    with pytest.raises(TooLittleDataError, match="is missing"):
        validate_log(night(tmp_path))


def test_another_number_of_shards_is_found(lake):
    """The night would refuse it, so validating must as well."""
    ingest(night(lake))
    tomorrow = DAY + timedelta(days=1)
    write_day(lake, good_rows(6, tomorrow), day=tomorrow)
    with pytest.raises(ConfigError, match=r"n_user_shards must stay 4 .* got 5"):
        validate_log(night(lake, tomorrow, history={"n_user_shards": 5}))
