"""What a run is told once, however often a killed night comes back to it."""

import os
from datetime import date

import pytest

from data_contracts.config import NightlyConfig
from tasks.registry.lineage import held_out_data, log_lineage
from tasks.registry.tracking import (
    connect,
    log_changed,
    log_metrics,
    metric_curves,
    training_run,
    without_login,
)
from tests.night_steps import matrices_of, night_in

DAY = date(2026, 9, 2)


@pytest.fixture
def config(tmp_path, mlflow_uri):
    """Of an empty lake with a migrated MLflow."""
    return NightlyConfig(lake=str(tmp_path))


@pytest.fixture
def run_id(config):
    """The run of a training."""
    with training_run(config, DAY, "key") as run:
        return run.info.run_id


def test_killed_training_finds_its_run_again(config, run_id):
    """By its key; another training gets another run."""
    with training_run(config, DAY, "key") as again, pytest.raises(ValueError, match="active"):
        raise ValueError("still active")
    assert again.info.run_id == run_id
    with training_run(config, DAY, "other") as other:
        assert other.info.run_id != run_id
    run = connect(config).get_run(run_id)
    assert run.data.tags["run_date"] == str(DAY)
    assert run.info.run_name == f"night-{DAY}"


def test_epoch_is_logged_once(config, run_id):
    """An epoch that is fitted again adds no second point; MLflow knows no @."""
    for epoch, ndcg in ((1, 0.1), (2, 0.2), (2, 0.2), (3, 0.3)):
        log_metrics(run_id, {"judged_ndcg@100": ndcg, "judged_nmse": 1.0 / epoch}, epoch)
    log_metrics(run_id, {}, 4)
    client = connect(config)
    for name in ("judged_ndcg_at_100", "judged_nmse"):
        assert [point.step for point in client.get_metric_history(run_id, name)] == [1, 2, 3]
    assert metric_curves(client, run_id, "judged_") == {
        "ndcg_at_100": ((1, 0.1), (2, 0.2), (3, 0.3)),
        "nmse": ((1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))),
    }
    assert metric_curves(client, run_id, "final_") == {}


def test_figures_are_logged_when_they_change(config, run_id):
    """The same again is no news, another value is, and what is no number is left out."""
    client = connect(config)
    for mean in (0.25, 0.25, 0.5, 0.5):
        log_changed(client, run_id, {"ndcg@100": mean, "rmse": float("nan")})
    history = client.get_metric_history(run_id, "ndcg_at_100")
    assert [point.value for point in history] == [0.25, 0.5]
    assert client.get_run(run_id).data.metrics == {"ndcg_at_100": 0.5}


def test_figures_belong_to_the_model_and_to_the_data(config, run_id, tmp_path):
    """A kill between run and model is mended, and what is there stays one point each."""
    client = connect(config)
    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment, name="recommender", source_run_id=run_id)
    night = night_in(tmp_path, DAY)
    dataset = log_lineage(client, run_id, night, matrices_of(night))
    log_changed(client, run_id, {"ndcg@100": 0.25})  # the run has it, the model has not
    for _ in range(2):
        log_changed(client, run_id, {"ndcg@100": 0.25}, model_id=model.model_id, dataset=dataset)
    (metric,) = client.get_logged_model(model.model_id).metrics
    assert (metric.key, metric.value, metric.run_id) == ("ndcg_at_100", 0.25, run_id)
    held_out = held_out_data(night, matrices_of(night))
    assert (metric.dataset_name, metric.dataset_digest) == (held_out.name, held_out.digest)
    (found,) = client.search_logged_models([experiment], "metrics.`ndcg_at_100` > 0.2")
    assert found.model_id == model.model_id


def test_login_of_a_server_stays_out_of_its_address(monkeypatch):
    """MLflow prints the address of every run, so it gets the login as variables."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "else")
    assert without_login("http://me:s%2Fw@127.0.0.1:5000/ml") == "http://127.0.0.1:5000/ml"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "s/w"


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:5000", "sqlite:///a/b.db", "postgresql://me:secret@host/db", "file:///m"],
)
def test_other_addresses_are_left_as_they_are(uri, monkeypatch):
    """A database has its login nowhere else."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")
    assert without_login(uri) == uri
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "somebody"
