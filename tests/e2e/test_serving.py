"""The logged model outside of us: served by MLflow's own command, and loaded without our stack."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import numpy as np
import pytest
import scipy.sparse as sp

from flows.local_process import LOOPBACK, free_port, running, wait_until_up
from models.ranking.ranking import rank_users
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.judging.contender import from_saved
from tasks.judging.judging import judge_model
from tasks.registry.promotion import promote_model
from tasks.registry.registry import RegisteredModel, fetch_model
from tasks.registry.tracking import tracking_uri
from tasks.training.training import train_model
from tests.tiny_night import tiny_shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ABSENT = (  # MLflow itself loads pandas and pydantic, and needs FastAPI and SQLAlchemy
    "torch", "scipy", "sklearn", "numba", "polars", "pyarrow", "pandera", "duckdb", "optuna",
    "prefect", "ray", "matplotlib", "pyspark", "flows", "tasks", "models", "data_contracts",
)  # fmt: skip
CLEAN = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not here", name=name)

uri, history, n, absent = json.loads(sys.argv[1])
sys.meta_path.insert(0, Absent())
import mlflow, pandas
model = mlflow.pyfunc.load_model(uri)
answer = model.predict(pandas.DataFrame({"item_ids": [history]}), params={"n": n})
print(json.dumps({"answer": answer, "loaded": sorted(set(absent) & set(sys.modules))}))
"""


class Shop(NamedTuple):
    """A model that a night has registered, and a history to ask it about."""

    registered: RegisteredModel
    history: list[str]
    environment: dict[str, str]

    def best(self, n: int) -> list[str]:
        """Return the list that the night itself would make, by the ranking of all models."""
        model = self.registered
        contender = from_saved(model.saved, n_items=len(model.item_ids))
        row = np.zeros((1, len(model.item_ids)), dtype=np.float32)
        row[0, [model.item_ids.index(item) for item in self.history]] = 1
        X = sp.csr_array(row)
        ((_, items, _),) = rank_users(contender.model, X, seen=X, eligible=contender.known, k=n)
        return [str(model.item_ids[item]) for item in items[0]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, migrated_mlflow: Path) -> Shop:
    """One night, up to its promotion."""
    lake = tmp_path_factory.mktemp("served")
    night, _ = tiny_shop(lake)
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    matrices = build_matrices(night, build_history(night, ingest(night)))
    train = train_model(night, matrices)
    promoted = promote_model(night, train, judge_model(night, matrices, train), matrices)
    registered = fetch_model(night.config, promoted.champion_version)
    known = np.flatnonzero(registered.counts > 0)[:3]
    history = [str(registered.item_ids[item]) for item in known]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls uvicorn
    environment = {"MLFLOW_TRACKING_URI": tracking_uri(night.config), "PATH": path}
    return Shop(registered, history, os.environ | environment)


@pytest.fixture(scope="module")
def address(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the registered model answers, served by the command that MLflow documents."""
    port = free_port()
    arguments = (
        "models", "serve", "--model-uri", "models:/hoarfrost@champion", "--env-manager", "local",
        "--host", LOOPBACK, "--port", str(port),
    )  # fmt: skip
    log = tmp_path_factory.mktemp("served") / "mlflow.log"
    with running("mlflow", arguments, log=log, environment=shop.environment) as server:
        url = f"http://{LOOPBACK}:{port}"
        wait_until_up(f"{url}/ping", server)
        yield url


def ask(address: str, *histories: list[str], **params: object) -> list[dict[str, Any]]:
    """Post histories to the served model; return its answers."""
    asked: dict[str, Any] = {
        "dataframe_split": {"columns": ["item_ids"], "data": [[each] for each in histories]}
    }
    body = json.dumps(asked | ({"params": params} if params else {})).encode()
    request = urllib.request.Request(
        f"{address}/invocations", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["predictions"]


def test_served_model_recommends_what_the_night_would(shop, address):
    """Best first, as many as asked for, twenty where nothing is said."""
    (twenty,), (five,) = ask(address, shop.history), ask(address, shop.history, n=5)
    assert twenty["item_ids"] == shop.best(20)
    assert five["item_ids"] == shop.best(5)
    assert len(twenty["item_ids"]) == 20
    assert twenty["scores"] == sorted(twenty["scores"], reverse=True)
    assert twenty["scores"][:5] == five["scores"]


def test_unknown_items_are_passed_over(shop, address):
    """Beside known ones they change nothing; alone they get an empty list, not an error."""
    nothing, mixed, none = ask(address, ["no-such-item"], [*shop.history, "no-such-item"], [], n=4)
    assert nothing == none == {"item_ids": [], "scores": []}
    assert mixed["item_ids"] == shop.best(4)


@pytest.mark.parametrize(
    ("histories", "n", "told"),
    [([["a"]], 0, "n must be positive, got 0"), ([[1, 2]], 3, "item_ids")],
)
def test_wrong_question_is_told_from_a_failure(address, histories, n, told):
    """What was asked wrongly gets 400 and says what is wrong."""
    with pytest.raises(HTTPError, match="400") as refused:
        ask(address, *histories, n=n)
    assert told in refused.value.read().decode()


def ask_cleanly(shop: Shop, program: str = CLEAN) -> subprocess.CompletedProcess[str]:
    """Ask for twenty items in a process that has none of what is absent."""
    question = json.dumps(["models:/hoarfrost@champion", shop.history, 20, ABSENT])
    return subprocess.run(
        [sys.executable, "-I", "-c", program, question],
        env=shop.environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_clean_process_gives_the_same_list(shop, address):
    """With MLflow, pandas and numpy alone: no torch, none of our packages."""
    done = ask_cleanly(shop)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["loaded"] == []
    assert told["answer"] == ask(address, shop.history)


@pytest.mark.parametrize("name", ["torch", "tasks"])
def test_clean_process_is_clean(shop, name):
    """What the test calls absent cannot be imported there."""
    done = ask_cleanly(shop, CLEAN.replace("import mlflow", f"import {name}, mlflow"))
    assert done.returncode == 1
    assert f"{name} is not here" in done.stderr
