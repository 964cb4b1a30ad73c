"""One whole night: from the log of a run date to published tables."""

from datetime import date

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.runtime import flow_run

from data_contracts.config import NightlyConfig
from data_contracts.errors import GateRejectedError
from data_contracts.manifests import IngestManifest
from data_contracts.report import NightReport
from flows import night_tasks
from flows.children import stop_children
from flows.train import train
from flows.train_elsewhere import train_elsewhere
from tasks.calendar import last_complete_day
from tasks.lake import Night
from tasks.lock import lake_lock
from tasks.report.report_text import markdown
from tasks.report.reporting import PAGE


def run_name() -> str:
    """Name a run by its run date, also where that follows from the schedule."""
    given = flow_run.parameters
    zone = given["config"].interactions.time_zone
    return f"night-{given['run_date'] or last_complete_day(flow_run.scheduled_start_time, zone)}"


@flow(
    name="nightly",
    flow_run_name=run_name,
    on_cancellation=[stop_children],
    on_failure=[stop_children],
    on_crashed=[stop_children],
)
def nightly(
    config: NightlyConfig, run_date: date | None = None, strict: bool = False
) -> NightReport:
    """Run one night; a finished step is used again, a killed night goes on where it stopped.

    Args:
        config: the lake and all settings.
        run_date: the night's logical date; by default the last complete day before the
            scheduled start.
        strict: fail when the challenger was rejected, after the tables were published.

    Raises:
        HoarfrostError: one of its kinds, with a sentence that says what to do.
    """
    scheduled = flow_run.scheduled_start_time
    run_date = run_date or last_complete_day(scheduled, config.interactions.time_zone)
    night = Night(config=config, run_date=run_date)
    with lake_lock(night.lake):
        report = _run(night)
    create_markdown_artifact(markdown(report), key="night", description=f"Night of {run_date}")
    page = (night.folder / PAGE).absolute().as_uri()
    create_link_artifact(page, link_text=f"Night of {run_date}", key="night-page")
    if strict and report.verdict == "reject":
        raise GateRejectedError(f"the challenger was rejected: {report.reason}")
    return report


def _run(night: Night) -> NightReport:
    night_tasks.plan(night)
    ingest = _take_log(night)
    night_tasks.log_drift(night, ingest)
    history = night_tasks.update_history(night, ingest)
    matrices = night_tasks.build(night, history)
    elsewhere = night.config.training.where == "deployment"
    fitted = train_elsewhere(night) if elsewhere else train(night.config, night.run_date)
    judged = night_tasks.judge(night, matrices, fitted)
    promoted = night_tasks.promote(night, fitted, judged, matrices)
    snapshot = night_tasks.materialise(night, ingest, matrices, promoted)
    checked = night_tasks.check(night, history, matrices, snapshot)
    drift = night_tasks.compare(night, snapshot)
    published = night_tasks.publish(night, snapshot, checked)
    night_tasks.tidy(night)
    report = night_tasks.report(
        night, ingest, matrices, judged, promoted, snapshot, published, drift
    )
    night_tasks.page(night, fitted)
    return report


def _take_log(night: Night) -> IngestManifest:
    """Ingest the log; once more where a rule sets a day aside, then without that day."""
    ingest = night_tasks.ingest_log(night)
    judged = night_tasks.judge_rules(night, ingest)
    return night_tasks.ingest_log(night) if judged.waiting else ingest
