"""The report of a night: gathered from the manifests, written as JSON, Markdown and a page."""

import json
import logging
from datetime import timedelta
from pathlib import Path

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS

from data_contracts.drift import Drift
from data_contracts.manifests import (
    IngestManifest,
    JudgeManifest,
    MatrixManifest,
    PromoteManifest,
    PublishManifest,
    SnapshotManifest,
    TrainManifest,
)
from data_contracts.report import NightReport
from tasks.day_rules.log_drift import compared_log
from tasks.day_rules.table_rules import judged_day
from tasks.files import empty_folder, replace_folder, write_text
from tasks.judging.evidence import write_evidence
from tasks.lake import Night, quarantine_folder
from tasks.planning.plan_outcome import outcomes
from tasks.registry.amendment import amended_by
from tasks.registry.ledger import decided_by_hand, read_ledger
from tasks.registry.tracking import connect, metric_curves
from tasks.report.examples import user_examples
from tasks.report.report_page import report_page
from tasks.report.report_text import markdown
from tasks.report.report_trend import REPORT, earlier_reports
from tasks.steps import read_manifest
from tasks.training.training import FINAL, JUDGED

logger = logging.getLogger(__name__)
PAGE = "report.html"
EVIDENCE = "evidence"  # folder, in the night's and among the artifacts of its run
SNAPSHOT_TAG = "snapshot"


def report_night(
    night: Night,
    ingest: IngestManifest,
    matrices: MatrixManifest,
    judge: JudgeManifest,
    promote: PromoteManifest,
    snapshot: SnapshotManifest,
    publish: PublishManifest,
    drift: Drift | None = None,
) -> NightReport:
    """Return the report and leave it beside the night's steps: JSON, Markdown, a page."""
    against_before, judged = compared_log(night), judged_day(night)
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
        users=matrices.n_users,
        items=matrices.n_items,
        interactions=matrices.n_interactions,
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
        detectable=judge.detectable,
        segments=judge.segments,
        exposure=judge.exposure,
        settings=judge.settings,
        lineage=_lineage(night, promote, snapshot),
        log_drift=against_before.figures if against_before else {},
        log_warnings=against_before.warnings if against_before else (),
        rules=judged.outcomes if judged else (),
    )
    by_hand = decided_by_hand(read_ledger(night.lake), night.run_date)
    if by_hand is not None:  # the night is run again after a person's decision
        report = amended_by(report, by_hand, shown=(night.lake / "latest").resolve())
    write_report(night, report)
    return report


def write_report(night: Night, report: NightReport) -> None:
    """Leave a report beside the night's steps: JSON, Markdown, a page."""
    write_text(night.folder / REPORT, report.model_dump_json(indent=2) + "\n")
    write_text(night.folder / "report.md", markdown(report))
    page = report_page(report, earlier_reports(night.lake, night.run_date))
    write_text(night.folder / PAGE, page)


def _lineage(night: Night, promote: PromoteManifest, snapshot: SnapshotManifest) -> dict[str, str]:
    asked = night.config.rating_predictions.pairs and "rating_predictions" not in snapshot.rows
    left_out = {"rating_predictions": "left out: the champion predicts no ratings"} if asked else {}
    return left_out | {
        "model": promote.champion_uri,
        "kind of model": promote.champion_kind,
        "model digest": promote.champion_digest,
        "MLflow run": promote.champion_run_id,
        "configuration": snapshot.config_digest,
        "code": snapshot.code_version,
        "log files": str(len(snapshot.inputs)),
    }


def keep_page(night: Night, train: TrainManifest) -> None:
    """Log the night to the run of its training: its page, its evidence, the name of its snapshot.

    A night that is run again replaces them.

    Args:
        night: judged, promoted, published and reported.
        train: says which run.
    """
    client, run_id = connect(night.config), train.mlflow_run_id
    client.log_artifact(run_id, str(night.folder / PAGE))
    folder = keep_evidence(night, client, run_id)
    if folder is not None:
        client.log_artifacts(run_id, str(folder), EVIDENCE)
        tables = [f"{EVIDENCE}/{path.name}" for path in sorted(folder.glob("*.json"))]
        listed = [{"path": path, "type": "table"} for path in tables]
        client.set_tag(run_id, MLFLOW_LOGGED_ARTIFACTS, json.dumps(listed))  # its page shows them
    _tag_snapshot(night, client, run_id)


def keep_evidence(night: Night, client: MlflowClient, run_id: str) -> Path | None:
    """Write the tables and figures of a judged night into the lake; return their folder.

    Args:
        night: judged and reported.
        client: of the night's MLflow; it alone knows the learning curve.
        run_id: the training's run.
    """
    judge = read_manifest(night.step("judge"), JudgeManifest)
    if judge is None:
        return None
    fits = {JUDGED: "judged, on the days before the held-out ones", FINAL: "final, on all days"}
    curves = {words: metric_curves(client, run_id, f"{fit}_") for fit, words in fits.items()}
    reports = earlier_reports(night.lake, night.run_date + timedelta(days=1))
    staging = empty_folder(night.state / "staging" / EVIDENCE)
    write_evidence(staging, judge, curves, reports, primary=night.config.gate.primary)
    replace_folder(staging, night.folder / EVIDENCE)
    return night.folder / EVIDENCE


def _tag_snapshot(night: Night, client: MlflowClient, run_id: str) -> None:
    published = read_manifest(night.step("publish"), PublishManifest)
    promoted = read_manifest(night.step("promote"), PromoteManifest)
    if published is None or promoted is None:
        return
    client.set_tag(run_id, SNAPSHOT_TAG, published.snapshot_id)
    if published.is_latest:  # the version keeps the newest snapshot made from it
        name = night.config.mlflow.registered_model
        champion, snapshot = promoted.champion_version, published.snapshot_id
        client.set_model_version_tag(name, champion, SNAPSHOT_TAG, snapshot)
