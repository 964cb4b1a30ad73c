"""Take forgotten people out of the nights' reports: they show a few users with their lists."""

import html
import json
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlflow import MlflowClient

from data_contracts.config import NightlyConfig
from data_contracts.report import NightReport
from tasks.files import write_text
from tasks.forgetting.forgotten import Forgotten
from tasks.lake import night_folder, nights
from tasks.registry.tracking import connect
from tasks.report.report_page import report_page
from tasks.report.report_text import markdown
from tasks.report.report_trend import REPORT, earlier_reports, read_report
from tasks.report.reporting import PAGE

logger = logging.getLogger(__name__)
_SHOWN = re.compile(r"User <code>(.*?)</code>", re.DOTALL)  # of the page's template
_GONE = "<!doctype html><title>Taken out</title><p>This page named people who were forgotten.\n"


def clean_reports(config: NightlyConfig, people: Forgotten) -> int:
    """Take them out of the reports of all nights and of their runs; return how many had any.

    A report that this version cannot read is removed, as its page cannot be made again.
    """
    lake, n_mended = Path(config.lake), 0
    for run_date in nights(lake):
        folder = night_folder(lake, run_date)
        if not names_anybody(folder, people):
            continue
        n_mended += 1
        report = read_report(folder)
        if report is None:
            for name in (REPORT, "report.md", PAGE):
                (folder / name).unlink(missing_ok=True)
            logger.warning("forget: the report in %s is of another version, removed", folder)
        else:
            _mend(lake, folder, report, people)
    return n_mended + _clean_runs(config, people)


def names_anybody(folder: Path, people: Forgotten) -> bool:
    """Tell whether the report in a night's folder shows somebody forgotten."""
    page = folder / PAGE
    shown = page_users(page.read_text(encoding="utf-8")) if page.is_file() else []
    return any(people.hash_of(user) in people.hashes for user in (*shown, *_examples(folder)))


def page_users(page: str) -> list[str]:
    """Return the ids of the users that a report's page shows."""
    return [html.unescape(found) for found in _SHOWN.findall(page)]


def _examples(folder: Path) -> Iterator[str]:
    """Yield the ids in report.json, whatever version wrote it."""
    try:
        report = json.loads((folder / REPORT).read_bytes())
    except (OSError, ValueError):
        return
    for example in report.get("examples", ()):
        yield str(example["user_id"])


def _mend(lake: Path, folder: Path, report: NightReport, people: Forgotten) -> None:
    kept = [each for each in report.examples if people.hash_of(each.user_id) not in people.hashes]
    mended = report.model_copy(update={"examples": tuple(kept)})
    write_text(folder / PAGE, report_page(mended, earlier_reports(lake, report.run_date)))
    write_text(folder / "report.md", markdown(mended))
    write_text(folder / REPORT, mended.model_dump_json(indent=2) + "\n")


def _clean_runs(config: NightlyConfig, people: Forgotten) -> int:
    """Replace the pages of runs in MLflow, those of nights that were run again among them."""
    own = Path(config.lake) / "mlflow" / "mlflow.db"
    if config.mlflow.tracking_uri is None and not own.is_file():
        return 0
    client, n_mended = connect(config), 0
    experiment = client.get_experiment_by_name(config.mlflow.experiment)
    token = None
    while experiment is not None:
        runs = client.search_runs([experiment.experiment_id], page_token=token)
        for run in runs:
            n_mended += _clean_run(client, config, run.info.run_id, run.data.tags, people)
        token = runs.token
        if not token:
            break
    return n_mended


def _clean_run(
    client: MlflowClient,
    config: NightlyConfig,
    run_id: str,
    tags: dict[str, str],
    people: Forgotten,
) -> bool:
    if not any(file.path == PAGE for file in client.list_artifacts(run_id)):
        return False
    with tempfile.TemporaryDirectory(prefix="hoarfrost-") as place:
        page = Path(client.download_artifacts(run_id, PAGE, place))
        shown = page_users(page.read_text(encoding="utf-8"))
        if not any(people.hash_of(user) in people.hashes for user in shown):
            return False
        night = Path(config.lake) / "state" / "nights" / f"run_date={tags.get('run_date')}" / PAGE
        clean = Path(place) / "clean" / PAGE
        write_text(clean, night.read_text(encoding="utf-8") if night.is_file() else _GONE)
        client.log_artifact(run_id, str(clean))
    logger.info("forget: the page of run %s is without them", run_id)
    return True
