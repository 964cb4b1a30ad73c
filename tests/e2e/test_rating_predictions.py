"""Whole nights that publish predicted ratings: table, view, report, people forgotten."""

import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.manifests import JudgeManifest
from data_contracts.rating_predictions import rating_predictions_schema
from tasks.answers.query import run_query
from tasks.forgetting.forgetting import forget_people
from tasks.lake import Night
from tasks.registry.registry import fetch_model
from tasks.report.report_text import markdown
from tasks.snapshot.snapshot import reading, verify_snapshot
from tasks.steps import read_manifest
from tasks.tables.table_file import check_table
from tests.e2e.test_kinds import LENIENT
from tests.tiny_night import run_night, tiny_shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
RATED = {"kind": "rating_bias", "item_l2": 2.0, "user_l2": 2.0}
GONE = "u-00003"


def night_of(sample: Night, lake: Path, model: dict, *, after: int = 0, **more: object) -> Night:
    """A night of a model, some days after the sample's run date."""
    settings = sample.config.model_dump() | {"lake": str(lake), "model": model} | more
    config = NightlyConfig.model_validate(settings)
    return Night(config=config, run_date=sample.run_date + timedelta(days=after))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, migrated_mlflow: Path) -> tuple[Night, object]:
    """The first night of a shop with ratings, with 40 users and all items asked."""
    lake = tmp_path_factory.mktemp("ratings")
    sample, _ = tiny_shop(lake, rated=True)
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    users = pl.DataFrame({"user_id": [*(f"u-{k:05d}" for k in range(40)), "nobody"]})
    items = pl.read_parquet(lake / "items" / "*.parquet").select("item_id")
    users.join(items, how="cross").write_parquet(lake / "pairs.parquet")
    night = night_of(sample, lake, RATED, rating_predictions={"pairs": "pairs.parquet"})
    return night, run_night(night)


def predicted(night: Night) -> pl.DataFrame:
    """The published table."""
    return pl.read_parquet(night.lake / "latest" / "rating_predictions" / "*.parquet")


def test_table_is_part_of_the_snapshot(made):
    """Under its contract, with a description of every column, a view and a line of the report."""
    night, report = made
    rows = predicted(night)
    asked = pl.read_parquet(night.lake / "pairs.parquet")
    check_table(rating_predictions_schema("string", "string"), rows)
    assert rows.height == asked.height == report.table_rows["rating_predictions"]
    assert f"| rating_predictions | {rows.height} |" in markdown(report)
    assert rows["rating"].is_between(1.0, 5.0).all()
    nobody = rows.filter(user_id="nobody")
    assert nobody["rating"].n_unique() == 1
    assert set(nobody["reason"]) <= {"cold_user", "unknown"}
    assert rows["reason"].null_count() > 0.5 * rows.height
    with reading(night.lake) as (folder, manifest):
        assert verify_snapshot(folder).rows["rating_predictions"] == rows.height
        schema = pq.read_schema(folder / "rating_predictions" / "part-000.parquet")
        assert rows["snapshot_id"].unique().to_list() == [manifest.snapshot_id]
    assert all(b"description" in schema.field(name).metadata for name in rows.columns)
    told = run_query(night, "SELECT count(*), avg(rating) FROM rating_predictions").rows[0]
    assert told == (rows.height, pytest.approx(rows["rating"].cast(pl.Float64).mean()))


def test_people_who_are_forgotten_are_in_no_table_again(made, tmp_path):
    """Not in this night's, nor in the next one's, whose file of pairs names them still."""
    night, _ = made
    lake = tmp_path / "lake"
    shutil.copytree(night.lake, lake, symlinks=True)
    config = night.config.model_copy(update={"lake": str(lake)})
    before = Night(config=config, run_date=night.run_date)
    n_before = predicted(before).filter(user_id=GONE).height
    assert n_before > 50
    done = forget_people(config, (GONE,), reason="asked")
    assert done.proof.found == ()
    assert "pairs.parquet" in done.proof.yours
    rows = predicted(before)
    assert rows.filter(user_id=GONE).height == 0
    later = Night(config=config, run_date=night.run_date + timedelta(days=1))
    run_night(later)
    again = predicted(later)
    assert again["run_date"].unique().to_list() == [later.run_date]
    assert again.filter(user_id=GONE).height == 0
    assert again.height == rows.height


def test_champion_of_weights_and_challenger_of_ratings_meet(made, tmp_path):
    """Both are judged on the same users; the lists come without the table of ratings."""
    night, _ = made
    lake = tmp_path / "lake"
    shutil.copytree(night.lake, lake, symlinks=True, ignore=shutil.ignore_patterns("snapshots"))
    pairs = {"rating_predictions": {"pairs": "pairs.parquet"}}
    ease = night_of(night, lake, {"kind": "ease"}, after=1, gate=LENIENT,
                    rating_predictions={"pairs": ""})  # fmt: skip
    report = run_night(ease)
    assert fetch_model(ease.config, report.champion_version).kind == "ease"
    assert "ndcg@100" in report.gain_over_champion
    held = night_of(night, lake, RATED, after=2, **pairs)
    report = run_night(held)
    assert fetch_model(held.config, report.champion_version).kind == "ease"
    assert report.table_rows["top_n"] > 0
    assert "rating_predictions" not in report.table_rows
    assert "left out" in report.lineage["rating_predictions"]
    assert not (lake / "latest" / "rating_predictions").exists()
    judged = read_manifest(held.step("judge"), JudgeManifest)
    assert judged.metrics["champion"]["ndcg@100"].n_users == judged.n_users > 50
    assert "ndcg@100" in judged.gain_over_champion
