"""Models compared by errors of ratings: the least first, paired, beside the mean and biases."""

from datetime import date

import polars as pl
import pytest

from data_contracts.errors import ConfigError
from tasks.compare.compare import TEXT, compare_models, finished
from tasks.compare.compare_entry import ALWAYS, OF_RATINGS, Entry, entries
from tasks.compare.compare_text import verdict
from tasks.evaluating.evaluating import evaluate_files
from tasks.evaluating.fixed_split import consumable
from tests.fixed_split import model_file
from tests.rated import rated, write_ratings

pytestmark = pytest.mark.slow
BIAS = {"kind": "rating_bias", "item_l2": 2.0, "user_l2": 2.0}
SHRUNKEN = Entry("shrunken", model_file(model=BIAS | {"item_l2": 1e6, "user_l2": 1e6}))
MODELS = (Entry("rating_mean", model_file(model={"kind": "rating_mean"})), SHRUNKEN,
          Entry("bias", model_file(model=BIAS)))  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A split with ratings, and a comparison on it."""
    folder = tmp_path_factory.mktemp("ratings")
    for name, rows in zip(("train", "test"), rated(6), strict=True):
        write_ratings(folder / f"{name}.parquet", rows)
    return folder, compared(folder, MODELS)


def compared(folder, models, **settings):
    """Compare on the split of a folder."""
    given = {
        "metric": "rmse", "baseline": None, "timeout": None, "about": "ratings",
        "command": "hoarfrost compare", "today": date(2026, 11, 21), "out": folder / "out",
    }  # fmt: skip
    paths = (folder / "train.parquet", folder / "test.parquet")
    return compare_models(*paths, models, **given | settings)


def test_the_least_error_comes_first_and_figures_are_those_of_evaluate(made):
    """With differences that are paired: near twins are told apart, or not, by these."""
    folder, comparison = made
    assert comparison.models[0].name == comparison.reference == "bias"
    paths = folder / "train.parquet", folder / "test.parquet"
    alone = evaluate_files(*paths, MODELS[2].file, folder / "s.db").metrics
    for name, figure in alone.items():
        assert comparison.models[0].metrics[name].mean == pytest.approx(figure.mean)
    best, *others = comparison.models
    assert {model.name for model in others} == {"rating_mean", "shrunken"}
    for model in others:
        gap = model.differences["rmse"]
        assert gap.mean == pytest.approx(model.metrics["rmse"].mean - best.metrics["rmse"].mean)
        assert 0 < gap.low < gap.mean < gap.high
        assert gap.p_value < 0.001
        assert verdict(gap, "rmse") == "worse"
        assert verdict(gap.model_copy(update={"mean": -0.1}), "mae") == "better"
    assert best.metrics["rmse"].low < best.metrics["rmse"].mean < best.metrics["rmse"].high


def test_page_and_rules_say_what_errors_are_over(made):
    """Errors first, then the figures of lists; ratings of everybody who is judged."""
    folder, comparison = made
    text = (folder / "out" / TEXT).read_text(encoding="utf-8")
    assert "| model | rmse | minus bias | p | mae | ndcg@100 |" in text
    assert "over all test ratings of judged users" in comparison.rules["ratings"]
    assert finished(comparison) == ["bias", "shrunken"]


def test_lists_of_models_of_ratings_are_compared_with_others(made):
    """By nDCG, where only some have errors of ratings."""
    folder, _ = made
    popular = Entry("popularity", model_file(model={"kind": "popularity"}))
    comparison = compared(
        folder, (popular, MODELS[2]), metric="ndcg@100", out=folder / "lists", baseline="popularity"
    )
    by_name = {model.name: model for model in comparison.models}
    assert "ndcg@100" in by_name["bias"].differences
    assert "rmse" in by_name["bias"].metrics
    assert "rmse" not in by_name["popularity"].metrics
    assert "rmse" not in by_name["bias"].differences


def test_a_model_that_is_learnt_is_compared(made):
    """Two autoencoders together, beside the mean: they learn more than it, also in lists."""
    folder, _ = made
    sizes = {"n_factors": 8, "n_hidden": 12, "n_head": 8, "n_epochs": 12, "learning_rate": 0.01}
    both = Entry("both", model_file(model={"kind": "combined_autoencoder"} | sizes))
    comparison = compared(folder, (MODELS[0], both), out=folder / "learnt")
    by_name = {model.name: model for model in comparison.models}
    assert by_name["both"].metrics["rmse"].mean < by_name["rating_mean"].metrics["rmse"].mean
    assert 0.0 < by_name["both"].metrics["ndcg@100"].mean < 1.0


def test_kinds_are_those_that_predict_ratings(made):
    """All of them, and the floor; another one is refused; a file may lack what a kind needs."""
    folder, _ = made
    how = {"trials": None, "timeout": None}
    named = entries([], ["all"], metric="rmse", **how)
    assert {"rating_mean", "rating_bias", "combined_autoencoder"} <= {each.name for each in named}
    assert all(each.file.model.consumes == "ratings" for each in named)
    alone = entries([], ["rating_mean"], metric="mae", **how)
    assert [each.name for each in alone] == list(OF_RATINGS)
    with pytest.raises(ConfigError, match=r"kinds that predict them .* got ease of kind ease"):
        entries([], ["ease"], metric="rmse", **how)
    bare = folder / "bare.parquet"
    pl.read_parquet(folder / "train.parquet").select("user_id", "item_id").write_parquet(bare)
    assert consumable(bare) == {"weights"}
    assert consumable(folder / "train.parquet") == {"weights", "ratings", "order"}
    some = {each.name for each in entries([], ["all"], readable=consumable(bare), **how)}
    assert "rating_bias" not in some
    assert {*ALWAYS, "ease"} <= some
