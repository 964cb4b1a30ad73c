"""All that MLflow holds of the nights of a lake, to compare one lake with another."""

from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run


def run_record(lake: Path) -> dict[str, dict[str, Any]]:
    """Return what every run holds by the name of the run, without times, ids and places.

    Raises:
        ValueError: two runs have one name.
    """
    client = MlflowClient(f"sqlite:///{lake / 'mlflow' / 'mlflow.db'}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    records = {run.info.run_name: _record(client, run) for run in runs}
    if len(records) < len(runs):
        raise ValueError(f"a night must have one run, got {[run.info.run_name for run in runs]}")
    return records


def _record(client: MlflowClient, run: Run) -> dict[str, Any]:
    run_id, experiment = run.info.run_id, run.info.experiment_id
    models = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    return {
        "status": run.info.status,
        "params": run.data.params,
        "tags": {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.source")},
        "curves": {name: _points(client, run_id, name) for name in run.data.metrics},
        "data": sorted(
            (each.dataset.name, each.dataset.digest, each.tags[0].value)
            for each in run.inputs.dataset_inputs
        ),
        "models": [
            (model.name, model.tags["hoarfrost.digest"], sorted(_linked(model.metrics or [])))
            for model in models
        ],
        "artifacts": sorted(
            file.path
            for folder in ("", "evidence", "embeddings")
            for file in client.list_artifacts(run_id, folder)
        ),
    }


def _points(client: MlflowClient, run_id: str, name: str) -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in client.get_metric_history(run_id, name))


def _linked(metrics: list[Any]) -> list[tuple[str, float, str]]:
    return [(metric.key, metric.value, metric.dataset_name) for metric in metrics]
