"""A whole night with every kind of model, and nights whose champion is of another kind."""

import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.item_embeddings import item_embeddings_schema
from data_contracts.model_config import model_kinds
from tasks.answers.query import run_query
from tasks.lake import Night
from tasks.registry.registry import fetch_model
from tasks.tables.table_file import check_table
from tests.small_models import SMALL
from tests.tiny_night import run_night, tiny_shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
AUTOENCODERS = {"rating_autoencoder", "combined_autoencoder"}
LEARNT_RATINGS = {"biased_mf", "autorec", "deeprec"} | AUTOENCODERS
NONLINEAR = {"multvae", "multdae", "cdae", "svae"} | LEARNT_RATINGS
WITH_VECTORS = {"elsa", "compressed_elsa", "elsa_content", "ials", "bpr", "simple_cf"} | NONLINEAR
WITHOUT_TASTE = {"popularity", "random", "rating_mean", "rating_bias"}
LENIENT = {
    "margin": 9.0, "min_users": 2, "max_coverage_loss": 1.0, "max_popularity_rise": 99.0,
    "max_fallback_rise": 1.0, "unjudged": "promote",
}  # fmt: skip


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, migrated_mlflow: Path) -> Night:
    """A small shop with an empty MLflow."""
    lake = tmp_path_factory.mktemp("sample")
    night, _ = tiny_shop(lake, rated=True)
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    return night


def night_of(sample: Night, lake: Path, kind: str, *, after: int = 0, **sections: object) -> Night:
    """A night of one kind, some days after the sample's run date."""
    if not lake.exists():
        shutil.copytree(sample.lake, lake)
    model = {"kind": kind} | SMALL.get(kind, {})
    settings = sample.config.model_dump() | {"lake": str(lake), "model": model} | sections
    config = NightlyConfig.model_validate(settings)
    return Night(config=config, run_date=sample.run_date + timedelta(days=after))


def table(night: Night, name: str) -> pl.DataFrame:
    """A published table."""
    return pl.read_parquet(night.lake / "latest" / name / "**" / "*.parquet")


@pytest.mark.parametrize("kind", [kind for kind in model_kinds() if kind != "module"])
def test_whole_night(sample, tmp_path, kind):
    """Lists with reasons, similar items, and vectors where the model has them."""
    night = night_of(sample, tmp_path / "lake", kind)
    report = run_night(night)
    assert report.verdict == "cannot judge"  # too few users, and a first model is published
    assert report.lineage["kind of model"] == kind
    told = report.settings.get("popular list", "")
    assert ("the popular list's" in told) or kind not in WITHOUT_TASTE
    lists = table(night, "top_n")
    by_model = lists.filter(pl.col("source") == "model")
    assert by_model.height > 0.7 * lists.height
    explained = by_model["because_item_id"].is_not_null().mean()
    without_reasons = kind in WITHOUT_TASTE | NONLINEAR
    assert explained == 0.0 if without_reasons else explained > 0.8
    check_similar(table(night, "similar_items"), kind)
    check_embeddings(night, kind)


def check_similar(similar: pl.DataFrame, kind: str) -> None:
    """By the model, or by the catalogue where it likens nothing."""
    sources = set(similar["source"])
    assert similar.height > 500
    assert ("model" in sources) == (kind not in WITHOUT_TASTE)
    assert "content" in sources


def check_embeddings(night: Night, kind: str) -> None:
    """The table is always there and keeps its contract; without vectors it is empty."""
    embeddings = table(night, "item_embeddings")
    assert (embeddings.height > 0) == (kind in WITH_VECTORS)
    told = run_query(night, "SELECT count(*) AS n FROM item_embeddings")
    assert told.rows[0][0] == embeddings.height
    width = embeddings.schema["vector"].size
    check_table(item_embeddings_schema("string", width), embeddings)


def test_champion_of_another_kind_is_judged_and_followed(sample, tmp_path):
    """ELSA, SANSA, and ELSA that would start warm: each meets the one before and follows it."""
    model = {"kind": "elsa", "start": "warm"} | SMALL["elsa"]
    plan = (("elsa", {}), ("sansa", {}), ("elsa", {"model": model}))
    for place, (kind, sections) in enumerate(plan):
        night = night_of(sample, tmp_path / "lake", kind, after=place, gate=LENIENT, **sections)
        report = run_night(night)
        assert report.verdict == "promote", report.reason
        assert fetch_model(night.config, report.champion_version).kind == kind
        assert ("ndcg@100" in report.gain_over_champion) == (place > 0)
    assert table(night, "top_n")["model_version"].unique().to_list() == [report.champion_version]


def test_items_that_nobody_has_met_are_listed_by_their_content(sample, tmp_path):
    """Those of the catalogue, and one that came after the champion, beside what is like it."""
    first = night_of(sample, tmp_path / "lake", "elsa_content")
    items = pl.read_parquet(first.lake / "items" / "*.parquet")
    run_night(first)
    met = set(table(first, "item_embeddings")["item_id"])
    check_unmet(first, set(items["item_id"]) - met)
    lists = table(first, "top_n").filter(pl.col("source") == "model")
    shown = lists["item_id"].value_counts(sort=True)["item_id"][0]
    twin = items.filter(pl.col("item_id") == shown).with_columns(item_id=pl.lit("sku-new"))
    twin.write_parquet(first.lake / "items" / "new.parquet")
    later = night_of(sample, tmp_path / "lake", "elsa_content", after=1)
    report = run_night(later)
    assert report.verdict == "cannot judge"
    assert table(later, "top_n")["model_version"].unique().to_list() == ["1"]  # it was held
    check_unmet(later, {"sku-new"})
    nearest = table(later, "similar_items").filter(item_id="sku-new", rank=1)
    assert nearest["similar_item_id"].to_list() == [shown]
    assert "sku-new" not in set(table(later, "item_embeddings")["item_id"])


def check_unmet(night: Night, unmet: set[str]) -> None:
    """They stand in lists with reasons, have similar items, and both say source = content."""
    rows = table(night, "top_n").filter(pl.col("item_id").is_in(unmet))
    by_model = rows.filter(pl.col("because_item_id").is_not_null())
    assert by_model.height > 5
    assert set(rows["source"]) <= {"content", "newest"}
    assert set(by_model["source"]) == {"content"}
    similar = table(night, "similar_items").filter(pl.col("item_id").is_in(unmet))
    assert set(similar["source"]) == {"content"}
    assert not (set(by_model["item_id"]) - set(similar["item_id"]))
