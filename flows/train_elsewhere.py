"""Hand a night's training to the worker of another deployment; only paths cross."""

from typing import cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from data_contracts.errors import HoarfrostError
from data_contracts.manifests import TrainManifest
from tasks.lake import Night
from tasks.training.training import finished_training


class TrainingFailedError(HoarfrostError):
    """The training run on the worker did not complete."""


@task(name="train-elsewhere", cache_policy=NO_CACHE, persist_result=False)
def train_elsewhere(night: Night) -> TrainManifest:
    """Run the train deployment, wait for it, and return the manifest it left in the lake.

    Raises:
        TrainingFailedError: the run failed, was cancelled, or is not done within the timeout.
    """
    training = night.config.training
    started = run_deployment(
        training.deployment,
        parameters={
            "config": night.config.model_dump(mode="json"),
            "run_date": night.run_date.isoformat(),
        },
        timeout=training.timeout_seconds,
        poll_interval=1,
    )
    run = cast(FlowRun, started)  # a coroutine only where the caller is one
    if run.state is None or not run.state.is_completed():
        state = "unknown" if run.state is None else run.state.name
        raise TrainingFailedError(
            f"{training.deployment} must complete within {training.timeout_seconds} s, "
            f"got state {state} of run {run.name}: see its log in Prefect"
        )
    return finished_training(night)
