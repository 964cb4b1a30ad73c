"""Everything production has, on one machine: Prefect, MLflow and a worker for each pool.

python -m flows.local_server --home DIR starts them on free loopback ports, registers the
deployments of deploy/prefect.yaml, and runs until Ctrl-C or SIGTERM.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import cyclopts
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker

from data_contracts.config import NightlyConfig, load_config
from data_contracts.errors import HoarfrostError
from flows.local_process import (
    LOOPBACK,
    LocalProcess,
    ServiceError,
    free_port,
    running,
    wait_until_up,
)

ROOT = Path(__file__).resolve().parents[1]
PREFECT_FILE = ROOT / "deploy" / "prefect.yaml"
POOL_LIMITS = {"cpu": None, "gpu": 1}
SETTINGS = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a third of the memory, half of the start
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "2",  # a worker looks for work every 10 s by default
}


class LocalServices(NamedTuple):
    """Where the services answer, and the environment in which Prefect's commands find them."""

    prefect_url: str
    mlflow_url: str
    environment: dict[str, str]
    processes: tuple[LocalProcess, ...]


@contextmanager
def local_services(home: Path, config: NightlyConfig) -> Iterator[LocalServices]:
    """Run a Prefect server, an MLflow server and two workers with both deployments registered.

    MLflow's store is the lake's own, so a night finds the same champion with and without them.

    Args:
        home: receives databases and logs; kept, and used again by the next call.
        config: what the deployment nightly/nightly runs with; its lake must be absolute.

    Raises:
        ServiceError: one of them does not come up, or the deployments are refused.
    """
    home.mkdir(parents=True, exist_ok=True)
    port, logs = free_port(), home / "logs"
    prefect_url = f"http://{LOOPBACK}:{port}/api"
    environment = _environment(home, prefect_url)
    with ExitStack() as stack:

        def start(name: str, module: str, *arguments: str) -> LocalProcess:
            log = logs / f"{name}.log"
            return stack.enter_context(running(module, arguments, log=log, environment=environment))

        prefect = start(
            "prefect", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)
        )
        mlflow_url, mlflow_arguments = _mlflow(Path(config.lake))
        mlflow = start("mlflow", "mlflow", "server", *mlflow_arguments)
        wait_until_up(f"{prefect_url}/health", prefect)
        wait_until_up(f"{mlflow_url}/health", mlflow)
        _make_pools(prefect_url)
        _deploy(prefect_url, config, environment)
        workers = [
            start(f"worker-{pool}", "prefect", "worker", "start", "--pool", pool, "--name", pool)
            for pool in POOL_LIMITS
        ]
        yield LocalServices(prefect_url, mlflow_url, environment, (prefect, mlflow, *workers))


def _environment(home: Path, prefect_url: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
    own = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": prefect_url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    return inherited | SETTINGS | own


def _mlflow(lake: Path) -> tuple[str, list[str]]:
    port, store = free_port(), lake / "mlflow"
    store.mkdir(parents=True, exist_ok=True)
    arguments = [
        f"--host={LOOPBACK}",
        f"--port={port}",
        "--workers=1",
        f"--backend-store-uri=sqlite:///{store / 'mlflow.db'}",
        "--no-serve-artifacts",
        f"--default-artifact-root={(store / 'artifacts').as_uri()}",
    ]
    return f"http://{LOOPBACK}:{port}", arguments


def _make_pools(prefect_url: str) -> None:
    template = ProcessWorker.get_default_base_job_template()
    with temporary_settings({PREFECT_API_URL: prefect_url}), get_client(sync_client=True) as client:
        for name, limit in POOL_LIMITS.items():
            pool = WorkPoolCreate(
                name=name, type="process", base_job_template=template, concurrency_limit=limit
            )
            client.create_work_pool(pool, overwrite=True)


def _deploy(prefect_url: str, config: NightlyConfig, environment: Mapping[str, str]) -> None:
    arguments = ["--no-prompt", "deploy", "--prefect-file", str(PREFECT_FILE), "--all"]
    command = [sys.executable, "-m", "prefect", *arguments]
    done = subprocess.run(
        command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServiceError(f"{PREFECT_FILE} must deploy, got:\n{done.stdout}{done.stderr}")
    with temporary_settings({PREFECT_API_URL: prefect_url}), get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("nightly/nightly")
        parameters = {"config": deployed_config(config)}
        client.update_deployment(deployment.id, DeploymentUpdate(parameters=parameters))


def deployed_config(config: NightlyConfig) -> dict[str, Any]:
    """Return a configuration as a parameter of a run, with training on the second worker."""
    training = config.training.model_copy(update={"where": "deployment"})
    return config.model_copy(update={"training": training}).model_dump(mode="json")


def serve(*, home: Path, lake: Path = Path("lake"), config: Path | None = None) -> None:
    """Run everything until Ctrl-C or SIGTERM.

    Parameters
    ----------
    home: folder of databases and logs
    lake: the lake, where no configuration is given
    config: configuration file; by default the lake's own hoarfrost.toml, if there is one
    """
    own = lake / "hoarfrost.toml"
    if config is None and not own.is_file():
        settings = NightlyConfig(lake=str(lake.resolve()))
    else:
        settings = load_config(config or own)
    with local_services(home.resolve(), settings) as services:
        print(_welcome(services, settings.lake), flush=True)
        while True:
            for process in services.processes:
                process.check()
            time.sleep(1)


def _welcome(services: LocalServices, lake: str) -> str:
    return "\n".join(
        [
            f"Prefect  {services.prefect_url.removesuffix('/api')}",
            f"MLflow   {services.mlflow_url}",
            f"Lake     {lake}",
            "Start a night from another terminal:",
            f"  export PREFECT_API_URL={services.prefect_url}",
            "  prefect deployment run nightly/nightly --param run_date=YYYY-MM-DD --watch",
            "Ctrl-C stops everything.",
        ]
    )


def _end(signal_number: int, _frame: object) -> NoReturn:
    signal.signal(signal_number, signal.SIG_IGN)  # stopping takes seconds: once is enough
    sys.exit(0)


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    try:
        cyclopts.run(serve)
    except HoarfrostError as error:
        print(f"hoarfrost: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
