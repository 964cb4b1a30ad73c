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
from tasks.ledger import ledger_path
from tasks.logged_model import PARTS, ArrayFiles, log_model
from tasks.registry_state import ABSENT
from tasks.tracking import connect
from tasks.vocabulary import items_of

logger = logging.getLogger(__name__)
_DIGEST, _RUN_DATE, _TRAINED_UNTIL = "model_digest", "run_date", "trained_until"


class RegisteredModel(NamedTuple):
    """A version of the registry, its arrays memory-mapped."""

    version: str
    run_id: str
    digest: str  # of its arrays and item ids
    trained_until: date
    A: np.ndarray  # (n_items, n_factors) float32, unit rows
    counts: np.ndarray  # (n_items,) users who had the item in training
    tempering: np.ndarray  # exponents alpha and beta
    item_ids: list[str | int]


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
    factors, counts, tempering = (_load_part(folder / "artifacts", part) for part in PARTS)
    item_ids = (folder / "artifacts" / "item_ids.json").read_text(encoding="utf-8")
    return RegisteredModel(
        version=version,
        run_id=str(found.run_id),
        digest=found.tags[_DIGEST],
        trained_until=date.fromisoformat(found.tags[_TRAINED_UNTIL]),
        A=factors,
        counts=counts,
        tempering=tempering,
        item_ids=json.loads(item_ids),
    )


def _why(error: MlflowException) -> str:
    """Return a few words; the message of a server that is away holds its address."""
    return "none" if error.error_code in ABSENT else f"no answer ({error.error_code})"


def _load_part(folder: Path, part: str) -> np.ndarray:
    path = folder / f"final.{part}.npy"
    if part == "tempering" and not path.is_file():  # a version from before there was any
        return np.zeros(2)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def register_model(
    night: Night, train: TrainManifest, matrices: MatrixManifest, client: MlflowClient
) -> str:
    """Return the version that holds tonight's model; the same again after a kill."""
    name, folder = night.config.mlflow.registered_model, night.step("train")
    files: ArrayFiles = {part: folder / f"final.{part}.npy" for part in PARTS}
    content = {part: sha256_of(path) for part, path in files.items()}
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
