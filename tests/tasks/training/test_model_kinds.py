"""Every kind of model in the steps of a night: fitted, kept, registered, ranked with, served."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError
from data_contracts.manifests import MatrixManifest
from data_contracts.model_config import model_kinds
from models.fitted_model import (
    explain_lists,
    likens_items,
    lowest_listed,
    rank_neighbours,
)
from models.network.autoencoder import Autoencoder
from models.network.svae import SVAE
from models.ranking.ranking import rank_users
from models.rating.rating_model import RatingModel
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.history.row_values import training_rows
from tasks.ingest.ingest import ingest
from tasks.judging import contender
from tasks.lake import Night
from tasks.registry.registry import fetch_model, register_model
from tasks.registry.tracking import connect, tracking_uri
from tasks.training.saved_model import read_model
from tasks.training.training import train_model
from tasks.vocabulary.vocabulary import items_of
from tests.e2e.test_serving import ABSENT
from tests.small_models import SMALL
from tests.tiny_night import tiny_shop

KINDS = tuple(kind for kind in model_kinds() if kind != "module")  # has a test of its own
FITTED_WITH = SMALL | {
    "sansa": {"density": 0.2}, "item_knn": {"n_neighbours": 10},
    "elsa_content": {"start": "xavier", "learning_rate": 0.05, "n_epochs": 3},
}  # fmt: skip


CLEAN = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not here", name=name)

uris, history, absent = json.loads(sys.argv[1])
sys.meta_path.insert(0, Absent())
import mlflow, pandas
asked = pandas.DataFrame({"item_ids": [history]})
answers = [mlflow.pyfunc.load_model(uri).predict(asked, params={"n": 5}) for uri in uris]
print(json.dumps({"answers": answers, "loaded": sorted(set(absent) & set(sys.modules))}))
"""


class Shop(NamedTuple):
    """A lake whose matrices are finished; every kind is trained on them."""

    night: Night
    matrices: MatrixManifest

    def of_kind(self, kind: str, **sections: dict[str, object]) -> Night:
        """The same night with another model."""
        settings = self.night.config.model_dump() | sections
        settings["model"] = {"kind": kind} | FITTED_WITH.get(kind, {}) | sections.get("model", {})
        return self.night.model_copy(update={"config": NightlyConfig.model_validate(settings)})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, migrated_mlflow: Path) -> Shop:
    """A small shop, up to its matrices."""
    lake = tmp_path_factory.mktemp("kinds")
    night, _ = tiny_shop(lake, rated=True)
    (lake / "mlflow").mkdir()
    (lake / "mlflow" / "mlflow.db").write_bytes(migrated_mlflow.read_bytes())
    return Shop(night, build_matrices(night, build_history(night, ingest(night))))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_kind_goes_through_the_registry(shop, kind):
    """What was fitted is what ranks, what explains, and what MLflow answers with."""
    check_registry(shop, shop.of_kind(kind), kind)


@pytest.mark.slow
def test_content_that_is_read_goes_through_the_registry(shop):
    """Items of the vocabulary that nobody had are read from histories, and not listed."""
    check_registry(shop, shop.of_kind("elsa_content", model={"mode": "encoder"}), "elsa_content")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["item", "user", "head"])
def test_every_way_of_the_combined_autoencoder_goes_through_the_registry(shop, way):
    """The mean is the default."""
    model = SMALL["combined_autoencoder"] | {"way": way}
    check_registry(shop, shop.of_kind("combined_autoencoder", model=model), "combined_autoencoder")


def check_registry(shop, night, kind):
    """Train, register, fetch, and ask all of them the same."""
    train = train_model(night, shop.matrices)
    config = night.config.model
    assert train.n_epochs <= getattr(config, "n_epochs", 0)
    assert (train.n_epochs > 0) == hasattr(config, "n_epochs")
    if config.consumes == "ratings":
        assert 0.0 < train.best_validation_rmse < 4.0
    else:
        assert 0.0 < train.best_validation_ndcg < 1.0
    check_files(night, kind)
    version = register_model(night, train, shop.matrices, connect(night.config))
    assert register_model(night, train, shop.matrices, connect(night.config)) == version
    registered = fetch_model(night.config, version)
    item_ids = items_of(night.lake, shop.matrices)
    final = contender.from_step(night, "final", len(item_ids))
    again = contender.from_registry(registered, item_ids, night.lake)
    assert registered.kind == kind
    X = sp.csr_array((training_rows(night, shop.matrices) > 0).astype(np.float32))[:40]
    if isinstance(final.model, RatingModel):  # MLflow takes a history as rated highest
        X = X * np.float32(final.model.scale.highest)
    lists, told = listed(final, X), listed(again, X)
    np.testing.assert_array_equal(lists[0], told[0])
    np.testing.assert_array_equal(lists[1], told[1])
    check_served(night, version, again, X, told, item_ids)
    check_parts(again, X, told[0])


def check_files(night, kind):
    """Arrays that no pickle is needed for, and JSON that says what they are."""
    files = sorted(path.name for path in night.step("train").iterdir())
    for fit in ("judged", "final"):
        assert f"{fit}.model.json" in files
        told = json.loads((night.step("train") / f"{fit}.model.json").read_text(encoding="utf-8"))
        assert told["kind"] == kind
        for name in told["arrays"]:
            np.load(night.step("train") / f"{fit}.{name}.npy", allow_pickle=False)
    everything = read_model(night.step("train"), "final")
    judged = read_model(night.step("train"), "judged")
    assert everything.counts.sum() > judged.counts.sum()  # it saw the held-out days


def listed(found, X):
    """Lists of what the model itself recommends, as the tables take them."""
    lowest = lowest_listed(found.model)
    blocks = rank_users(found.model, X, seen=X, eligible=found.listable, k=10, min_score=lowest)
    _, items, scores = zip(*blocks, strict=True)
    return np.concatenate(items), np.concatenate(scores)


def check_served(night, version, found, X, told, item_ids):
    """MLflow's answers are the same lists, and the same scores."""
    uri = f"models:/{night.config.mlflow.registered_model}/{version}"
    mlflow.set_tracking_uri(f"sqlite:///{night.lake / 'mlflow' / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(uri)
    usable = np.flatnonzero(found.usable(X))
    histories = [item_ids[X[[user]].indices].to_list() for user in usable]
    answers = model.predict(pd.DataFrame({"item_ids": histories}), params={"n": 10})
    assert len(usable) > 10
    for user, answer in zip(usable, answers, strict=True):
        items = told[0][user][told[0][user] >= 0]
        assert answer["item_ids"] == item_ids[items].to_list()
        if found.consumes != "ratings":  # else MLflow does not know the user's own
            scores = told[1][user][: len(items)].tolist()
            assert answer["scores"] == pytest.approx(scores, rel=1e-5)
    nothing = model.predict(pd.DataFrame({"item_ids": [["no-such-item"]]}))
    assert nothing == [{"item_ids": [], "scores": []}]


@pytest.mark.slow
def test_clean_process_serves_every_kind(shop):
    """All that the tests before have registered, with MLflow, pandas and numpy alone."""
    night = shop.of_kind("popularity")
    register_model(night, train_model(night, shop.matrices), shop.matrices, connect(night.config))
    name, address = night.config.mlflow.registered_model, tracking_uri(night.config)
    client = mlflow.MlflowClient(address, address)
    versions = sorted(int(each.version) for each in client.search_model_versions(f"name='{name}'"))
    uris = [f"models:/{name}/{version}" for version in versions]
    history = items_of(night.lake, shop.matrices).head(3).to_list()
    done = subprocess.run(
        [sys.executable, "-I", "-c", CLEAN, json.dumps([uris, history, ABSENT])],
        env=os.environ | {"MLFLOW_TRACKING_URI": address},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["loaded"] == []
    mlflow.set_tracking_uri(address)
    for uri, answer in zip(uris, told["answers"], strict=True):
        model = mlflow.pyfunc.load_model(uri)
        assert answer == model.predict(pd.DataFrame({"item_ids": [history]}), params={"n": 5})


def check_parts(found, X, items):
    """Reasons are items of the history; similar items are others that are known."""
    because, share = explain_lists(found.model, X, items)
    user, place = np.nonzero(because >= 0)
    reasoned = likens_items(found.model) and not isinstance(
        found.model, Autoencoder | SVAE | RatingModel
    )
    assert bool(len(user)) == reasoned
    assert (X.toarray()[user, because[user, place]] > 0).all()
    assert ((share[user, place] > 0) & (share[user, place] <= 1)).all()
    known, sources = found.known, np.flatnonzero(found.known)
    for rows, similar, _ in rank_neighbours(found.model, k=5, eligible=known, sources=sources):
        assert not (similar == sources[rows][:, None]).any()
        assert known[similar[similar >= 0]].all()


def test_dense_model_beyond_the_limit_is_refused_before_it_is_made(shop):
    """With what it takes, what there is, and what to do."""
    night = shop.of_kind("ease", training={"max_memory_gb": 1e-5})
    with pytest.raises(
        ConfigError, match=r"kind ease over \d+ items must fit into .* of training.max_memory_gb"
    ):
        train_model(night, shop.matrices)
    assert not list((night.state / "checkpoints").glob("*"))


def test_package_that_is_missing_is_named(shop, monkeypatch):
    """An extra, and how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "implicit.cpu.als", None)
    with pytest.raises(ConfigError, match=r"pip install hoarfrost\[baselines\]"):
        train_model(shop.of_kind("ials"), shop.matrices)
