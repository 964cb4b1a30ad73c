"""A search of hyper-parameters in MLflow: one run, and one nested in it per trial."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import Param, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna import TrialPruned

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError
from tasks.registry.tracking import KEY_TAG, connect, experiment_id, log_metrics


class SearchLog:
    """Where the trials of one search are logged; nowhere without a configuration."""

    def __init__(self, config: NightlyConfig | None, study: str) -> None:
        """Find the run of a search, or make it.

        Args:
            config: names the MLflow and the experiment.
            study: the search; a later call goes on in the same run.

        Raises:
            ConfigError: there is no MLflow at that address.
        """
        self._client: MlflowClient | None = None
        if config is None:
            return
        try:
            self._client = connect(config)
            self._experiment = experiment_id(self._client, config)
        except MlflowException as error:
            raise ConfigError(f"the MLflow named must answer: {error.message}") from error
        found = self._client.search_runs(
            [self._experiment], f"tags.`{KEY_TAG}` = '{study}'", max_results=1
        )
        tags = {KEY_TAG: study}
        self._parent = (
            found[0].info.run_id
            if found
            else _open(self._client, self._experiment, f"tune-{study}", tags)
        )

    @contextmanager
    def trial(self, number: int, params: Mapping[str, object]) -> Iterator[str | None]:
        """Open the run of one trial and yield its id; what is raised inside ends it too."""
        if self._client is None:
            yield None
            return
        run_id = _open(
            self._client,
            self._experiment,
            f"trial-{number}",
            {MLFLOW_PARENT_RUN_ID: self._parent},
        )
        self.settled(run_id, params)
        status = RunStatus.FAILED
        try:
            yield run_id
            status = RunStatus.FINISHED
        except TrialPruned:
            self._client.set_tag(run_id, "pruned", "true")
            status = RunStatus.FINISHED
            raise
        finally:
            self._client.set_terminated(run_id, RunStatus.to_string(status))

    def epoch(self, run_id: str | None, epoch: int, metrics: dict[str, float]) -> None:
        """Add the figures of an epoch to a trial."""
        if run_id is not None:
            log_metrics(run_id, metrics, epoch)

    def settled(self, run_id: str | None, params: Mapping[str, object]) -> None:
        """Add parameters of a trial: those given, and those that its fit chose itself."""
        if self._client is not None and run_id is not None:
            listed = [Param(name, str(value)) for name, value in params.items()]
            self._client.log_batch(run_id, params=listed)

    def killed(self, run_id: str | None) -> None:
        """End the run of a trial that a kill left open."""
        if self._client is not None and run_id is not None:
            self._client.set_terminated(run_id, RunStatus.to_string(RunStatus.KILLED))

    def finish(self, best: float, params: Mapping[str, object]) -> None:
        """End a call of the search with its best trial so far."""
        if self._client is None:
            return
        self._client.set_terminated(self._parent)
        for name, value in params.items():
            self._client.set_tag(self._parent, f"best.{name}", str(value))
        self._client.log_metric(self._parent, "best_ndcg_at_100", best)


def _open(client: MlflowClient, experiment: str, name: str, tags: dict[str, str]) -> str:
    run_id: str = client.create_run(experiment, tags=tags, run_name=name).info.run_id
    return run_id
