"""Log a model to MLflow: a pyfunc that needs numpy only, and its embeddings for analysts."""

import json
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import polars as pl
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from tasks.files import empty_folder
from tasks.lake import Night

PARTS = ("factors", "counts", "tempering")
ArrayFiles = dict[str, Path]  # part -> npy file
_PYFUNC = Path(__file__).with_name("recommender_pyfunc.py")


def log_model(night: Night, run_id: str, files: ArrayFiles, item_ids: pl.Series) -> str:
    """Log the pyfunc and its embeddings to a run; return the URI of the logged model.

    Args:
        night: names the staging folder.
        run_id: the training's run.
        files: factors (n_items, n_factors), counts (n_items,) and tempering (2,) as npy.
        item_ids: ids in index order, shape (n_items,).
    """
    staging = empty_folder(night.state / "staging" / "logged_model")
    ids_path = staging / "item_ids.json"
    ids_path.write_text(json.dumps(item_ids.to_list()), encoding="utf-8")
    embeddings = staging / "item_embeddings.parquet"
    _write_embeddings(embeddings, files, item_ids)
    example = [item_ids.head(1).to_list(), item_ids.head(2).to_list()]
    with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # hints are left out: the signature rules
        mlflow.log_artifact(str(embeddings), "embeddings")
        info = mlflow.pyfunc.log_model(
            name="recommender",
            python_model=str(_PYFUNC),
            artifacts={part: str(path) for part, path in files.items()}
            | {"item_ids": str(ids_path)},
            signature=_signature(item_ids.dtype),
            input_example=(pd.DataFrame({"item_ids": example}), {"n": 3}),
            pip_requirements=["mlflow", "numpy"],
        )
    return str(info.model_uri)


def _signature(id_type: pl.DataType) -> ModelSignature:
    id_column = Array(DataType.string if id_type == pl.String else DataType.long)
    return ModelSignature(
        inputs=Schema([ColSpec(id_column, name="item_ids")]),
        params=ParamSchema([ParamSpec("n", DataType.long, 20)]),
    )


def _write_embeddings(path: Path, files: ArrayFiles, item_ids: pl.Series) -> None:
    A = np.load(files["factors"], mmap_mode="r", allow_pickle=False)
    columns = {
        "item_id": item_ids,
        "vector": pl.Series(A, dtype=pl.Array(pl.Float32, A.shape[1])),
        "n_interactions": np.load(files["counts"], allow_pickle=False),
    }
    pl.DataFrame(columns).filter(pl.col("n_interactions") > 0).write_parquet(path)
