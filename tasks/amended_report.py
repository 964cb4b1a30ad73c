"""The report of the last night, brought up to date when a person has decided otherwise since."""

import logging
from pathlib import Path

from pydantic import ValidationError

from data_contracts.config import NightlyConfig
from data_contracts.ledger import LedgerEntry
from data_contracts.manifests import TrainManifest
from data_contracts.report import NightReport
from tasks.files import write_text
from tasks.lake import Night
from tasks.report_page import report_page
from tasks.report_text import markdown
from tasks.report_trend import REPORT, earlier_reports
from tasks.reporting import PAGE
from tasks.steps import read_manifest
from tasks.tracking import connect

logger = logging.getLogger(__name__)
_SINCE = ". Since then "


def amend_report(config: NightlyConfig, entry: LedgerEntry) -> None:
    """Let JSON, Markdown and page of the decision's night name the champion of today.

    What the gate said stays, with what a person decided after it. Doing it again changes
    nothing. The night's figures and tables remain those of the night.
    """
    night = Night(config=config, run_date=entry.run_date)
    path = night.folder / REPORT
    if not path.is_file():
        return
    try:
        report = NightReport.model_validate_json(path.read_bytes())
    except ValidationError:
        logger.warning("%s: report of an older version, left as it is", path)
        return
    amended = amended_by(report, entry, shown=(night.lake / "latest").resolve())
    write_text(path, amended.model_dump_json(indent=2) + "\n")
    write_text(night.folder / "report.md", markdown(amended))
    page = report_page(amended, earlier_reports(night.lake, night.run_date))
    write_text(night.folder / PAGE, page)
    train = read_manifest(night.step("train"), TrainManifest)
    if train is not None:
        connect(config).log_artifact(train.mlflow_run_id, str(night.folder / PAGE))


def amended_by(report: NightReport, entry: LedgerEntry, *, shown: Path) -> NightReport:
    """Return a report as it reads after a decision; by a night's own decision it is unchanged.

    Args:
        report: of the night that the decision follows.
        entry: of the ledger.
        shown: the folder that latest points to.
    """
    if entry.action == "night":
        return report
    verdict = report.reason.partition(_SINCE)[0]
    return report.model_copy(
        update={
            "champion_version": entry.champion,
            "is_latest": shown == Path(report.snapshot).resolve(),
            "reason": f"{verdict}{_SINCE}{_told(entry)}",
        }
    )


def _told(entry: LedgerEntry) -> str:
    if entry.action == "rollback":
        what = f"champion and tables were rolled back to version {entry.champion}"
    else:
        by = "by hand, against the gate" if entry.forced else "by hand"
        what = f"version {entry.champion} was promoted {by}"
    return f"{what} ({entry.reason})" if entry.reason else what
