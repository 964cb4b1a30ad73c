"""Log a model to MLflow: a pyfunc that needs numpy only, and its embeddings for analysts."""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import polars as pl
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from models.fitted_model import item_vectors
from tasks.files import digest, empty_folder, sha256_of
from tasks.lake import Night
from tasks.training.saved_model import COUNTS, SavedModel, read_model

ModelFiles = dict[str, Path]  # name -> file of a kept model
_MODELS = "models:/"
_DIGEST_TAG = "hoarfrost.digest"
_PYFUNC = Path(__file__).with_name("recommender_pyfunc.py")


def log_model(night: Night, run_id: str, files: ModelFiles, item_ids: pl.Series) -> str:
    """Log the pyfunc and its embeddings, if it has any; return the URI of the logged model.

    A model that this run has logged before is used again; one that a kill left half-logged is
    deleted.

    Args:
        night: names the staging folder.
        run_id: the training's run.
        files: of the kept model, as model_files names them; all in one folder.
        item_ids: ids in index order, shape (n_items,).
    """
    staging = empty_folder(night.state / "staging" / "logged_model")
    ids_path = staging / "item_ids.json"
    ids_path.write_text(json.dumps(item_ids.to_list()), encoding="utf-8")
    artifacts = files | {"item_ids": ids_path}
    content = digest({part: sha256_of(path) for part, path in artifacts.items()})
    logged = _logged_before(MlflowClient(), run_id, content)
    if logged is not None:
        return logged
    path = files[COUNTS]
    saved = read_model(path.parent, path.name.partition(".")[0])
    has_vectors = write_embeddings(staging / "embeddings", saved, item_ids)
    example = [item_ids.head(1).to_list(), item_ids.head(2).to_list()]
    with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # hints are left out: the signature rules
        if has_vectors:
            mlflow.log_artifacts(str(staging / "embeddings"), "embeddings")
        info = mlflow.pyfunc.log_model(
            name="recommender",
            python_model=str(_PYFUNC),
            artifacts={part: str(path) for part, path in artifacts.items()},
            signature=_signature(item_ids.dtype),
            input_example=(pd.DataFrame({"item_ids": example}), {"n": 3}),
            pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow", "numpy")],
            tags={_DIGEST_TAG: content, "run_date": str(night.run_date)},
        )
    return str(info.model_uri)


def logged_model_id(version: ModelVersion) -> str | None:
    """Return the logged model behind a version; None where the version was made from a folder.

    MLflow's registry in a database keeps the source of a version and drops its model_id.
    """
    source = str(version.source)
    return source.removeprefix(_MODELS) if source.startswith(f"{_MODELS}m-") else None


def _logged_before(client: MlflowClient, run_id: str, content: str) -> str | None:
    experiment = client.get_run(run_id).info.experiment_id
    same = f"source_run_id = '{run_id}' AND tags.`{_DIGEST_TAG}` = '{content}'"
    found = client.search_logged_models([experiment], same)
    for model in found:
        if model.status != LoggedModelStatus.READY:
            client.delete_logged_model(model.model_id)
    ready = [model.model_uri for model in found if model.status == LoggedModelStatus.READY]
    return str(ready[0]) if ready else None


def _signature(id_type: pl.DataType) -> ModelSignature:
    id_column = Array(DataType.string if id_type == pl.String else DataType.long)
    return ModelSignature(
        inputs=Schema([ColSpec(id_column, name="item_ids")]),
        outputs=Schema(
            [ColSpec(id_column, name="item_ids"), ColSpec(Array(DataType.double), name="scores")]
        ),
        params=ParamSchema([ParamSpec("n", DataType.long, 20)]),
    )


def write_embeddings(folder: Path, saved: SavedModel, item_ids: pl.Series) -> bool:
    """Write the vectors of all items that somebody had, as Parquet and as npy with its ids.

    Args:
        folder: gets item_embeddings.parquet, and item_embeddings.npy (float32, a row per
            item) beside item_ids.json (the same order).
        saved: the model.
        item_ids: ids in index order, shape (n_items,).

    Returns:
        Whether the model has vectors; if not, nothing is written.
    """
    vectors = item_vectors(saved.model)
    if vectors is None:
        return False
    folder.mkdir(parents=True)
    known = np.flatnonzero((saved.counts > 0) & vectors.any(axis=1))
    A = vectors[known]
    known_ids = item_ids[known]
    columns = {
        "item_id": known_ids,
        "vector": pl.Series(A, dtype=pl.Array(pl.Float32, A.shape[1])),
        "n_interactions": np.asarray(saved.counts[known]),
    }
    pl.DataFrame(columns).write_parquet(folder / "item_embeddings.parquet")
    np.save(folder / "item_embeddings.npy", A, allow_pickle=False)
    (folder / "item_ids.json").write_text(json.dumps(known_ids.to_list()), encoding="utf-8")
    return True
