"""Which earlier reports the trends are drawn from."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from data_contracts.report import NightReport
from tasks.lake import night_folder
from tasks.report.report_trend import earlier_reports
from tests.night_report import LAST, nights_before


def keep(lake: Path, reports: list[NightReport]) -> None:
    """Leave reports where nights leave them."""
    for report in reports:
        folder = night_folder(lake, report.run_date)
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(report.model_dump_json(), encoding="utf-8")


def test_the_last_nights_before_the_run_date_oldest_first(tmp_path):
    """Neither the night itself nor later ones are read, and no more than asked for."""
    keep(tmp_path, nights_before(8, LAST + timedelta(3)))
    night_folder(tmp_path, LAST - timedelta(1)).joinpath("report.json").unlink()  # it was killed
    found = earlier_reports(tmp_path, LAST, n=3)
    assert [LAST - report.run_date for report in found] == [timedelta(k) for k in (4, 3, 2)]


def test_reports_of_another_version_are_left_out_with_one_line(tmp_path, caplog):
    """One lacks a field, one has one that nobody knows, one is cut short."""
    keep(tmp_path, nights_before(5))
    paths = [night_folder(tmp_path, LAST - timedelta(k)) / "report.json" for k in (4, 3, 2)]
    kept = json.loads(paths[0].read_text(encoding="utf-8"))
    paths[0].write_text(json.dumps({name: kept[name] for name in kept if name != "drift"}))
    paths[1].write_text(json.dumps(kept | {"mood": "calm"}))
    paths[2].write_bytes(paths[2].read_bytes()[:99])
    with caplog.at_level(logging.INFO, logger="tasks.report.report_trend"):
        found = earlier_reports(tmp_path, LAST)
    assert [LAST - report.run_date for report in found] == [timedelta(5), timedelta(1)]
    (line,) = caplog.messages
    assert all(str(LAST - timedelta(k)) in line for k in (4, 3, 2))


def test_a_new_lake_has_no_earlier_reports(tmp_path, caplog):
    """Nothing is there, and nothing is said of it."""
    with caplog.at_level(logging.INFO, logger="tasks.report.report_trend"):
        assert earlier_reports(tmp_path, LAST) == []
    assert caplog.messages == []


def test_no_nights_is_not_a_number_of_nights(tmp_path):
    """Asking for none is a mistake of the caller."""
    with pytest.raises(ValueError, match="n must be positive, got 0"):
        earlier_reports(tmp_path, LAST, n=0)
