"""Users that training never met, judged by histories of their own."""

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ConfigError, ContractViolationError, TooLittleDataError
from tasks.evaluating.evaluating import evaluate_files
from tasks.evaluating.fixed_split import read_histories, read_test, read_train
from tests.fixed_split import model_file, tastes, write_pairs
from tests.rated import rated, write_ratings

N_KNOWN = 110  # of the 150 users of a taste; the others are judged
EASE = {"model": {"kind": "ease", "l2": 5.0}}


@pytest.fixture
def files(tmp_path):
    """Train of the first users, histories and targets of the others, in that order."""
    train, test = tastes(4)
    parts = {
        "train": [(user, item) for user, item in train if user < N_KNOWN],
        "histories": [(user, item) for user, item in train if user >= N_KNOWN],
        "test": [(user, item) for user, item in test if user >= N_KNOWN],
    }
    return {name: write_pairs(tmp_path / f"{name}.parquet", rows) for name, rows in parts.items()}


def judge(files, sections, **changed):
    """Evaluate on these files."""
    paths = files | changed
    return evaluate_files(
        paths["train"], paths["test"], model_file(**sections), paths["train"].with_suffix(".db"),
        histories=paths["histories"],
    )  # fmt: skip


def dense(path):
    """Return ones, users counted from 0 as they come in order of their ids."""
    X = np.zeros((150, 60))
    X[tuple(pl.read_parquet(path).to_numpy().T)] = 1.0
    return X


def test_figures_are_those_of_folding_in_by_hand(files):
    """EASE by its formula, a list by sorted scores, recall by counting."""
    got = judge(files, EASE)
    X, shown, asked = (dense(files[name]) for name in ("train", "histories", "test"))
    P = np.linalg.inv(X.T @ X + 5.0 * np.eye(60))
    B = np.eye(60) - P / np.diag(P)
    scores = np.where(shown > 0, -np.inf, shown @ B)[N_KNOWN:]
    top = np.argsort(-scores, axis=1)[:, :20]
    hits = np.take_along_axis(asked[N_KNOWN:], top, axis=1).sum(axis=1)
    recall = (hits / asked[N_KNOWN:].sum(axis=1)).mean()  # three items are asked of everybody
    assert got.metrics["recall@20"].mean == pytest.approx(recall, abs=1e-9)
    assert recall > 0.4  # a third of the items by chance
    assert (got.n_users, got.n_users_left_out, got.n_train_users) == (40, 0, N_KNOWN)
    told = got.histories
    assert (told.n_users, told.n_pairs, told.n_unknown, told.n_duplicates) == (40, 360, 0, 0)
    assert got.rules["masking"].startswith("fold-in are the user's rows of the histories, none of")


@pytest.mark.parametrize("kind", ["elsa", "multdae", "item_knn"])
def test_kinds_of_lists_read_histories(files, kind):
    """A taste is read from them: with somebody else's history the lists are worse."""
    small = {"n_factors": 8, "n_epochs": 8} if kind != "item_knn" else {}
    sections = {"model": {"kind": kind} | small}
    own = judge(files, sections)
    rows = pl.read_parquet(files["histories"])
    others = rows.with_columns((pl.col("user_id") - N_KNOWN + 1) % 40 + N_KNOWN)
    others.write_parquet(files["train"].with_name("others.parquet"))
    swapped = judge(files, sections, histories=files["train"].with_name("others.parquet"))
    assert own.model_digest == swapped.model_digest
    assert own.metrics["ndcg@20"].mean > 1.2 * swapped.metrics["ndcg@20"].mean


def test_ratings_given_before_are_what_a_user_is_known_by(tmp_path):
    """Mean and biases by hand, the user's from the history alone."""
    train, test = rated(6)
    parts = ([r for r in train if r[0] < 90], [r for r in train if r[0] >= 90],
             [r for r in test if r[0] >= 90])  # fmt: skip
    paths = [write_ratings(tmp_path / f"{n}.parquet", rows) for n, rows in enumerate(parts)]
    file = model_file(model={"kind": "rating_bias", "item_l2": 2.0, "user_l2": 3.0})
    got = evaluate_files(paths[0], paths[2], file, tmp_path / "s.db", histories=paths[1])
    mean = np.mean([stars for _, _, stars, _ in parts[0]])
    of_items = biases([(item, stars - mean) for _, item, stars, _ in parts[0]], 2.0)
    of_users = biases([(u, s - mean - of_items[i]) for u, i, s, _ in parts[1]], 3.0)
    errors = [np.clip(mean + of_items[i] + of_users[u], 1.0, 5.0) - s for u, i, s, _ in parts[2]]
    assert got.metrics["rmse"].mean == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-5)
    assert got.n_users == 30


def biases(rows, l2):
    """Return the shrunk mean of every key."""
    keys = {key for key, _ in rows}
    values = {key: [value for each, value in rows if each == key] for key in keys}
    return {key: sum(each) / (len(each) + l2) for key, each in values.items()}


def test_unknown_items_are_passed_over_and_counted(tmp_path):
    """Who is left without any has no row, and so is not judged."""
    train = read_train(write_pairs(tmp_path / "train.parquet", [(1, 10), (1, 30), (2, 20)]))
    rows = [(9, 30), (9, 99), (9, 30), (8, 98), (7, 20)]
    shown = read_histories(write_pairs(tmp_path / "h.parquet", rows), train)
    assert shown.user_ids.to_list() == [7, 9]
    assert shown.X.toarray().tolist() == [[0, 1, 0], [0, 0, 1]]
    assert (shown.n_unknown, shown.n_duplicates) == (2, 1)
    asked = read_test(write_pairs(tmp_path / "test.parquet", [(9, 10), (8, 10), (1, 20)]), shown)
    assert (asked.user.tolist(), asked.n_left_out) == ([1], 2)


def test_order_is_that_of_the_known_items(tmp_path):
    """Places have no gap where an item was passed over."""
    rows = [(1, 10, 1.0, 1), (1, 20, 1.0, 2)]
    train = read_train(write_ratings(tmp_path / "train.parquet", rows), "order")
    given = [(5, 20, 1.0, 3), (5, 77, 1.0, 6), (5, 10, 1.0, 9)]
    shown = read_histories(write_ratings(tmp_path / "h.parquet", given), train)
    assert shown.X.toarray().tolist() == [[2, 1]]


@pytest.mark.parametrize("text", [False, True])
def test_users_of_both_files_are_refused_without_their_ids(tmp_path, text):
    """How many, and the first row: an id is nothing for a log."""
    pairs = {"train": [(4711, 1), (2, 1), (3, 2)], "h": [(8, 1), (9, 2), (3, 1), (4711, 2), (3, 2)]}
    paths = {}
    for name, rows in pairs.items():
        told = [(f"u{user}", item) if text else (user, item) for user, item in rows]
        paths[name] = write_pairs(tmp_path / f"{name}.parquet", told)
    words = r"h\.parquet must not be in .*train\.parquet, got 2 who are, the first in row 2 \("
    with pytest.raises(ContractViolationError, match=words) as caught:
        read_histories(paths["h"], read_train(paths["train"]))
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("pairs", "error", "words"),
    [
        ([(8, 77)], TooLittleDataError, r"no item of .*h\.parquet has a row in .*train\.parquet"),
        ([("8", 1)], ContractViolationError, "user_id must have one type in both files"),
        (None, ConfigError, r"no file at .*h\.parquet"),
    ],
)
def test_histories_that_do_not_fit_are_refused(tmp_path, pairs, error, words):
    """Before anything is fitted."""
    train = read_train(write_pairs(tmp_path / "train.parquet", [(1, 1), (2, 2)]))
    if pairs:
        write_pairs(tmp_path / "h.parquet", pairs)
    with pytest.raises(error, match=words):
        read_histories(tmp_path / "h.parquet", train)


def test_without_histories_nothing_is_said_of_them(tmp_path):
    """Neither a key nor a word more than before."""
    train, test = tastes(4)
    paths = (write_pairs(tmp_path / f"{name}.parquet", rows)
             for name, rows in (("train", train), ("test", test)))  # fmt: skip
    got = evaluate_files(*paths, model_file(**EASE), tmp_path / "s.db")
    assert "histories" not in got.model_dump_json()
    assert got.rules["masking"] == "fold-in are the user's train rows; they are never listed"
    assert list(got.model_dump())[-1] == "model_digest"
