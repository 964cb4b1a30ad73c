"""Two nights of the sample shop, end to end: tables, tastes, registry, ledger, quarantine."""

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest

from data_contracts.config import load_config
from data_contracts.manifests import IngestManifest, MatrixManifest
from data_contracts.report import NightReport
from data_contracts.sample import SampleLake
from flows.nightly import nightly
from models.elsa.elsa_residual import with_residual
from models.shop.shop import open_shop
from tasks.files import sha256_of
from tasks.history.history_shard import read_history
from tasks.history.matrix import finished_matrices
from tasks.history.row_values import all_rows
from tasks.lake import Night
from tasks.registry.ledger import read_ledger
from tasks.registry.registry import fetch_model
from tasks.registry.tracking import connect
from tasks.snapshot.snapshot import latest_snapshot, snapshots
from tasks.steps import content_digest, read_manifest
from tasks.training.training import finished_training
from tests.snapshot_bytes import snapshot_bytes

SHOP = {"seed": 3, "n_users": 900, "n_items": 300, "n_days": 12}


class Lake(NamedTuple):
    """A sample lake after two nights, the first of them run twice."""

    path: Path
    sample: SampleLake
    first: NightReport
    bytes_first: dict[str, str]
    state_first: dict[str, int]
    bytes_again: dict[str, str]
    state_again: dict[str, int]
    second: NightReport

    @property
    def client(self):
        """A client of the lake's MLflow."""
        return connect(load_config(self.path / "hoarfrost.toml"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory, prefect_api):
    """Run the night of the sample twice, then the next one."""
    from tasks.sample.sample_lake import write_sample_lake

    path = tmp_path_factory.mktemp("nights")
    sample = write_sample_lake(path, **SHOP)
    config = load_config(path / "hoarfrost.toml")
    warm = config.model.model_copy(update={"start": "warm", "alpha": 0.2, "beta": 0.1})
    gate = {"margin": 0.2, "min_users": 2}  # so few users are judged: let it promote
    gate = config.gate.model_copy(update=gate)
    config = config.model_copy(update={"model": warm, "gate": gate})
    first = nightly(config, sample.run_date)
    bytes_first, state_first = snapshot_bytes(path), _written(path)
    again = nightly(config, sample.run_date)
    assert again.snapshot == first.snapshot
    bytes_again, state_again = snapshot_bytes(path), _written(path)
    second = nightly(config, sample.run_date + timedelta(days=1))
    return Lake(path, sample, first, bytes_first, state_first, bytes_again, state_again, second)


def _written(path: Path) -> dict[str, int]:
    """When each file of the finished steps was written, but for those done every time."""
    files, anew = (path / "state" / "nights").rglob("*"), ("publish", "evidence")
    return {
        str(file): file.stat().st_mtime_ns
        for file in files
        if file.is_file() and file.parent.name not in anew and not file.name.startswith("report")
    }


def top_n(lake: Lake) -> pl.DataFrame:
    """The latest lists."""
    folder, _ = latest_snapshot(lake.path)
    return pl.read_parquet(folder / "top_n" / "**" / "*.parquet")


def test_second_run_does_nothing_again(lake):
    """Finished steps are used again and no byte of the tables changes."""
    assert lake.bytes_again == lake.bytes_first
    assert lake.state_again == lake.state_first


def test_next_night_trains_judges_and_publishes_anew(lake):
    """The second night meets the first one's champion and becomes the latest snapshot."""
    assert set(lake.second.metrics) == {"challenger", "champion", "popularity"}
    assert lake.second.snapshot != lake.first.snapshot
    assert lake.second.is_latest
    assert [each.run_date for each in snapshots(lake.path)] == [
        lake.sample.run_date,
        lake.sample.run_date + timedelta(days=1),
    ]
    assert lake.second.drift is not None
    assert 0.0 < lake.second.drift.surfaces["home"].overlap < 1.0


def test_recommendations_recover_the_planted_tastes(lake):
    """Lists hold items of their users' tastes far more often than the popular list would."""
    shop = open_shop(**SHOP)
    lists = top_n(lake).filter(pl.col("source") == "model")
    lists = lists.filter(pl.col("rank") <= 5)  # a taste of so small a shop has 15 items
    night = lake.path / "state" / "nights" / f"run_date={lake.second.run_date}"
    history = read_history(night / "history")
    popular = _number(history["item_id"].value_counts(sort=True)["item_id"].head(5))
    recovered = shop.taste_of_user[
        _number(lists["user_id"]), shop.taste_of_item[_number(lists["item_id"])]
    ].mean()
    by_popularity = shop.taste_of_user[:, shop.taste_of_item[popular]].mean()
    assert recovered > 0.5
    assert recovered > 3 * by_popularity


def _number(ids: pl.Series) -> np.ndarray:
    """The index of users and items that the shop numbers in their ids."""
    return ids.str.extract(r"(\d+)$").cast(pl.Int64).to_numpy()


def test_champion_beats_popularity(lake):
    """The interval of the gain lies above zero."""
    assert lake.first.gain_over_popularity["ndcg@100"].low > 0
    assert lake.second.gain_over_popularity["ndcg@100"].low > 0


def test_second_night_starts_from_the_champion(lake):
    """The first one has none to start from."""
    started = [
        finished_training(night_of(lake, report)).start_version
        for report in (lake.first, lake.second)
    ]
    assert started == [None, lake.first.champion_version]


def test_champion_has_the_ridge_weight_that_held_out_users_chose(lake):
    """It was fitted on all rows, where nobody is left to choose by."""
    night = night_of(lake, lake.first)
    run = lake.client.get_run(finished_training(night).mlflow_run_id)
    l2 = float(run.data.params["chosen_l2"])
    assert run.data.params["l2"] == "None"
    rows = all_rows(night, finished_matrices(night))
    champion = fetch_model(load_config(lake.path / "hoarfrost.toml"), lake.first.champion_version)
    model = champion.saved.model
    again = with_residual(model, rows, n_neighbours=night.config.model.n_neighbours, l2=[l2])
    np.testing.assert_array_equal(again.W.toarray(), model.W.toarray())


def night_of(lake: Lake, report: NightReport) -> Night:
    """Return where a night's state lies."""
    config = load_config(lake.path / "hoarfrost.toml")
    return Night(config=config, run_date=report.run_date)


def test_users_without_usable_history_get_the_popular_list(lake):
    """They have searched only: no reason is given, and the list is not empty."""
    lists = top_n(lake)
    popular = lists.filter(pl.col("source") == "popular")
    assert popular.height > 0
    assert popular["because_item_id"].null_count() == popular.height
    assert lists.filter(pl.col("source") == "model")["because_item_id"].null_count() == 0


def test_reasons_are_exact(lake):
    """The named item adds the stated share of the positive part of the score."""
    champion = fetch_model(load_config(lake.path / "hoarfrost.toml"), lake.second.champion_version)
    index = {item_id: n for n, item_id in enumerate(champion.item_ids)}
    W = champion.saved.model.W.toarray()
    assert W.any()
    night = lake.path / "state" / "nights" / f"run_date={lake.second.run_date}"
    history = read_history(night / "history").filter(pl.col("weight") > 0)
    lists = top_n(lake).filter(pl.col("source") == "model").sample(50, seed=0)
    for row in lists.iter_rows(named=True):
        seen = history.filter(pl.col("user_id") == row["user_id"])
        seen = seen.filter(pl.col("item_id").is_in(champion.item_ids))
        A = champion.saved.arrays["factors"]
        a = A[[index[item_id] for item_id in seen["item_id"]]]
        alpha, beta = champion.saved.arrays["tempering"]
        counts = champion.counts[[index[item_id] for item_id in seen["item_id"]]]
        terms = seen["weight"].to_numpy() / counts**alpha * (a @ A[index[row["item_id"]]])
        terms *= champion.counts[index[row["item_id"]]] ** beta
        beside = W[[index[item_id] for item_id in seen["item_id"]], index[row["item_id"]]]
        terms += seen["weight"].to_numpy() * beside
        best = seen["item_id"][int(terms.argmax())]
        assert row["because_item_id"] == best
        assert row["because_share"] == pytest.approx(terms.max() / terms[terms > 0].sum(), rel=1e-3)
        assert row["score"] == pytest.approx(terms.sum(), rel=1e-3)


def test_registry_and_ledger_agree(lake):
    """The aliases show what the ledger says, and the tables name the champion."""
    newest = read_ledger(lake.path)[-1]
    for alias, version in (
        ("champion", newest.champion),
        ("challenger", newest.challenger),
        ("previous", newest.previous),
    ):
        assert str(lake.client.get_model_version_by_alias("hoarfrost", alias).version) == version
    assert top_n(lake)["model_version"].unique().to_list() == [newest.champion]


def test_registered_model_answers_with_numpy_only(lake):
    """The pyfunc recommends for a list of ids, without them; unknown ones do not count."""
    connect(load_config(lake.path / "hoarfrost.toml"))
    model = mlflow.pyfunc.load_model("models:/hoarfrost@champion")
    history = top_n(lake)["item_id"].unique().sort().head(3).to_list()
    asked = pd.DataFrame({"item_ids": [history, ["no-such-item"], [*history, "no-such-item"]]})
    known, unknown, mixed = model.predict(asked, params={"n": 7})
    assert len(known["item_ids"]) == 7
    assert not set(known["item_ids"]) & set(history)
    assert known["scores"] == sorted(known["scores"], reverse=True)
    assert unknown == {"item_ids": [], "scores": []}
    assert mixed == known


def test_run_holds_metrics_lineage_and_embeddings(lake):
    """One run per night, with figures per epoch, the digests of its data, npy and Parquet."""
    night = Night(config=load_config(lake.path / "hoarfrost.toml"), run_date=lake.first.run_date)
    version = lake.client.get_model_version("hoarfrost", lake.first.champion_version)
    run = lake.client.get_run(version.run_id)
    assert run.data.metrics["challenger_ndcg_at_100"] > run.data.metrics["popularity_ndcg_at_100"]
    assert len(lake.client.get_metric_history(run.info.run_id, "judged_nmse")) > 1
    matrices = read_manifest(night.step("matrices"), MatrixManifest)
    assert {
        (each.dataset.name, each.dataset.digest, each.tags[0].value)
        for each in run.inputs.dataset_inputs
        if each.dataset.name.startswith("matrices")
    } == {(f"matrices-{night.run_date}", content_digest(matrices)[:36], "training")}
    local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="embeddings")
    vectors = pl.read_parquet(Path(local) / "item_embeddings.parquet")
    counts = fetch_model(night.config, lake.first.champion_version).counts
    assert vectors.height == np.count_nonzero(counts)
    array = np.load(Path(local) / "item_embeddings.npy", allow_pickle=False)
    np.testing.assert_array_equal(array, vectors["vector"].to_numpy())


def test_run_of_a_night_done_twice_holds_everything_once(lake):
    """Judged figures are linked to the model and to what they were measured on."""
    version = lake.client.get_model_version("hoarfrost", lake.first.challenger_version)
    run = lake.client.get_run(version.run_id)
    names = sorted(each.dataset.name for each in run.inputs.dataset_inputs)
    day = lake.first.run_date
    assert names == [f"holdout-{day}", f"interactions-{day}", f"matrices-{day}"]
    for name in run.data.metrics:
        steps = [point.step for point in lake.client.get_metric_history(run.info.run_id, name)]
        assert len(steps) == len(set(steps)), name
    (model,) = lake.client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
    )
    linked = {metric.key: metric for metric in model.metrics}
    assert len(linked) == len(model.metrics)
    judged = lake.first.metrics["challenger"]
    assert linked["ndcg_at_100"].value == pytest.approx(judged["ndcg@100"].mean)
    assert {metric.dataset_name for metric in model.metrics} == {f"holdout-{day}"}


def test_run_and_version_name_date_and_snapshot(lake):
    """Each night's run its own snapshot, the champion the last one that was made from it."""
    for report in (lake.first, lake.second):
        challenger = lake.client.get_model_version("hoarfrost", report.challenger_version)
        run = lake.client.get_run(challenger.run_id)
        assert run.data.tags["snapshot"] == Path(report.snapshot).name
        assert run.data.tags["run_date"] == challenger.tags["run_date"] == str(report.run_date)
    champion = lake.client.get_model_version("hoarfrost", lake.second.champion_version)
    assert champion.tags["snapshot"] == Path(lake.second.snapshot).name


def test_evidence_is_in_the_lake_and_on_the_run(lake):
    """The same tables and figures, and MLflow reads the tables as its own."""
    version = lake.client.get_model_version("hoarfrost", lake.second.challenger_version)
    run = lake.client.get_run(version.run_id)
    listed = {each.path for each in lake.client.list_artifacts(run.info.run_id, "evidence")}
    folder = lake.path / "state" / "nights" / f"run_date={lake.second.run_date}" / "evidence"
    assert listed == {f"evidence/{path.name}" for path in folder.iterdir()}
    drawn = {"segments", "exposure", "learning_curve", "list_drift"}
    assert {path.stem for path in folder.glob("*.svg")} == drawn
    assert {path.stem for path in folder.glob("*.json")} == drawn | {"metrics", "gains"}
    experiment, run_ids = run.info.experiment_id, [run.info.run_id]
    metrics = lake.client.load_table(experiment, "evidence/metrics.json", run_ids)
    assert set(metrics["model"]) == {"challenger", "champion", "popularity"}
    curve = lake.client.load_table(experiment, "evidence/learning_curve.json", run_ids)
    history = lake.client.get_metric_history(run.info.run_id, "judged_nmse")
    assert len(curve[curve["metric"] == "nmse"]) >= len(history) > 1


def test_every_file_of_a_snapshot_has_its_digest(lake):
    """The manifest names rows, bytes and sha256 of every table file, and the log files behind."""
    folder, manifest = latest_snapshot(lake.path)
    assert {entry.path for entry in manifest.files} == {
        str(path.relative_to(folder)) for path in folder.rglob("*.parquet")
    }
    for entry in manifest.files:
        path = folder / entry.path
        assert (sha256_of(path), path.stat().st_size) == (entry.sha256, entry.bytes)
        assert pl.scan_parquet(path).select(pl.len()).collect().item() == entry.rows
    ingest = read_manifest(
        lake.path / "state" / "nights" / f"run_date={manifest.run_date}" / "ingest", IngestManifest
    )
    assert manifest.inputs == {file.path: file.sha256 for file in ingest.log_files}
