"""A real server, real workers: schedules, a night handed over to the second worker, cancelling."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import polars as pl
import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.deployments.runner import EntrypointType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling

from data_contracts.config import NightlyConfig, load_config
from flows.local_server import LocalServices, deployed_config, local_services
from tasks.sample.sample_lake import SampleLake, write_sample_lake
from tests.e2e.handover import inner, outer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
T = TypeVar("T")


class Installation(NamedTuple):
    """Running services, a client of theirs, and the lake they serve."""

    services: LocalServices
    client: SyncPrefectClient
    config: NightlyConfig
    sample: SampleLake

    def start(self, deployment: str, **parameters: object) -> FlowRun:
        """Start a run of a deployment."""
        found = self.client.read_deployment_by_name(deployment)
        return self.client.create_flow_run_from_deployment(found.id, parameters=parameters)

    def children(self, parent: FlowRun) -> list[FlowRun]:
        """Return the runs that a run has started."""
        parents = FlowRunFilterParentFlowRunId(any_=[parent.id])
        return self.client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parents))

    def child_in(self, parent: FlowRun, state: StateType) -> FlowRun | None:
        """Return the child of a run, once it is in this state."""
        found = [run for run in self.children(parent) if run.state_type == state]
        return found[0] if found else None


def eventually(look: Callable[[], T | None], *, within: float, what: str) -> T:
    """Look until there is something to see."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(1)
    pytest.fail(f"no {what} within {within} s")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all tests here: starting it takes half a minute."""
    root = tmp_path_factory.mktemp("installation")
    sample = write_sample_lake(root / "lake", seed=5, n_users=300, n_items=120, n_days=12)
    config = load_config(root / "lake" / "hoarfrost.toml")
    with (
        local_services(root / "home", config) as services,
        temporary_settings({PREFECT_API_URL: services.prefect_url}),
        get_client(sync_client=True) as client,
    ):
        yield Installation(services, client, config, sample)


def test_schedule_yields_runs(installation):
    """A server with the wrong database library starts, looks healthy, and schedules nothing."""
    nightly = installation.client.read_deployment_by_name("nightly/nightly")
    scheduled = FlowRunFilterStateType(any_=[StateType.SCHEDULED])
    runs = eventually(
        lambda: installation.client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[nightly.id])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=scheduled)),
        ),
        within=120,
        what="scheduled run",
    )
    assert {(run.expected_start_time.hour, run.auto_scheduled) for run in runs} == {(3, True)}


def test_deployments_record_no_path(installation):
    """A worker imports the installed package: nothing names the machine that deployed."""
    for name in ("nightly/nightly", "train/gpu"):
        deployment = installation.client.read_deployment_by_name(name)
        recorded = deployment.model_copy(update={"parameters": {}}).model_dump_json()
        assert not deployment.pull_steps
        assert str(Path(__file__).parents[2]) not in recorded


def test_night_hands_its_training_to_the_other_worker(installation):
    """The night runs in pool cpu, its training in pool gpu, and the lake gets its tables."""
    config = deployed_config(installation.config)
    config["mlflow"]["tracking_uri"] = installation.services.mlflow_url
    run_date = installation.sample.run_date
    night = installation.start("nightly/nightly", config=config, run_date=str(run_date))
    done = eventually(lambda: ended(installation, night), within=300, what="end of the night")
    assert done.state_type == StateType.COMPLETED, done.state
    (train,) = installation.children(night)
    assert (done.work_pool_name, train.work_pool_name) == ("cpu", "gpu")
    assert train.state_type == StateType.COMPLETED
    latest = Path(installation.config.lake) / "latest"
    assert latest.is_symlink()
    top_n = pl.read_parquet(latest / "top_n" / "**" / "*.parquet")
    assert top_n["run_date"].unique().to_list() == [run_date]
    assert top_n["user_id"].n_unique() > 100
    address = installation.services.mlflow_url
    client = MlflowClient(address, registry_uri=address)  # earlier tests may have set another
    champion = client.get_model_version_by_alias("hoarfrost", "champion")
    assert set(top_n["model_version"].cast(pl.String)) == {champion.version}


def ended(installation: Installation, run: FlowRun) -> FlowRun | None:
    """Return a run once it is over."""
    now = installation.client.read_flow_run(run.id)
    return now if now.state is not None and now.state.is_final() else None


@pytest.fixture(scope="module")
def handover(installation: Installation) -> Installation:
    """The same installation with the throw-away flows deployed."""
    for flow, pool in ((outer, "cpu"), (inner, "gpu")):
        flow.to_deployment(
            pool, work_pool_name=pool, entrypoint_type=EntrypointType.MODULE_PATH
        ).apply()
    return installation


def test_cancelled_parent_takes_its_child_along(handover):
    """A training without its night would hold the GPU until morning."""
    parent = handover.start("outer/cpu", fail=False)
    eventually(
        lambda: handover.child_in(parent, StateType.RUNNING), within=90, what="running child"
    )
    handover.client.set_flow_run_state(parent.id, Cancelling())
    eventually(
        lambda: handover.child_in(parent, StateType.CANCELLED), within=60, what="cancelled child"
    )
    over = eventually(lambda: ended(handover, parent), within=30, what="end of the parent")
    assert over.state_type == StateType.CANCELLED


def test_failed_parent_takes_its_child_along(handover):
    """Here nothing but our hook stops the child."""
    parent = handover.start("outer/cpu", fail=True)
    eventually(
        lambda: handover.child_in(parent, StateType.CANCELLED), within=90, what="cancelled child"
    )
    over = eventually(lambda: ended(handover, parent), within=30, what="end of the parent")
    assert over.state_type == StateType.FAILED
