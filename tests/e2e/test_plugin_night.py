"""A whole night with a model of a package that is installed, and its tables without the package."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.plugin_package import install_plugin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
NIGHT = """
import json, shutil, sys
from pathlib import Path
from data_contracts.config import NightlyConfig
from tasks.lake import Night
from tests.tiny_night import run_night, tiny_shop

lake, model = Path(sys.argv[1]), json.loads(sys.argv[2])
sample, _ = tiny_shop(lake)
(lake / "mlflow").mkdir()
shutil.copy(sys.argv[3], lake / "mlflow" / "mlflow.db")
settings = sample.config.model_dump() | {"model": model}
night = Night(config=NightlyConfig.model_validate(settings), run_date=sample.run_date)
report = run_night(night)
print(json.dumps([report.lineage["kind of model"], report.verdict]))
"""
MODEL = {"kind": "module", "name": "taste", "n_epochs": 8, "learning_rate": 0.03,
         "settings": {"width": 8}}  # fmt: skip


def test_whole_night_with_a_plugin(tmp_path, migrated_mlflow):
    """Lists with reasons, similar items and vectors; served where the package is not."""
    lake = tmp_path / "lake"
    path = os.pathsep.join([str(install_plugin(tmp_path / "package")), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", NIGHT, lake, json.dumps(MODEL), migrated_mlflow], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["module", "cannot judge"]
    assert importlib.util.find_spec("taste") is None
    tables = {
        name: pl.read_parquet(lake / "latest" / name / "**" / "*.parquet")
        for name in ("top_n", "similar_items", "item_embeddings")
    }
    by_model = tables["top_n"].filter(pl.col("source") == "model")
    assert by_model.height > 0.7 * tables["top_n"].height
    assert by_model["because_item_id"].is_not_null().mean() > 0.8
    assert "model" in set(tables["similar_items"]["source"])
    vectors = np.stack(tables["item_embeddings"]["vector"].to_list())
    assert vectors.shape[1] == 8
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    version = by_model["model_version"][0]
    for set_uri in (mlflow.set_tracking_uri, mlflow.set_registry_uri):  # a test before set others
        set_uri(f"sqlite:///{lake / 'mlflow' / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(f"models:/hoarfrost/{version}")
    history = tables["item_embeddings"]["item_id"][:3].to_list()
    (answer,) = model.predict(pd.DataFrame({"item_ids": [history]}), params={"n": 5})
    assert len(answer["item_ids"]) == 5
    assert not set(answer["item_ids"]) & set(history)
