"""Content of items for a fixed split: where it comes from, what is refused, what it is good for."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.model_config import ContentELSAConfig, EASEConfig
from models.elsa.elsa_content import ContentELSA
from tasks.compare.compare import compare_models
from tasks.compare.compare_entry import Entry
from tasks.evaluating.evaluating import evaluate_files
from tasks.evaluating.tuned_model import tune_file
from tasks.judging.contender import from_model
from tasks.lake import Night
from tasks.training.item_content import file_content, with_content
from tests.fixed_split import model_file, tastes, write_pairs

N_ITEMS = 60
IDS = pl.Series("item_id", np.arange(N_ITEMS))
SMALL = {"kind": "elsa_content", "n_epochs": 3, "learning_rate": 0.01, "n_dimensions": 8}


def catalogue(folder, **columns):
    """Write items whose words tell the three groups of tastes() apart."""
    words = ("tea pot kettle", "rope tent boots", "chess dice cards")
    texts = [f"{words[item % 3]} number{item}" for item in range(N_ITEMS)]
    frame = pl.DataFrame({"item_id": np.arange(N_ITEMS), "title": texts}).with_columns(**columns)
    frame.write_parquet(folder / "items.parquet")
    return folder / "items.parquet"


def vectors(folder, **changed):
    """Write a vector for most items."""
    rows = {"item_id": list(range(50)), "vector": [[float(item % 3), 1.0] for item in range(50)]}
    pl.DataFrame(rows | changed, strict=False).write_parquet(folder / "vectors.parquet")
    return str(folder / "vectors.parquet")


def content(items, **settings):
    """Content of all items of the split."""
    return file_content(items, ContentELSAConfig(**settings), IDS, seed=0)


def test_words_numbers_and_vectors_stand_side_by_side(tmp_path):
    """Each adds its columns; an item is liker those of its own group."""
    items = catalogue(tmp_path, price=pl.int_range(pl.len()) % 7, year=pl.lit(None, pl.Float64))
    words = content(items, n_dimensions=8)
    everything = content(
        items, n_dimensions=8, numbers=("price", "year"), embeddings=vectors(tmp_path)
    )
    assert words.rows.shape == (N_ITEMS, words.space.width)
    assert everything.space.width == words.space.width + 2 + 2
    likeness = words.rows @ words.rows.T
    assert likeness[0, 3] > 0.5 > 0.1 > likeness[0, 1]
    only = content(None, embeddings=vectors(tmp_path)).rows
    assert not only[50:].any()
    np.testing.assert_allclose(np.linalg.norm(only[:50], axis=1), 1.0, atol=1e-5)


def test_other_kinds_need_none(tmp_path):
    """A file that is not there does not matter to them."""
    assert file_content(tmp_path / "no.parquet", EASEConfig(), IDS, seed=0) is None


def test_missing_content_is_refused(tmp_path):
    """With what to give."""
    with pytest.raises(ConfigError, match=r"needs content of items: give --items items\.parquet"):
        content(None)
    with pytest.raises(ConfigError, match=r"--items must be a Parquet file, got .*not there"):
        content(tmp_path / "items.parquet")
    untold = catalogue(tmp_path, title=pl.lit(""))
    with pytest.raises(ConfigError, match="must have content of the items of train, got none"):
        content(untold)
    texts = catalogue(tmp_path, item_id=pl.col("item_id").cast(pl.String))
    with pytest.raises(ConfigError, match=r"item_id of the catalogue must be integer .*got string"):
        content(texts)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, r"items\.parquet must have the column price.*set model\.numbers"),
        ({"price": pl.lit("much")}, "price must hold finite numbers, got String"),
        ({"price": pl.lit(np.inf)}, "price must hold finite numbers, got an infinite one"),
    ],
)
def test_bad_numbers_are_refused(tmp_path, columns, words):
    """With file and column."""
    with pytest.raises(ContractViolationError, match=words):
        content(catalogue(tmp_path, **columns), numbers=("price",))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"vector": [1.0] * 50}, r"vectors\.parquet: vector must be a list of numbers"),
        ({"vector": [[1.0]] * 49 + [[1.0, 2.0]]}, r"must all be as long, got lengths \[1, 2\]"),
        ({"vector": [[1.0]] * 49 + [[np.nan]]}, "finite numbers, got another in row 49"),
        ({"item_id": [0] * 50}, "item_id must be there once, got 0 again"),
        ({"item_id": [str(item) for item in range(50)]}, "item_id must be integer"),
    ],
)
def test_bad_vectors_are_refused(tmp_path, changed, words):
    """With the file and what to do."""
    with pytest.raises(ContractViolationError, match=words):
        content(None, embeddings=vectors(tmp_path, **changed))


def test_vectors_that_are_not_there_are_refused(tmp_path):
    """By the name of the key."""
    with pytest.raises(ConfigError, match=r"model\.embeddings must name a Parquet file"):
        content(None, embeddings=str(tmp_path / "no.parquet"))


def test_champion_of_other_vectors_lists_what_it_knew(tmp_path, caplog):
    """A later item's content cannot be compared with what it learnt, and the log says so."""
    made_with = content(None, embeddings=vectors(tmp_path)).space
    known = np.arange(N_ITEMS) < 40
    model = ContentELSA(*np.ones((2, 40, 2), np.float32), "decoder", space=made_with)
    champion = from_model(model, np.ones(40, dtype=np.int64), n_items=N_ITEMS)

    def listed(**settings):
        config = NightlyConfig.model_validate(
            {"lake": str(tmp_path), "model": {"kind": "elsa_content"} | settings}
        )
        night = Night(config=config, run_date=date(2026, 9, 10))
        return with_content(night, champion, IDS).listable

    np.testing.assert_array_equal(listed(), known)
    assert "only items that its training knew are listed" in caplog.text
    of_these = np.append(np.ones(50, dtype=bool), np.zeros(10, dtype=bool))
    np.testing.assert_array_equal(listed(embeddings=vectors(tmp_path)), of_these)


@pytest.mark.slow
def test_split_is_evaluated_tuned_and_compared_with_content(tmp_path):
    """All three give the same figures of the same model, chosen on held-out items."""
    paths = {}
    for name, rows in zip(("train", "test"), tastes(8), strict=True):
        paths[name] = write_pairs(tmp_path / f"{name}.parquet", rows)
    items, file = catalogue(tmp_path), model_file(model=SMALL)
    got = evaluate_files(*paths.values(), file, tmp_path / "s.db", items=items)
    assert got.validation_users > 10
    assert "users who are asked for items held out of train chose" in got.rules["choice"]
    popular = model_file(model={"kind": "popularity"})
    floor = evaluate_files(*paths.values(), popular, tmp_path / "s.db")
    assert got.metrics["ndcg@20"].mean > floor.metrics["ndcg@20"].mean + 0.03
    comparison = compare_models(
        *paths.values(), [Entry("content", file)], metric="ndcg@20", baseline=None, timeout=None,
        about="tastes", command="-", today=date(2026, 11, 21), out=tmp_path / "out", items=items,
    )  # fmt: skip
    (row,) = comparison.models
    assert row.problem is None
    assert row.metrics["ndcg@20"].mean == pytest.approx(got.metrics["ndcg@20"].mean)
    searched = model_file(model=SMALL, tune={"n_trials": 2})
    tuning = tune_file(
        paths["train"], searched, tmp_path / "t.db", mlflow_uri=None, out=None, items=items
    )
    assert tuning.kind == "elsa_content"
    assert tuning.configured_value == pytest.approx(got.validation_ndcg)
    assert tuning.validation_users == got.validation_users
