"""Fixtures of the whole suite: one Prefect API, one migrated MLflow store, the real data."""

import os
import shutil
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from hypothesis import settings

from tests import command_line

os.environ |= {  # before Prefect and MLflow read them: tests are silent towards the outside
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")  # no deadline: the first call of torch takes a second


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[None]:
    """A Prefect API on a database of its own, for the tests that run a flow."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=60),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),  # else each flow takes 1 s
    ):
        yield


@pytest.fixture(scope="session")
def forkserver() -> ForkServerContext:
    """Processes forked from one that has imported everything and done nothing."""
    return command_line.forkserver()


@pytest.fixture
def realdata() -> Path:
    """The folder of public data sets."""
    folder = os.environ.get("HOARFROST_REALDATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"HOARFROST_REALDATA must name the folder of public data sets, got {folder!r}")
    return Path(folder)


@pytest.fixture(scope="session")
def migrated_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, copying one does not."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def mlflow_uri(migrated_mlflow: Path, tmp_path: Path) -> str:
    """The address of an empty MLflow database of the test's own."""
    (tmp_path / "mlflow").mkdir(exist_ok=True)
    return f"sqlite:///{shutil.copy(migrated_mlflow, tmp_path / 'mlflow' / 'mlflow.db')}"
