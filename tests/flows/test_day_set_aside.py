"""A whole night whose own day is set aside, and then stops it."""

import shutil

import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ContractViolationError
from flows.nightly import nightly
from tests.snapshot_bytes import snapshot_bytes
from tests.tiny_night import tiny_shop


def with_freshness(config: NightlyConfig, severity: str) -> NightlyConfig:
    """A limit that no day keeps."""
    settings = config.model_dump()
    settings["validation"]["rules"]["freshness"] = {"severity": severity, "max_hours": 1e-6}
    return NightlyConfig.model_validate(settings)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_api")
def test_tables_are_fresh_without_the_day_and_stay_where_it_stops(tmp_path, migrated_mlflow):
    """Run again, the night does nothing again."""
    first, second = tiny_shop(tmp_path)
    (tmp_path / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, tmp_path / "mlflow" / "mlflow.db")
    nightly(first.config, first.run_date)
    aside, day = with_freshness(second.config, "quarantine"), second.run_date
    report = nightly(aside, day)
    assert {each.rule: each.state for each in report.rules}["freshness"] == "quarantined"
    assert {file.rule for file in report.refused_files if file.partition == day} == {
        "day_set_aside"
    }
    assert (report.accepted, report.verdict, report.is_latest) == (0, "cannot judge", True)
    assert report.table_rows["top_n"] > 0
    published, manifest = snapshot_bytes(tmp_path), second.step("history") / "manifest.json"
    written = manifest.stat().st_mtime_ns
    assert nightly(aside, day).rules == report.rules
    assert (snapshot_bytes(tmp_path), manifest.stat().st_mtime_ns) == (published, written)
    with pytest.raises(ContractViolationError, match=r"validation\.rules\.freshness\.max_hours"):
        nightly(with_freshness(second.config, "stop"), day)
    assert snapshot_bytes(tmp_path) == published
