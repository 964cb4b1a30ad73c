"""The report of the last night, brought up to date when a person has decided otherwise since."""

import logging

from pydantic import ValidationError

from data_contracts.config import NightlyConfig
from data_contracts.ledger import LedgerEntry
from data_contracts.manifests import TrainManifest
from data_contracts.report import NightReport
from tasks.lake import Night
from tasks.registry.amendment import amended_by
from tasks.registry.tracking import connect
from tasks.report.report_trend import REPORT
from tasks.report.reporting import PAGE, write_report
from tasks.steps import read_manifest

logger = logging.getLogger(__name__)


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
    write_report(night, amended)
    train = read_manifest(night.step("train"), TrainManifest)
    if train is not None:
        connect(config).log_artifact(train.mlflow_run_id, str(night.folder / PAGE))
