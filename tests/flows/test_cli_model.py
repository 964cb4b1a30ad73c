"""The commands evaluate and tune: figures for people and scripts, plain errors, exit codes."""

import json

import polars as pl
import pytest

from data_contracts.errors import HoarfrostError
from data_contracts.evaluation import Evaluation
from data_contracts.tuning_result import Tuning
from flows import display_model
from flows.cli import app
from tests.command_line import hoarfrost
from tests.fixed_split import tastes, write_pairs
from tests.flows.test_cli import assert_plain

MODEL = """
[model]
n_factors = 8
n_epochs = 3
[training]
device = "cpu"
validation_share = 0.3
"""


@pytest.fixture
def split(tmp_path):
    """Two files and a model file."""
    for name, rows in zip(("train", "test"), tastes(8), strict=True):
        write_pairs(tmp_path / f"{name}.parquet", rows)
    (tmp_path / "model.toml").write_text(MODEL, encoding="utf-8")
    return tmp_path


def call(folder, command, *arguments):
    """Call a command in this process, files being those of a folder."""
    named = [
        str(folder / each) if each.endswith((".parquet", ".toml", ".db")) else each
        for each in arguments
    ]
    return app([command, *named], result_action="return_value", exit_on_error=False)


def test_search_then_evaluation_by_scripts(split):
    """The whole way, as a script goes it: JSON on one side, log lines on the other."""
    arguments = ("--train", "train.parquet", "--config", "model.toml", "--json")
    tuned = hoarfrost("tune", *arguments, "--trials", "2", "--out", "best.toml", cwd=split)
    assert_plain(tuned, 0)
    result = json.loads(tuned.stdout)
    assert Tuning.model_validate(result).n_new_trials == 2
    assert (split / "model.tuning.db").is_file()
    arguments = ("--train", "train.parquet", "--test", "test.parquet", "--config", "best.toml")
    judged = hoarfrost("evaluate", *arguments, "--json", cwd=split)
    assert_plain(judged, 0)
    evaluation = Evaluation.model_validate(json.loads(judged.stdout))
    assert result["best_params"].items() <= evaluation.model.items()
    assert evaluation.validation_ndcg == pytest.approx(result["best_value"])
    assert evaluation.peak_memory_mb > 50
    messages = [json.loads(line)["message"] for line in judged.stderr.splitlines()]
    assert len([each for each in messages if each.startswith("all rows: epoch")]) > 0


def test_people_see_every_figure_and_rule(split, capsys):
    """What is in the JSON can be read without it."""
    files = ("--train", "train.parquet", "--test", "test.parquet", "--config", "model.toml")
    call(split, "evaluate", *files, "--json")
    result = Evaluation.model_validate_json(capsys.readouterr().out)
    display_model.evaluation(result, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    for name, figure in result.metrics.items():
        assert f"{name} {figure.mean:.5f} {figure.standard_error:.5f}" in shown
    for words in (*result.rules.values(), result.model_digest, f"seed {result.seed}", "cpu"):
        assert words in shown
    assert "150 judged; 0 not in train" in shown
    assert f"best epoch: {result.best_epoch}, validation nDCG@100" in shown


def test_users_that_train_has_not_are_judged_by_their_histories(split, capsys):
    """The figures say who was judged, by which rows; the page of the command says how."""
    rows = pl.read_parquet(split / "train.parquet")
    new = pl.col("user_id") >= 100
    rows.filter(~new).write_parquet(split / "fit.parquet")
    extra = pl.DataFrame({"user_id": [120, 120], "item_id": [900, 901]})
    pl.concat([rows.filter(new), extra]).write_parquet(split / "past.parquet")
    files = ("--train", "fit.parquet", "--test", "test.parquet", "--config", "model.toml")
    call(split, "evaluate", *files, "--histories", "past.parquet", "--json")
    result = Evaluation.model_validate_json(capsys.readouterr().out)
    assert (result.n_users, result.n_users_left_out, result.n_train_users) == (50, 100, 100)
    assert (result.histories.n_users, result.histories.n_unknown) == (50, 2)
    display_model.evaluation(result, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "50 judged; 100 not in the histories, left out" in shown
    assert "histories: 50 users, 450 pairs; 2 of items not in train, passed over" in shown
    assert "train rows" not in shown
    with pytest.raises(HoarfrostError, match="got 50 who are") as caught:
        call(split, "evaluate", "--train", "train.parquet", *files[2:], "--histories",
             "past.parquet")  # fmt: skip
    assert caught.value.exit_code == 3
    app(["evaluate", "--help"], result_action="return_value", exit_on_error=False)
    helped = " ".join(capsys.readouterr().out.split())
    assert "--histories histories.parquet" in helped


@pytest.mark.parametrize(
    ("kind", "told"),
    [("ease", "epochs: none, a closed form, validation"), ("bpr", "epochs: 100, validation")],
)
def test_nothing_is_told_of_epochs_that_nobody_chose(split, capsys, kind, told):
    """A closed form has none, a baseline as many as are configured."""
    (split / "kind.toml").write_text(f"[model]\nkind = '{kind}'\n", encoding="utf-8")
    call(split, "evaluate", "--train", "train.parquet", "--test", "test.parquet",
         "--config", "kind.toml")  # fmt: skip
    shown = " ".join(capsys.readouterr().out.split())
    assert told in shown
    assert "best epoch" not in shown


def test_people_see_trials_and_a_model_to_copy(split, capsys):
    """The table, the configured model's figure, the sections."""
    call(split, "tune", "--train", "train.parquet", "--config", "model.toml",
         "--storage", "here.db", "--trials", "2")  # fmt: skip
    shown = capsys.readouterr().out
    assert "as configured" in shown
    assert '\n[model]\nkind = "elsa"' in shown
    assert "2 of 2 trials in this call" in shown
    assert (split / "here.db").is_file()
    assert not (split / "model.tuning.db").exists()


@pytest.mark.parametrize(
    ("spoil", "exit_code", "words"),
    [
        ("none", 2, "no file at .*train.parquet: name a Parquet file"),
        ("toml", 2, "model.toml is not a valid configuration\n  model.elsa.rank: unknown key"),
        ("text", 3, "train.parquet must be a whole Parquet file"),
        ("column", 3, "train.parquet must have a column item_id, it has user_id, sku: rename"),
        ("null", 3, "train.parquet must have an id in every row, got 1 rows without item_id"),
        ("types", 3, "item_id must have one type in both files"),
        ("empty", 4, "train.parquet is empty"),
        ("strangers", 4, "no user of .*test.parquet has a row in .*train.parquet"),
    ],
)
def test_bad_input_ends_in_a_sentence(split, spoil, exit_code, words):
    """It names the file and what to do; scripts see which kind it is."""
    spoiled(split, spoil)
    files = ("--train", "train.parquet", "--test", "test.parquet", "--config", "model.toml")
    with pytest.raises(HoarfrostError, match=words) as caught:
        call(split, "evaluate", *files)
    assert caught.value.exit_code == exit_code


def spoiled(folder, spoil):
    """Do to the inputs what can happen to them."""
    train = folder / "train.parquet"
    rows = pl.read_parquet(train)
    if spoil == "none":
        train.unlink()
    elif spoil == "toml":
        (folder / "model.toml").write_text("[model]\nrank = 3\n", encoding="utf-8")
    elif spoil == "text":
        train.write_text("user_id,item_id\n1,2\n", encoding="utf-8")
    else:
        bad = {
            "column": rows.rename({"item_id": "sku"}),
            "null": pl.concat([rows, rows.head(1).with_columns(item_id=pl.lit(None, pl.Int64))]),
            "types": rows.with_columns(pl.col("item_id").cast(pl.String)),
            "empty": rows.head(0),
            "strangers": rows.with_columns(pl.col("user_id") + 1000),
        }
        bad[spoil].write_parquet(train)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--train", "train.parquet", "--trials", "0"), "--trials must be at least 1, got 0"),
        (("--train", "train.parquet", "--date", "2026-09-10"), "--date is for a lake"),
        (("--storage", "a.db"), "--storage, --mlflow and --items are for a file"),
        (
            ("--train", "train.parquet", "--config", "model.toml", "--out", "model.toml"),
            "--out must not be the file that is read",
        ),
        (("--config", "none.toml"), "write one with 'hoarfrost init'"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(split, arguments, words):
    """A flag without effect is a mistake; nothing is searched."""
    with pytest.raises(HoarfrostError, match=words) as caught:
        call(split, "tune", *arguments)
    assert caught.value.exit_code == 2


def test_lake_without_matrices_says_what_makes_them(split):
    """The night of that date."""
    (split / "shop.toml").write_text('lake = "lake"\n', encoding="utf-8")
    with pytest.raises(HoarfrostError, match="'hoarfrost run --date 2026-09-10'"):
        call(split, "tune", "--config", "shop.toml", "--date", "2026-09-10")
