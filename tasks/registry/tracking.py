"""MLflow: where it is, and the one run that belongs to a night's training."""

import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, Metric, Run

from data_contracts.config import NightlyConfig
from data_contracts.environment import resolve

logger = logging.getLogger(__name__)
KEY_TAG = "hoarfrost.key"
Curve = tuple[tuple[int, float], ...]  # epoch, value


def connect(config: NightlyConfig) -> MlflowClient:
    """Return a client of the configured MLflow; by default SQLite and files inside the lake."""
    if config.mlflow.tracking_uri is None:
        (Path(config.lake) / "mlflow").mkdir(parents=True, exist_ok=True)
    uri = without_login(tracking_uri(config))
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient()


def without_login(uri: str) -> str:
    """Return a server's address without user and password, which MLflow takes as variables.

    MLflow prints the address of every run, and puts it into its errors.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def tracking_uri(config: NightlyConfig) -> str:
    """The MLflow address, secrets filled in: never log it."""
    if config.mlflow.tracking_uri is not None:
        return resolve(config.mlflow.tracking_uri)
    return f"sqlite:///{Path(config.lake) / 'mlflow' / 'mlflow.db'}"


@contextmanager
def training_run(config: NightlyConfig, run_date: date, key: str) -> Iterator[Run]:
    """Open the run of one training, the same again after a kill.

    Args:
        config: names the experiment.
        run_date: becomes the run's name and tag.
        key: digest of the training step; found again by its tag.
    """
    client = connect(config)
    experiment = experiment_id(client, config)
    found = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{key}'", max_results=1)
    tags = {KEY_TAG: key, "run_date": str(run_date)}
    run_id = found[0].info.run_id if found else None
    with mlflow.start_run(
        run_id=run_id, experiment_id=experiment, run_name=f"night-{run_date}", tags=tags
    ) as run:
        yield run


def experiment_id(client: MlflowClient, config: NightlyConfig) -> str:
    """Return the configured experiment, made if it is not there."""
    experiment = client.get_experiment_by_name(config.mlflow.experiment)
    if experiment is not None:
        return str(experiment.experiment_id)
    local = config.mlflow.tracking_uri is None
    artifacts = Path(config.lake) / "mlflow" / "artifacts"
    location = artifacts.as_uri() if local else None
    return client.create_experiment(config.mlflow.experiment, artifact_location=location)


def log_metrics(run_id: str, metrics: dict[str, float], epoch: int) -> None:
    """Add the figures of an epoch to a run, once however often a killed fit comes back to it."""
    client, logged = MlflowClient(), {metric_name(name): value for name, value in metrics.items()}
    if not logged or any(
        point.step == epoch for point in client.get_metric_history(run_id, next(iter(logged)))
    ):
        return  # a batch is written as a whole, so one figure speaks for all
    now = _now()
    client.log_batch(run_id, [Metric(name, value, now, epoch) for name, value in logged.items()])


def log_changed(
    client: MlflowClient,
    run_id: str,
    figures: dict[str, float],
    *,
    model_id: str | None = None,
    dataset: Dataset | None = None,
) -> None:
    """Log figures that are not the last ones of their name; what is no number is left out.

    Args:
        client: of the night's MLflow.
        run_id: the run they are of.
        figures: name -> value; MLflow knows no @ in names.
        model_id: the logged model that they are of as well.
        dataset: what they were measured on.
    """
    named = {metric_name(name): value for name, value in figures.items() if math.isfinite(value)}
    before = client.get_run(run_id).data.metrics
    if model_id is not None:
        of_model = _model_metrics(client, model_id, run_id)
        before = {name: value for name, value in before.items() if of_model.get(name) == value}
    now = _now()
    name, digest = (None, None) if dataset is None else (dataset.name, dataset.digest)
    changed = [
        Metric(
            key, value, now, 0,
            model_id=model_id, dataset_name=name, dataset_digest=digest, run_id=run_id,
        )
        for key, value in named.items()
        if before.get(key) != value
    ]  # fmt: skip
    client.log_batch(run_id, changed)


def metric_name(name: str) -> str:
    """Return the name of a metric as MLflow takes it."""
    return name.replace("@", "_at_")


def metric_curves(client: MlflowClient, run_id: str, prefix: str) -> dict[str, Curve]:
    """Return the figures per epoch of a fit: name without prefix -> (epoch, value), in order.

    Args:
        client: of the night's MLflow.
        run_id: the training's run.
        prefix: of the metrics' names.
    """
    names = [name for name in client.get_run(run_id).data.metrics if name.startswith(prefix)]
    return {name.removeprefix(prefix): _curve(client, run_id, name) for name in sorted(names)}


def _curve(client: MlflowClient, run_id: str, name: str) -> Curve:
    points = sorted(client.get_metric_history(run_id, name), key=lambda point: point.timestamp)
    return tuple(sorted({point.step: point.value for point in points}.items()))  # the last one says


def _model_metrics(client: MlflowClient, model_id: str, run_id: str) -> dict[str, float]:
    points = [p for p in client.get_logged_model(model_id).metrics or [] if p.run_id == run_id]
    return {point.key: point.value for point in sorted(points, key=lambda point: point.timestamp)}


def _now() -> int:
    return int(time.time() * 1000)
