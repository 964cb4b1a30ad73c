"""The MLflow registry: log and register a night's model, move the aliases, fetch a version."""

import functools
import json
import logging
from datetime import date
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from data_contracts.config import NightlyConfig
from data_contracts.errors import ContractViolationError, GateRejectedError
from data_contracts.manifests import (
    JudgeManifest,
    MatrixManifest,
    PromoteManifest,
    TrainManifest,
)
from tasks.files import digest, empty_folder, sha256_of
from tasks.lake import Night
from tasks.ledger import LedgerEntry, append, ledger_path, read_ledger, standing_before
from tasks.steps import run_step
from tasks.tracking import connect
from tasks.vocabulary import read_vocabulary

logger = logging.getLogger(__name__)
_DIGEST, _RUN_DATE, _TRAINED_UNTIL = "model_digest", "run_date", "trained_until"


class RegisteredModel(NamedTuple):
    """A version of the registry, its arrays memory-mapped."""

    version: str
    A: np.ndarray  # (n_items, n_factors) float32, unit rows
    counts: np.ndarray  # (n_items,) users who had the item in training
    item_ids: list[str | int]
    trained_until: date


def fetch_model(config: NightlyConfig, version: str) -> RegisteredModel:
    """Return a registered version; it is read from the registry and never from memory.

    Raises:
        ContractViolationError: the registry has no such version.
    """
    client, name = connect(config), config.mlflow.registered_model
    try:
        tags = client.get_model_version(name, version).tags
        folder = (
            Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}")) / "artifacts"
        )
    except MlflowException as error:
        raise ContractViolationError(
            f"the ledger {ledger_path(Path(config.lake))} names version {version} of model {name} "
            "and the registry does not have it: bring the registry back, or move the ledger away"
        ) from error
    return RegisteredModel(
        version=version,
        A=np.load(folder / "final.factors.npy", mmap_mode="r", allow_pickle=False),
        counts=np.load(folder / "final.counts.npy", mmap_mode="r", allow_pickle=False),
        item_ids=json.loads((folder / "item_ids.json").read_text(encoding="utf-8")),
        trained_until=date.fromisoformat(tags[_TRAINED_UNTIL]),
    )


def promote_model(
    night: Night, train: TrainManifest, judge: JudgeManifest, matrices: MatrixManifest
) -> PromoteManifest:
    """Register the night's model and let the verdict decide who is champion."""
    work = functools.partial(_promote, night, train, judge, matrices)
    settings = {"registry": night.config.mlflow.model_dump()}
    inputs = [train, judge, matrices]
    return run_step(night, "promote", PromoteManifest, settings=settings, inputs=inputs, work=work)


def _promote(
    night: Night,
    train: TrainManifest,
    judge: JudgeManifest,
    matrices: MatrixManifest,
    staging: Path,
    key: str,
) -> PromoteManifest:
    client, name = connect(night.config), night.config.mlflow.registered_model
    challenger = _register(night, train, matrices, client)
    ledger = read_ledger(night.lake)
    standing = standing_before(ledger, night.run_date)
    champion, previous = choose_champion(judge, challenger.version, standing)
    entry = LedgerEntry(
        run_date=night.run_date, challenger=challenger.version, verdict=judge.verdict,
        reason=judge.reason, champion=champion, previous=previous,
    )  # fmt: skip
    if any(past.run_date > night.run_date for past in ledger):
        logger.info("promote: a later night has decided already, the aliases stay")
    else:
        _move_aliases(client, name, entry)
    append(night.lake, entry)
    _record(client, train.mlflow_run_id, judge, challenger.version)
    logger.info("promote: %s, champion is version %s (%s)", judge.verdict, champion, judge.reason)
    version = client.get_model_version(name, champion)
    return PromoteManifest(
        step="promote", run_date=night.run_date, key=key, challenger_version=challenger.version,
        champion_version=champion, champion_digest=version.tags[_DIGEST],
        champion_run_id=str(version.run_id), champion_uri=f"models:/{name}/{champion}",
        previous_version=previous,
    )  # fmt: skip


def choose_champion(
    judge: JudgeManifest, challenger: str, standing: LedgerEntry | None
) -> tuple[str, str | None]:
    """Return the versions of champion and previous champion after a verdict.

    Raises:
        GateRejectedError: the challenger was rejected and there is no champion to publish from.
    """
    if standing is None:
        if judge.verdict == "reject":
            raise GateRejectedError(
                f"the challenger was rejected ({judge.reason}) and there is no champion to publish "
                "from: nothing was published"
            )
        return challenger, None  # a lake without a champion has no tables
    if judge.verdict == "promote" and challenger != standing.champion:
        return challenger, standing.champion
    return standing.champion, standing.previous


def _register(
    night: Night, train: TrainManifest, matrices: MatrixManifest, client: MlflowClient
) -> ModelVersion:
    name, folder = night.config.mlflow.registered_model, night.step("train")
    vocabulary = read_vocabulary(night.lake).head(matrices.n_items)
    item_ids = vocabulary["item_id"].to_list()
    arrays = {part: folder / f"final.{part}.npy" for part in ("factors", "counts")}
    content = {part: sha256_of(path) for part, path in arrays.items()}
    model_digest = digest(content | {"item_ids": matrices.vocabulary_sha256})
    for version in client.search_model_versions(f"name = '{name}'"):
        same_night = version.tags.get(_RUN_DATE) == str(night.run_date)
        if same_night and version.tags.get(_DIGEST) == model_digest:
            logger.info("promote: version %s holds this very model", version.version)
            return version
    source = _log_model(night, train.mlflow_run_id, arrays, item_ids)
    until = (
        night.run_date
        if night.config.training.refit
        else night.cut.fromordinal(night.cut.toordinal() - 1)
    )
    tags = {_DIGEST: model_digest, _RUN_DATE: str(night.run_date), _TRAINED_UNTIL: str(until)}
    _ensure_registered_model(client, name)
    return client.create_model_version(name, source, run_id=train.mlflow_run_id, tags=tags)


def _ensure_registered_model(client: MlflowClient, name: str) -> None:
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(
            name, description="Written by Hoarfrost, promoted by its gate."
        )


def _log_model(
    night: Night, run_id: str, arrays: dict[str, Path], item_ids: list[str | int]
) -> str:
    staging = empty_folder(night.state / "staging" / "registered_model")
    ids_path = staging / "item_ids.json"
    ids_path.write_text(json.dumps(item_ids), encoding="utf-8")
    is_text = bool(item_ids) and isinstance(item_ids[0], str)
    column = ColSpec(Array(DataType.string if is_text else DataType.long), name="item_ids")
    signature = ModelSignature(
        inputs=Schema([column]), params=ParamSchema([ParamSpec("n", DataType.long, 20)])
    )
    with mlflow.start_run(run_id=run_id):
        info = mlflow.pyfunc.log_model(
            name="recommender",
            python_model=str(Path(__file__).with_name("recommender_pyfunc.py")),
            artifacts={part: str(path) for part, path in arrays.items()}
            | {"item_ids": str(ids_path)},
            signature=signature,
            input_example=(pd.DataFrame({"item_ids": [item_ids[:1], item_ids[:2]]}), {"n": 3}),
            pip_requirements=["mlflow", "numpy", "pandas"],
        )
    return str(info.model_uri)


def _move_aliases(client: MlflowClient, name: str, entry: LedgerEntry) -> None:
    client.set_registered_model_alias(name, "challenger", entry.challenger)
    client.set_registered_model_alias(name, "champion", entry.champion)
    if entry.previous is not None:
        client.set_registered_model_alias(name, "previous", entry.previous)


def _record(client: MlflowClient, run_id: str, judge: JudgeManifest, version: str) -> None:
    for tag, value in (("verdict", judge.verdict), ("reason", judge.reason), ("version", version)):
        client.set_tag(run_id, f"hoarfrost.{tag}", value)
    for model, metrics in judge.metrics.items():
        for name, interval in metrics.items():
            client.log_metric(run_id, f"{model}_{name.replace('@', '_at_')}", interval.mean)
