"""Bad files in the log: a reason for each or a fate for every row, never a traceback.

``HOARFROST_FUZZ`` says how many files (300); a failure names their seeds.
"""

import os
from datetime import timedelta

import polars as pl
import pytest

from data_contracts.errors import ContractViolationError, HoarfrostError
from data_contracts.interactions import FILE_RULES
from tasks.history.history import build_history
from tasks.ingest.ingest import ingest
from tasks.lake import quarantine_folder
from tasks.steps import is_whole
from tests.tasks.bad_log_file import write_bad_file
from tests.tiny_lake import DAY, good_rows, night, write_day

N_FILES = int(os.environ.get("HOARFROST_FUZZ", "300"))
AT_ONCE = 30  # days before the run date, each with a bad file
SETTINGS = {"history": {"n_user_shards": 1}, "validation": {"max_bad_share": 1.0}}


def bad_days(lake, first, n_files):
    """Write as many days with a bad file and a good one each; return the kinds by day."""
    kinds = {}
    for ago in range(1, n_files + 1):
        day = DAY - timedelta(days=ago)
        path = write_day(lake, good_rows(2, day), day=day, name="good")
        kinds[day] = write_bad_file(first + ago, path.with_name("bad.parquet"), day)
    return kinds


def assert_accounted(lake, tonight, manifest):
    """Every row is accepted or quarantined, every refused file has a reason."""
    for file in manifest.log_files:
        assert file.rows == file.accepted + sum(file.by_rule.values())
    for refused in manifest.refused_files:
        assert refused.rule in FILE_RULES
        assert len(refused.reason.split()) > 2, refused
    parts = quarantine_folder(lake, DAY).glob("*.parquet")
    kept = sum(pl.read_parquet(part, columns=["rule"]).height for part in parts)
    assert kept == sum(manifest.quarantined.values())
    assert is_whole(tonight.step("ingest"), manifest)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, N_FILES, AT_ONCE))
def test_bad_file_costs_its_own_day_at_most(tmp_path, first):
    """The night goes on; the day of the bad file waits, or its bad rows are refused."""
    early = DAY - timedelta(days=AT_ONCE + 1)  # says what type the ids are of
    for day in (early, DAY):
        write_day(tmp_path, good_rows(6, day), day=day)
    kinds = bad_days(tmp_path, first, min(AT_ONCE, N_FILES - first))
    tonight = night(tmp_path, **SETTINGS)
    manifest = ingest(tonight)
    assert_accounted(tmp_path, tonight, manifest)
    taken = {file.path for file in manifest.log_files}
    refused = {file.path: file for file in manifest.refused_files}
    assert {file.partition for file in manifest.log_files} >= {early, DAY}
    for day, kind in kinds.items():
        bad, good = (f"interactions/date={day}/{name}.parquet" for name in ("bad", "good"))
        assert (bad in taken) == (good in taken), kind
        assert bad in taken or refused[good].reason == f"its day waits for {bad}", kind
    history = build_history(tonight, manifest)
    assert all(file.removed == 0 for file in history.log_files)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10**6, 10**6 + N_FILES // 6, 10))
def test_bad_file_of_the_run_date_is_named(tmp_path, first):
    """Where it stops the night, nothing of the night is left but its quarantine."""
    for seed in range(first, first + 10):
        lake = tmp_path / str(seed)
        early = DAY - timedelta(days=1)
        write_day(lake, good_rows(6, early), day=early)
        path = write_day(lake, good_rows(6), name="good").with_name("bad.parquet")
        kind, tonight = write_bad_file(seed, path, DAY), night(lake, **SETTINGS)
        problem = None
        try:
            assert_accounted(lake, tonight, ingest(tonight))
        except HoarfrostError as error:
            problem = error
        if problem is not None:
            assert isinstance(problem, ContractViolationError), (seed, kind)
            assert "bad.parquet" in str(problem), (seed, kind)
            assert not tonight.step("ingest").exists()
            for part in quarantine_folder(lake, DAY).glob("*"):
                assert pl.read_parquet(part).height > 0
