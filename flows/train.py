"""The flow a GPU worker runs: fit the model on matrices that already lie in the lake."""

from datetime import date

from prefect import flow

from data_contracts.config import NightlyConfig
from data_contracts.manifests import TrainManifest
from flows.night_tasks import fit
from tasks.history.matrix import finished_matrices
from tasks.lake import Night


@flow(name="train", flow_run_name="train-{run_date}")
def train(config: NightlyConfig, run_date: date) -> TrainManifest:
    """Train on a night's matrices and leave the factors in the lake; return their manifest."""
    night = Night(config=config, run_date=run_date)
    return fit(night, finished_matrices(night))
