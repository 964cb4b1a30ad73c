"""Models of ratings on a fixed split: rmse and mae by the rules, chosen by held-out ratings."""

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ConfigError
from tasks.evaluating.evaluating import evaluate_files
from tasks.evaluating.fixed_split import read_train
from tasks.evaluating.tuned_model import tune_file
from tasks.training.fit_data import hold_out
from tests.fixed_split import model_file
from tests.rated import rated, write_ratings

BIAS = {"model": {"kind": "rating_bias", "item_l2": 2.0, "user_l2": 2.0}}
MEAN = {"model": {"kind": "rating_mean"}}


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """Two files with ratings; in the second an unknown item and an unknown user."""
    folder = tmp_path_factory.mktemp("rated")
    train, test = rated(4)
    paths = write_ratings(folder / "train.parquet", train), folder / "test.parquet"
    return *paths[:1], write_ratings(paths[1], [*test, (3, 999, 5.0, 1), (777, 0, 1.0, 1)])


def test_figures_are_those_computed_by_hand(split, tmp_path):
    """Of the mean: over all ratings of known users, an unknown item by the fallback."""
    got = evaluate_files(*split, model_file(**MEAN), tmp_path / "s.db")
    train, test = (pl.read_parquet(path) for path in split)
    mean = train["rating"].mean()
    error = test.filter(pl.col("user_id") != 777)["rating"].to_numpy() - mean
    assert got.metrics["rmse"].mean == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)
    assert got.metrics["mae"].mean == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert f"the {len(error)} test ratings" in got.rules["ratings"]
    assert "1 to 5" in got.rules["ratings"]
    assert f"gets {mean:.4g} (1 ratings)" in got.rules["ratings"]
    assert (got.n_users_left_out, got.n_targets_unknown) == (1, 1)


def test_biases_are_better_than_the_mean_and_list_by_predicted_rating(split, tmp_path):
    """By far more than the standard errors; ranking metrics stand beside them."""
    bias, mean = (
        evaluate_files(*split, model_file(**each), tmp_path / "s.db").metrics
        for each in (BIAS, MEAN)
    )
    gap = mean["rmse"].mean - bias["rmse"].mean
    assert gap > 3 * (mean["rmse"].standard_error + bias["rmse"].standard_error)
    assert {"ndcg@100", "recall@20", "coverage@20"} < set(bias)
    again = evaluate_files(*split, model_file(**BIAS), tmp_path / "s.db").metrics
    assert again == bias


def test_a_search_looks_at_held_out_ratings_of_train(split, tmp_path):
    """The least rmse is best, and the test file chooses nothing."""
    file = model_file(**BIAS, tune={"n_trials": 4})
    tuning = tune_file(split[0], file, tmp_path / "t.db", mlflow_uri=None, out=None)
    assert tuning.metric == "rmse"
    values = [trial.value for trial in tuning.trials if trial.value is not None]
    assert tuning.best_value == min(values) < 1.0
    got = evaluate_files(*split, file, tmp_path / "t.db")
    assert (got.validation_rmse, got.validation_ndcg) == (tuning.best_value, None)
    assert got.rules["choice"].startswith("rmse of ratings of ")
    others = write_ratings(tmp_path / "other.parquet", rated(9)[1])
    assert evaluate_files(split[0], others, file, tmp_path / "t.db").model == got.model


@pytest.mark.slow
def test_a_model_of_epochs_is_evaluated_and_searched(split, tmp_path):
    """The combined autoencoder, stopped by held-out ratings."""
    sizes = {"n_factors": 8, "n_hidden": 12, "n_head": 8, "n_epochs": 6, "learning_rate": 0.01}
    file = model_file(model={"kind": "combined_autoencoder"} | sizes, tune={"n_trials": 2})
    got = evaluate_files(*split, file, tmp_path / "s.db")
    assert 1 <= got.best_epoch <= 6
    mean = evaluate_files(*split, model_file(**MEAN), tmp_path / "m.db")
    assert got.metrics["rmse"].mean < mean.metrics["rmse"].mean
    assert got.metrics["ndcg@100"].mean > 0.0
    found = tune_file(split[0], file, tmp_path / "t.db", mlflow_uri=None, out=None)
    assert [trial.problem for trial in found.trials] == [None, None]
    assert found.trials[0].value == got.validation_rmse


def test_held_out_ratings_are_of_users_that_are_fitted(split):
    """Rows are those users' other ratings."""
    rows, file = read_train(split[0], "ratings"), model_file(**BIAS)
    data = hold_out(rows.X, file.model, file.training_config, fold_in_share=0.8, seed=1)
    shown, asked = data.validation
    assert data.X.nnz + asked.nnz == rows.X.nnz
    assert asked.nnz == int(0.3 * rows.X.nnz)
    assert np.diff(shown.indptr).all()
    assert not shown.multiply(asked).nnz


def test_a_file_without_ratings_is_refused_with_the_column(split, tmp_path):
    """Train or test; other kinds do not ask for it."""
    bare = tmp_path / "bare.parquet"
    pl.read_parquet(split[0]).select("user_id", "item_id").write_parquet(bare)
    for pair in ((bare, split[1]), (split[0], bare)):
        with pytest.raises(ConfigError, match=r"bare\.parquet must have a column rating") as told:
            evaluate_files(*pair, model_file(**BIAS), tmp_path / "s.db")
        assert told.value.exit_code == 2
    popular = model_file(model={"kind": "popularity"})
    assert "rmse" not in evaluate_files(bare, split[1], popular, tmp_path / "s.db").metrics
