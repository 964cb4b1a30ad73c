"""MLflow: where it is, and the one run that belongs to a night's training."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from data_contracts.config import NightlyConfig
from data_contracts.environment import resolve

logger = logging.getLogger(__name__)
KEY_TAG = "hoarfrost.key"


def connect(config: NightlyConfig) -> MlflowClient:
    """Return a client of the configured MLflow; by default SQLite and files inside the lake."""
    if config.mlflow.tracking_uri is None:
        (Path(config.lake) / "mlflow").mkdir(parents=True, exist_ok=True)
    uri = tracking_uri(config)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient()


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
    """Add the figures of an epoch to a run; MLflow knows no @ in names."""
    now = int(time.time() * 1000)
    batch = [
        Metric(name.replace("@", "_at_"), value, now, epoch) for name, value in metrics.items()
    ]
    MlflowClient().log_batch(run_id, batch)
