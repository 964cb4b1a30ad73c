"""The report of a night: gathered from the manifests, written as JSON, Markdown and a page."""

import logging

from data_contracts.drift import Drift
from data_contracts.manifests import (
    HistoryManifest,
    IngestManifest,
    JudgeManifest,
    MatrixManifest,
    PromoteManifest,
    PublishManifest,
    SnapshotManifest,
    TrainManifest,
)
from data_contracts.report import NightReport
from tasks.examples import user_examples
from tasks.files import write_text
from tasks.lake import Night, quarantine_folder
from tasks.plan_outcome import outcomes
from tasks.report_page import report_page
from tasks.report_text import markdown
from tasks.report_trend import earlier_reports
from tasks.tracking import connect

logger = logging.getLogger(__name__)
PAGE = "report.html"


def report_night(
    night: Night,
    ingest: IngestManifest,
    history: HistoryManifest,
    matrices: MatrixManifest,
    judge: JudgeManifest,
    promote: PromoteManifest,
    snapshot: SnapshotManifest,
    publish: PublishManifest,
    drift: Drift | None = None,
) -> NightReport:
    """Return the report and leave it beside the night's steps: JSON, Markdown, a page."""
    report = NightReport(
        run_date=night.run_date,
        verdict=judge.verdict,
        reason=judge.reason,
        champion_version=promote.champion_version,
        challenger_version=promote.challenger_version,
        judged_users=judge.n_users,
        metrics=judge.metrics,
        gain_over_popularity=judge.gain_over_popularity,
        rows=ingest.rows,
        accepted=ingest.accepted,
        quarantined=ingest.quarantined,
        refused_files=ingest.refused_files,
        users=history.users,
        items=matrices.n_items,
        interactions=history.interactions,
        table_rows=snapshot.rows,
        fallback_share=snapshot.fallback_share,
        short_lists=snapshot.short_lists,
        drift=drift,
        plan=outcomes(night),
        snapshot=str(night.lake / publish.path),
        is_latest=publish.is_latest,
        quarantine=str(quarantine_folder(night.lake, night.run_date)),
        examples=user_examples(night),
        gain_over_champion=judge.gain_over_champion,
        settings=judge.settings,
        lineage=_lineage(promote, snapshot),
    )
    write_text(night.folder / "report.json", report.model_dump_json(indent=2) + "\n")
    write_text(night.folder / "report.md", markdown(report))
    page = report_page(report, earlier_reports(night.lake, night.run_date))
    write_text(night.folder / PAGE, page)
    return report


def _lineage(promote: PromoteManifest, snapshot: SnapshotManifest) -> dict[str, str]:
    return {
        "model": promote.champion_uri,
        "model digest": promote.champion_digest,
        "MLflow run": promote.champion_run_id,
        "configuration": snapshot.config_digest,
        "code": snapshot.code_version,
        "log files": str(len(snapshot.inputs)),
    }


def keep_page(night: Night, train: TrainManifest) -> None:
    """Log the page of the night to the run of its training."""
    connect(night.config).log_artifact(train.mlflow_run_id, str(night.folder / PAGE))
