"""The MLflow registry: register a night's model, fetch a version."""

import json
import logging
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from data_contracts.config import NightlyConfig
from data_contracts.errors import ContractViolationError
from data_contracts.manifests import MatrixManifest, TrainManifest
from tasks.files import digest, sha256_of
from tasks.lake import Night
from tasks.registry.ledger import ledger_path
from tasks.registry.logged_model import log_model
from tasks.registry.registry_state import ABSENT
from tasks.registry.tracking import connect
from tasks.training.saved_model import SavedModel, identity_of, model_files, read_model
from tasks.vocabulary.vocabulary import items_of

logger = logging.getLogger(__name__)
FINAL = "final"
_DIGEST, _RUN_DATE, _TRAINED_UNTIL = "model_digest", "run_date", "trained_until"


class RegisteredModel(NamedTuple):
    """A version of the registry, its arrays memory-mapped."""

    version: str
    run_id: str
    digest: str  # of its arrays and item ids
    trained_until: date
    saved: SavedModel
    item_ids: list[str | int]

    @property
    def kind(self) -> str:
        """Kind of the model."""
        return self.saved.kind

    @property
    def counts(self) -> np.ndarray:
        """Users who had each item in training, shape (n_items,)."""
        return self.saved.counts


def fetch_model(config: NightlyConfig, version: str) -> RegisteredModel:
    """Return a registered version; it is read from the registry and never from memory.

    Raises:
        ContractViolationError: the registry has no such version, or does not answer.
    """
    client, name = connect(config), config.mlflow.registered_model
    try:
        found = client.get_model_version(name, version)
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}"))
    except MlflowException as error:
        raise ContractViolationError(
            f"version {version} of model {name} must be in the registry, got {_why(error)}: name "
            f"another version; or, if the ledger {ledger_path(Path(config.lake))} names this one, "
            "bring the registry back, or promote another: hoarfrost promote --version V --reason "
            "'...' --force"
        ) from error
    item_ids = (folder / "artifacts" / "item_ids.json").read_text(encoding="utf-8")
    return RegisteredModel(
        version=version,
        run_id=str(found.run_id),
        digest=found.tags[_DIGEST],
        trained_until=date.fromisoformat(found.tags[_TRAINED_UNTIL]),
        saved=read_model(folder / "artifacts", FINAL),
        item_ids=json.loads(item_ids),
    )


def _why(error: MlflowException) -> str:
    """Return a few words; the message of a server that is away holds its address."""
    return "none" if error.error_code in ABSENT else f"no answer ({error.error_code})"


def register_model(
    night: Night, train: TrainManifest, matrices: MatrixManifest, client: MlflowClient
) -> str:
    """Return the version that holds tonight's model; the same again after a kill."""
    name, folder = night.config.mlflow.registered_model, night.step("train")
    files = model_files(folder, FINAL)
    kind = read_model(folder, FINAL).kind
    content = identity_of({part: sha256_of(path) for part, path in files.items()}, kind)
    model_digest = digest(content | {"item_ids": matrices.vocabulary_sha256})
    _ensure_registered_model(client, name)
    for version in client.search_model_versions(f"name = '{name}'"):
        same_night = version.tags.get(_RUN_DATE) == str(night.run_date)
        if same_night and version.tags.get(_DIGEST) == model_digest:
            logger.info("promote: version %s holds this very model", version.version)
            return str(version.version)
    item_ids = items_of(night.lake, matrices)
    source = log_model(night, train.mlflow_run_id, files, item_ids)
    refit = night.config.training.refit
    trained_until = night.run_date if refit else night.cut - timedelta(days=1)
    tags = {
        _DIGEST: model_digest,
        _RUN_DATE: str(night.run_date),
        _TRAINED_UNTIL: str(trained_until),
    }
    created = client.create_model_version(
        name, source, run_id=train.mlflow_run_id, tags=tags,
        model_id=source.removeprefix("models:/"),  # a server asks for it
    )  # fmt: skip
    return str(created.version)


def _ensure_registered_model(client: MlflowClient, name: str) -> None:
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name, description="Written by Hoarfrost, moved by its gate")
