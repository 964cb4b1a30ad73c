"""What a configured lake needs: a place to write, a log, a catalogue, MLflow and Prefect."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

import sqlalchemy

from data_contracts.config import NightlyConfig
from data_contracts.errors import HoarfrostError
from data_contracts.health import Finding
from tasks.catalogue import catalogue_files
from tasks.doctor.doctor_machine import existing
from tasks.lake import Night
from tasks.registry.tracking import tracking_uri
from tasks.source.log_store import log_place

_PATIENCE = 5.0  # seconds


def lake_findings(config: NightlyConfig, *, prefect_api: str | None) -> Iterator[Finding]:
    """Yield whether the lake can be written, what lies in it, and who answers.

    Args:
        config: of the lake.
        prefect_api: address of Prefect's API, if one is set.
    """
    today = datetime.now(tz=UTC).date()
    night = Night(config=config, run_date=today)
    yield _writable(Path(config.lake))
    yield _log(night)
    yield _catalogue(night)
    if config.mlflow.tracking_uri is None:
        yield Finding(name="mlflow", state="ok", found="SQLite and files in the lake")
    else:
        yield _mlflow(tracking_uri(config))
    yield from _prefect(config, prefect_api)


def _writable(lake: Path) -> Finding:
    place = existing(lake)
    try:
        with TemporaryFile(dir=place) as file:
            file.write(b"hoarfrost")
    except OSError as error:
        return Finding(
            name="lake", state="problem", found=f"{place} cannot be written ({error.strerror})",
            remedy="give this user the right to write there, or set 'lake' to another folder",
        )  # fmt: skip
    made = "can be written" if place == lake.absolute() else "is not there yet, and can be made"
    return Finding(name="lake", state="ok", found=f"{lake} {made}")


def _log(night: Night) -> Finding:
    settings = night.config.interactions
    first = night.run_date - timedelta(days=night.config.history.window_days)
    try:
        days = [day for _, day in log_place(night).find(first, night.run_date)]
    except HoarfrostError as error:
        return Finding(name="log", state="problem", found=str(error), remedy="see 'hoarfrost plan'")
    if days:
        found = f"{len(days)} files of {len(set(days))} days, the last of {max(days)}"
        return Finding(name="log", state="ok", found=found)
    return Finding(
        name="log", state="problem", found=f"no file matches {settings.files} since {first}",
        remedy="set interactions.files to where the log lies, with {date} for the day, or bring "
        "it there with 'hoarfrost import'; 'hoarfrost validate' checks it",
    )  # fmt: skip


def _catalogue(night: Night) -> Finding:
    pattern, needed = night.config.items.files, night.config.model.kind == "elsa_content"
    try:
        n_files = len(catalogue_files(night))
    except HoarfrostError as error:
        return Finding(
            name="catalogue", state="problem", found=str(error), remedy="see items.files"
        )
    if n_files:
        return Finding(name="catalogue", state="ok", found=f"{n_files} files match {pattern}")
    return Finding(
        name="catalogue", state="advice", found=f"no file matches {pattern}",
        remedy="without titles and texts new items stand nowhere but among the newest"
        + (", and a model of kind elsa_content needs model.embeddings" if needed else ""),
    )  # fmt: skip


def _mlflow(uri: str) -> Finding:
    remedy = "start it, or mend mlflow.tracking_uri; without it MLflow is kept in the lake"
    if urlsplit(uri).scheme in ("http", "https"):
        return _answers("mlflow", uri, remedy)
    try:
        engine = sqlalchemy.create_engine(uri)
        if engine.url.database and engine.dialect.name == "sqlite":
            place = existing(Path(engine.url.database))
            return Finding(name="mlflow", state="ok", found=f"SQLite at {place}")
        with engine.connect():
            return Finding(name="mlflow", state="ok", found=f"{engine.dialect.name} answers")
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        found = f"the database does not answer ({type(error).__name__})"
        return Finding(name="mlflow", state="problem", found=found, remedy=remedy)


def _prefect(config: NightlyConfig, api: str | None) -> Iterator[Finding]:
    remedy = "start it, or unset PREFECT_API_URL: nights then start a server of their own"
    if api is not None:
        yield _answers("prefect", api, remedy)
    elif config.training.where == "deployment":
        yield Finding(
            name="prefect", state="problem",
            found="training.where is deployment, and no Prefect server is named",
            remedy="set PREFECT_API_URL, or training.where to in_process",
        )  # fmt: skip
    else:
        yield Finding(name="prefect", state="ok", found="nights start a server of their own")


def _answers(name: str, uri: str, remedy: str) -> Finding:
    parts = urlsplit(uri)
    place = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)  # no login
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        with urllib.request.urlopen(f"{bare.rstrip('/')}/health", timeout=_PATIENCE):
            pass
    except urllib.error.HTTPError as error:  # it is there, whatever it wants
        if error.code >= 500:
            found = f"{place} answers with error {error.code}"
            return Finding(name=name, state="problem", found=found, remedy=remedy)
    except (OSError, ValueError):
        found = f"{place} does not answer within {_PATIENCE:g} s"
        return Finding(name=name, state="problem", found=found, remedy=remedy)
    return Finding(name=name, state="ok", found=f"{place} answers")
