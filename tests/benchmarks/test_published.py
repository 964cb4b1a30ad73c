"""Published figures made again, on small files in the original formats."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_contracts.model_file import ModelFile
from tests.benchmarks.published import kept_rows, main, read_source, split_users
from tests.rated import rated

ROOT = Path(__file__).resolve().parents[2]
TABLE = tomllib.loads((ROOT / "tests/benchmarks/published.toml").read_text(encoding="utf-8"))
MODELS = [(data, model) for data, about in TABLE.items() for model in about["models"]]


def tasteful(path: Path, n_users: int = 240, n_items: int = 60) -> Path:
    """Write ratings.csv as MovieLens 20M has it: three tastes, and low ratings of the others."""
    rng = np.random.default_rng(3)
    lines = ["userId,movieId,rating,timestamp"]
    for user in rng.permutation(n_users):
        odds = np.where(np.arange(n_items) % 3 == user % 3, 9.0, 1.0)
        liked = rng.choice(n_items, 15, replace=False, p=odds / odds.sum())
        for item in range(n_items):
            stars = 3.5 if item % 7 else 5.0 if user % 2 else 1.0
            stars = rng.choice([4.0, 4.5]) if item in liked else min(stars, 3.5)
            when = 1_000_000_000 + int(rng.integers(10**6))
            lines.append(f"{user + 1},{2 * item + 1},{stars},{when}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def published(tmp_path: Path, *arguments: object) -> dict:
    """Run the command; return its JSON."""
    command = [sys.executable, "tests/benchmarks/published.py", "--out", tmp_path / "out"]
    done = subprocess.run(
        [*map(str, (*command, *arguments))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def popular_recall(files: dict[str, pl.DataFrame]) -> float:
    """Return recall@20 of what most had, by hand; nobody is asked more than twenty."""
    popular = files["train"].group_by("item_id").len().sort("len", descending=True)["item_id"]
    recalls = []
    for (user,), asked in files["test"].group_by("user_id"):
        seen = set(files["histories"].filter(pl.col("user_id") == user)["item_id"])
        shown = [item for item in popular if item not in seen][:20]
        recalls.append(asked["item_id"].is_in(shown).mean())
    return float(np.mean(recalls))


@pytest.mark.slow
def test_a_taste_is_found_of_users_that_training_never_met(tmp_path):
    """Held-out users are nowhere in train; EASE finds far more than the popular list."""
    source = tasteful(tmp_path / "ratings.csv")
    data = ("--data", "ml-20m", "--source", source, "--users", 40)
    ease = published(tmp_path, *data, "--model", "ease")
    files = {name: pl.read_parquet(tmp_path / "out" / "ml-20m" / f"{name}.parquet")
             for name in ("train", "histories", "test")}  # fmt: skip
    users = {name: set(rows["user_id"]) for name, rows in files.items()}
    assert users["test"] == users["histories"]
    assert not users["test"] & users["train"]
    assert (len(users["train"]), len(users["test"])) == (160, 40)
    assert all(rows["rating"].min() == 4.0 for rows in files.values())
    figure = ease["figures"]["recall@20"]
    assert figure["measured"] - popular_recall(files) > 3 * figure["standard_error"]
    assert figure["published"] == 0.391
    assert figure["difference"] == pytest.approx(figure["measured"] - 0.391, abs=1e-5)
    found = ease["evaluation"]
    assert (found["n_users"], found["histories"]["n_users"]) == (40, 40)
    assert "none of whose users is in train" in found["rules"]["masking"]
    assert (ease["sizes"]["users"], ease["seed"], ease["as_published"]) == (240, 98765, False)
    assert ease["settings"] == {"kind": "ease", "l2": 500.0}


@pytest.mark.slow
def test_ratings_are_predicted_better_than_by_their_spread(tmp_path):
    """The format with colons; factors and biases know more than the mean does."""
    rows = [row for part in rated(5) for row in part]
    lines = [f"{user + 1}::{item + 1}::{stars:g}::{978_300_000 + when}"
             for user, item, stars, when in rows]  # fmt: skip
    source = tmp_path / "ratings.dat"
    source.write_text("\n".join(lines) + "\n", encoding="latin-1")
    got = published(tmp_path, "--data", "ml-1m", "--source", source, "--model", "biased_mf")
    asked = pl.read_parquet(tmp_path / "out" / "ml-1m" / "test.parquet")["rating"]
    assert len(asked) == len(rows) // 10
    figure = got["figures"]["rmse"]
    assert figure["measured"] < 0.9 * asked.std()
    assert figure["published"] == 0.845
    assert "histories" not in got["evaluation"]
    assert got["published_in"] == "Sedhain et al., WWW 2015, table 1"


def test_the_draw_is_the_one_of_the_published_notebook(tmp_path):
    """Users by one permutation, then each user's items by choices from a generator begun anew."""
    rows = read_source("ml-20m", tasteful(tmp_path / "ratings.csv"))
    liked = kept_rows(rows, TABLE["ml-20m"])
    split_users(liked, tmp_path, held=20, seed=98765, last=False)
    np.random.seed(98765)  # noqa: NPY002, as the notebook does
    users = np.arange(1, 241)[np.random.permutation(240)]  # noqa: NPY002
    known = set(liked.filter(pl.col("user_id").is_in(users[:200]))["item_id"])
    expected = set()
    np.random.seed(98765)  # noqa: NPY002
    for user in sorted(users[220:]):
        own = [each for each in liked.filter(pl.col("user_id") == user)["item_id"] if each in known]
        drawn = np.random.choice(len(own), size=int(0.2 * len(own)), replace=False)  # noqa: NPY002
        expected |= {(user, own[place]) for place in drawn}
    test = pl.read_parquet(tmp_path / "test.parquet")
    assert set(test.select("user_id", "item_id").iter_rows()) == expected


def test_the_last_fifth_in_time_is_asked(tmp_path):
    """Nothing of a history is later than what is asked, and users with too much are left out."""
    rows = read_source("ml-20m", tasteful(tmp_path / "ratings.csv"))
    busy = rows.filter(pl.col("user_id") == 7).with_columns(rating=pl.lit(5.0, pl.Float32))
    liked = kept_rows(pl.concat([rows.filter(pl.col("user_id") != 7), busy]),
                      TABLE["ml-1m-in-time"] | {"most_items": 50})  # fmt: skip
    assert set(range(1, 241)) - set(liked["user_id"]) == {7}
    split_users(liked, tmp_path, held=30, seed=98765, last=True)
    before, asked = (
        pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("histories", "test")
    )
    ends = before.group_by("user_id").agg(end=pl.max("timestamp"), n=pl.len())
    begins = asked.group_by("user_id").agg(begin=pl.min("timestamp"), m=pl.len())
    both = ends.join(begins, on="user_id", validate="1:1")
    assert both.height == 30
    assert (both["end"] <= both["begin"]).all()
    assert (both["n"] == ((both["n"] + both["m"]) * 0.8).cast(pl.Int64)).all()


def test_netflix_and_songs_are_read_in_their_own_formats(tmp_path):
    """A film's number stands above its rows; songs come with how often they were played."""
    (tmp_path / "combined_data_1.txt").write_text(
        "1:\n30,3,2005-09-06\n7,5,2005-05-13\n2:\n7,4,2004-01-01\n"
    )
    (tmp_path / "combined_data_2.txt").write_text("9:\n8,1,2005-09-06\n")
    got = read_source("netflix", tmp_path)
    assert got.rows() == [(30, 1, 3.0), (7, 1, 5.0), (7, 2, 4.0), (8, 9, 1.0)]
    songs = tmp_path / "train_triplets.txt"
    songs.write_text("u1\tSOA\t1\nu1\tSOB\t12\nu2\tSOA\t3\n")
    assert read_source("msd", songs).rows() == [("u1", "SOA"), ("u1", "SOB"), ("u2", "SOA")]
    few = kept_rows(read_source("msd", songs), {"least_users": 2, "least_items": 1})
    assert few.rows() == [("u1", "SOA"), ("u2", "SOA")]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("films.csv", "x", "--source must be a file named ratings.csv or"),
        (
            "ratings.csv",
            "userId,movieId,rating,timestamp\n1,2,good,3\n",
            "1 that are not, the first",
        ),
        ("none.csv", None, "must be your copy of the data"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path, name, text, words):
    """It says which one is meant."""
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=words):
        read_source("ml-20m", tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ml-1m", "--model", "biased_mf", "--users", "5"), "--users must be left out for ml-1m"),
        (("ml-1m", "--model", "ease"), "autorec, autorec_of_users, biased_mf, got ease"),
        (
            ("ml-20m", "--model", "ease", "--users", "0"),
            "at least 1 and leave some of 240 to train",
        ),
        (("ml-20m", "--model", "ease", "--users", "120"), "leave some of 240 to train, got 120"),
    ],
)
def test_flags_that_do_not_fit_are_refused(tmp_path, monkeypatch, capsys, arguments, words):
    """Before anything is fitted."""
    source = tasteful(tmp_path / "ratings.csv")
    command = ["published.py", "--source", str(source), "--out", str(tmp_path), "--data"]
    monkeypatch.setattr(sys, "argv", [*command, *arguments])
    with pytest.raises(SystemExit) as told:
        main()
    assert words in f"{told.value} {capsys.readouterr().err}"


@pytest.mark.parametrize(("data", "model"), MODELS)
def test_settings_are_those_of_a_model_and_readers_are_told_of_it(data, model):
    """No key is stale; the command stands in the README, with the figures."""
    about, told = TABLE[data], TABLE[data]["models"][model]
    file = ModelFile.model_validate({"model": {"kind": model} | told.get("settings", {})})
    expected = {"ratings": {"rmse"}, "last": {"ndcg@100"}}.get(about["protocol"])
    assert told["figures"].keys() == (expected or {"recall@20", "recall@50", "ndcg@100"})
    assert (file.model.consumes == "ratings") == (about["protocol"] == "ratings")
    rows = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    (row,) = (row for row in rows if f"published.py --data {data} " in row)
    last = f"{list(told['figures'].values())[-1]:.4f}".removeprefix("0").rstrip("0")
    assert f"`{model}` {last}" in row
