"""Evaluation on a fixed split: figures by hand, and what may change them."""

import math
import random

import pytest

from data_contracts.errors import TooLittleDataError
from data_contracts.evaluation import Evaluation
from data_contracts.model_config import model_kinds
from tasks.evaluating import evaluating
from tasks.evaluating.evaluating import evaluate_files
from tasks.evaluating.fixed_split import read_train
from tasks.training.epoch_fit import L2_TRIED
from tasks.training.fit_data import FitData
from tasks.training.fitting import fit_model
from tests.fixed_split import model_file, tastes, write_pairs


def by_hand() -> tuple[list, list]:
    """A split whose figures follow from what can be listed, whatever the model scores.

    User 1 has items 0 to 24 of 50 and is asked the other 25 and 15 unknown ones, so that every
    place of the list hits. User 2 has all but item 0 and is asked one had and one unknown.
    """
    train = [(1, item) for item in range(25)] + [(2, item) for item in range(1, 50)]
    train += [(0, item) for item in range(50)] + [(1, 0), (1, 0)]
    test = [(1, item) for item in range(25, 65)] + [(2, 5), (2, 999), (4, 3), (5, 3), (5, 3)]
    return train, test


def judge(folder, train, test, file=None, name="s") -> Evaluation:
    """Write the files and evaluate."""
    paths = (write_pairs(folder / f"{kind}.parquet", rows) for kind, rows in
             (("train", train), ("test", test)))  # fmt: skip
    return evaluate_files(*paths, file or model_file(), folder / f"{name}.db")


def test_golden_figures(tmp_path):
    """Every metric, both conventions of recall, and every count."""
    got = judge(tmp_path, *by_hand())
    discounts = [1 / math.log2(place + 1) for place in range(1, 41)]
    first_user = {
        "recall@20": 20 / 20,
        "recall@50": 25 / 40,
        "plain_recall@20": 20 / 40,
        "plain_recall@50": 25 / 40,
        "ndcg@20": 1.0,
        "ndcg@100": sum(discounts[:25]) / sum(discounts),
    }
    for name, value in first_user.items():  # the second user has 0: the error is the mean
        figure = got.metrics[name]
        assert (figure.mean, figure.standard_error) == pytest.approx((value / 2, value / 2)), name
    coverage = got.metrics["coverage@20"]  # 20 items of one list, item 0 of the other
    assert (coverage.mean, coverage.standard_error) == pytest.approx((21 / 50, 0.19))
    assert set(got.metrics) == {*first_user, "coverage@20"}
    assert (got.n_users, got.n_users_left_out, got.n_train_users, got.n_items) == (2, 2, 3, 50)
    assert (got.n_targets, got.n_targets_unknown, got.n_targets_seen) == (42, 16, 1)
    assert (got.n_train_pairs, got.n_duplicates_train, got.n_duplicates_test) == (124, 2, 1)
    assert (got.best_epoch, got.validation_ndcg, got.validation_users) == (4, None, 0)
    assert (got.device, got.seed) == ("cpu", 42)


def test_ids_and_order_of_rows_change_nothing(tmp_path):
    """Numbers, the same as text, and shuffled rows: the very same model and figures."""
    train, test = tastes(1)
    first = judge(tmp_path, train, test)
    text = [[(str(user), str(item)) for user, item in rows] for rows in (train, test)]
    shuffled = [random.Random(7).sample(rows, len(rows)) for rows in (train, test)]
    for rows in (text, shuffled):
        again = judge(tmp_path, *rows)
        assert again.model_digest == first.model_digest
        assert again.metrics == first.metrics
    assert first.metrics["ndcg@20"].mean > 0.2  # of 60 items: it did learn
    other = judge(tmp_path, train[:-9], test)
    assert other.model_digest != first.model_digest


@pytest.mark.parametrize("n_trials", [0, 3])
def test_test_file_chooses_nothing(tmp_path, n_trials):
    """Another test file: the same parameters, epochs and factors; other figures."""
    train, test = tastes(2)
    file = model_file(tune={"n_trials": n_trials})
    first = judge(tmp_path, train, test, file, "first")
    rest = {(user, (item + 1) % 60) for user, item in test} - set(train)
    other = judge(tmp_path, train, sorted(rest), file, "other")
    chosen = ("model", "searched", "n_trials", "best_epoch", "validation_ndcg", "model_digest")
    assert [getattr(first, name) for name in chosen] == [getattr(other, name) for name in chosen]
    assert first.metrics != other.metrics
    assert first.validation_users == 45
    assert bool(first.searched) == (n_trials > 0)
    assert {name: first.model[name] for name in first.searched} == first.searched


def test_search_is_used_again(tmp_path):
    """A second evaluation finds the trials done."""
    train, test = tastes(2)
    file = model_file(tune={"n_trials": 2})
    first = judge(tmp_path, train, test, file)
    again = judge(tmp_path, train, test, file)
    assert again.model_digest == first.model_digest
    assert again.n_trials == 2
    assert again.search_seconds < first.search_seconds + 1.0
    assert again.study == first.study


def test_validation_sets_what_the_final_fit_takes(tmp_path):
    """It has as many epochs as the best of validation, the same ridge weight, and all rows."""
    train, test = tastes(3)
    hasty = {"n_factors": 8, "n_epochs": 40, "batch_size": 16, "learning_rate": 0.5}
    got = judge(tmp_path, train, test, model_file(model=hasty))
    assert 1 <= got.best_epoch < 40
    assert got.model["l2"] in L2_TRIED
    settled = hasty | {"n_epochs": got.best_epoch, "l2": got.model["l2"]}
    alone = {"device": "cpu", "validation_share": 0.0}
    same = judge(tmp_path, train, test, model_file(model=settled, training=alone))
    assert same.model_digest == got.model_digest
    X = read_train(tmp_path / "train.parquet").X
    config = model_file(model=settled).model
    by_itself = fit_model(
        FitData(X, None), config, n_epochs=got.best_epoch, seed=got.seed, device="cpu"
    )
    assert evaluating._digest(by_itself) == got.model_digest


def test_search_without_validation_users_is_refused(tmp_path):
    """A search would choose by nothing."""
    file = model_file(tune={"n_trials": 1})
    with pytest.raises(TooLittleDataError, match=r"3 users and .*validation_share 0\.3 leave none"):
        judge(tmp_path, *by_hand(), file)


AT_ONCE = [
    kind for kind, each in model_kinds().items()
    if not each.stops_early and each.consumes == "weights"
]  # fmt: skip


@pytest.mark.parametrize("kind", AT_ONCE)
def test_every_kind_is_judged_without_pretending_to_stop_early(tmp_path, kind):
    """Nothing is chosen, so nobody is held out; a model with a taste beats the popular list."""
    train, test = tastes(5)
    small = {"n_factors": 8} if kind in ("ials", "bpr") else {}
    small |= {"l2": 5.0} if kind in ("ease", "edlae") else {}
    got = judge(tmp_path, train, test, model_file(model={"kind": kind} | small))
    again = judge(tmp_path, train, test, model_file(model={"kind": kind} | small))
    assert (got.model_digest, got.metrics) == (again.model_digest, again.metrics)
    assert (got.validation_users, got.validation_ndcg, got.n_trials) == (0, None, 0)
    assert got.best_epoch == got.model.get("n_epochs", 0)
    assert got.rules["choice"].startswith("nothing was chosen, the model stands as it is")
    popular = judge(tmp_path, train, test, model_file(model={"kind": "popularity"}))
    gain = got.metrics["ndcg@20"].mean - popular.metrics["ndcg@20"].mean
    if kind in ("popularity", "random"):
        assert gain < 0.02  # all items of this shop are as popular
    else:
        assert gain > 0.03


@pytest.mark.realdata
def test_films_are_ranked_as_a_reader_would_expect(tmp_path, realdata):
    """A fifth of everybody's ratings of 3.5 and more: far above chance, errors small."""
    import polars as pl

    rated = pl.read_parquet(realdata / "ml-latest-small" / "interactions.parquet")
    liked = rated.filter(pl.col("rating") >= 3.5).sample(fraction=1.0, shuffle=True, seed=1)
    cut = liked.height * 4 // 5
    liked.head(cut).write_parquet(tmp_path / "train.parquet")
    liked.tail(-cut).write_parquet(tmp_path / "test.parquet")
    paths = tmp_path / "train.parquet", tmp_path / "test.parquet"
    got = evaluate_files(*paths, model_file(model={"n_epochs": 10}), tmp_path / "s.db")
    assert 0.22 < got.metrics["ndcg@20"].mean < 0.35
    assert 0.0 < got.metrics["ndcg@20"].standard_error < 0.02
    assert got.n_targets_unknown > 0
