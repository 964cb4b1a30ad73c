"""The logged model: what it answers, what lies beside it, and that there is one of it."""

import ast
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException

from models.elsa.elsa import ELSA
from tasks.registry import recommender_pyfunc
from tasks.registry.logged_model import log_model, logged_model_id, write_embeddings
from tasks.registry.recommender_pyfunc import Recommender
from tasks.registry.tracking import connect, training_run
from tasks.training.saved_model import model_files, read_model, write_model
from tests.night_steps import night_in

DAY = date(2026, 9, 2)
IDS = pl.Series([30, 10, 20, 40])
A = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], dtype=np.float32)
COUNTS = np.array([5, 3, 2, 0])


@pytest.fixture
def files(tmp_path):
    """The arrays of a model of four items, the last of which nobody had."""
    write_model(tmp_path, "final", ELSA(A, COUNTS), kind="elsa", counts=COUNTS)
    return model_files(tmp_path, "final")


@pytest.fixture
def night(tmp_path, mlflow_uri):
    """A night with an empty MLflow."""
    return night_in(tmp_path, DAY)


@pytest.fixture
def run_id(night):
    """The run of its training."""
    with training_run(night.config, DAY, "key") as run:
        return run.info.run_id


def test_embeddings_lie_as_parquet_and_as_npy_with_ids(tmp_path, files):
    """The same rows in the same order, without items that nobody had."""
    assert write_embeddings(tmp_path / "out", read_model(tmp_path, "final"), IDS)
    table = pl.read_parquet(tmp_path / "out" / "item_embeddings.parquet")
    array = np.load(tmp_path / "out" / "item_embeddings.npy", allow_pickle=False)
    ids = json.loads((tmp_path / "out" / "item_ids.json").read_text(encoding="utf-8"))
    assert table["item_id"].to_list() == ids == [30, 10, 20]
    assert table["n_interactions"].to_list() == [5, 3, 2]
    np.testing.assert_array_equal(array, A[:3])
    np.testing.assert_array_equal(table["vector"].to_numpy(), array)
    assert array.dtype == np.float32


def test_model_is_logged_once(night, run_id, files):
    """Used again whole, made anew where a kill left it half logged, another for other factors."""
    client = connect(night.config)
    first = log_model(night, run_id, files, IDS)
    assert log_model(night, run_id, files, IDS) == first
    experiment = client.get_run(run_id).info.experiment_id
    (logged,) = client.search_logged_models([experiment])
    assert logged.tags["run_date"] == str(DAY)
    half = client.create_logged_model(
        experiment, name="recommender", source_run_id=run_id, tags=logged.tags
    )
    assert half.status == LoggedModelStatus.PENDING
    assert log_model(night, run_id, files, IDS) == first
    assert [each.model_uri for each in client.search_logged_models([experiment])] == [first]
    np.save(files["factors"], A[::-1])
    other = log_model(night, run_id, files, IDS)
    assert other != first
    check_answers(first)
    check_source(client, first)
    check_requirements(first)


def check_answers(uri):
    """Integer ids stay integers; a repeated or an unknown one changes nothing."""
    model = mlflow.pyfunc.load_model(uri)
    asked = pd.DataFrame({"item_ids": [[10], [10, 10, 99], [99], [10, 20, 30]]})
    once, again, unknown, everything = model.predict(asked, params={"n": 3})
    assert once["item_ids"] == [30, 20]
    assert once["scores"] == pytest.approx([0.8, 0.6])
    assert again == once
    assert unknown == everything == {"item_ids": [], "scores": []}
    with pytest.raises(MlflowException, match="n must be positive, got 0"):
        model.predict(asked, params={"n": 0})
    with pytest.raises(MlflowException, match="item_ids"):
        model.predict(pd.DataFrame({"item_ids": [["10"]]}))


def check_source(client, uri):
    """A version leads back to its logged model, though the registry forgets the id."""
    client.create_registered_model("hoarfrost")
    version = client.create_model_version("hoarfrost", uri)
    assert f"models:/{logged_model_id(version)}" == uri
    version._source = "file:///somewhere/else"
    assert logged_model_id(version) is None


def check_requirements(uri):
    """What the model needs is MLflow and numpy, as they were when it was logged."""
    path = mlflow.pyfunc.get_model_dependencies(uri)
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - MLflow returns a string
        assert file.read().split() == [f"mlflow=={mlflow.__version__}", f"numpy=={np.__version__}"]


def test_model_of_a_training_without_json_is_elsa(tmp_path, files):
    """A night that was killed before there were kinds, and goes on after."""
    (tmp_path / "item_ids.json").write_text(json.dumps(IDS.to_list()), encoding="utf-8")
    artifacts = {name: str(path) for name, path in files.items() if name != "model"}
    artifacts["item_ids"] = str(tmp_path / "item_ids.json")
    model = Recommender()
    model.load_context(SimpleNamespace(artifacts=artifacts))
    (answer,) = model.predict(None, pd.DataFrame({"item_ids": [[10]]}), {"n": 3})
    assert answer["item_ids"] == [30, 20]


def test_served_file_imports_nothing_of_ours():
    """Nor anything that MLflow does not bring along."""
    tree = ast.parse(Path(recommender_pyfunc.__file__).read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or alias.name for node in nodes for alias in node.names}
    tops = {name.partition(".")[0] for name in names}
    assert tops == {"collections", "json", "mlflow", "numpy", "pandas", "pathlib", "typing"}
