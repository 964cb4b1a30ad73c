"""The command compare: a table for people, JSON for scripts, a page, exit codes."""

import json

import pytest

from data_contracts.comparison import Comparison
from data_contracts.errors import ConfigError, HoarfrostError
from flows import display_compare
from flows.cli import app
from tests.command_line import hoarfrost
from tests.compared import comparison, failed, fitted
from tests.fixed_split import tastes, write_pairs
from tests.flows.test_cli import assert_plain

FILES = ("--train", "train.parquet", "--test", "test.parquet")


@pytest.fixture
def split(tmp_path, monkeypatch):
    """Two files in the folder that the command is called in."""
    for name, rows in zip(("train", "test"), tastes(8), strict=True):
        write_pairs(tmp_path / f"{name}.parquet", rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    """Call the command in this process."""
    return app(["compare", *arguments], result_action="return_value", exit_on_error=False)


@pytest.mark.slow
def test_comparison_by_scripts(split):
    """JSON on one side, log lines on the other, the page beside; popularity and random are in."""
    (split / "near.toml").write_text('[model]\nkind = "item_knn"\n', encoding="utf-8")
    arguments = ("--config", "near.toml", "--page", "RESULTS.md", "--out", "all/tastes", "--json")
    answer = hoarfrost("compare", *FILES, *arguments, cwd=split)
    assert_plain(answer, 0)
    made = Comparison.model_validate(json.loads(answer.stdout))
    assert {each.name for each in made.models} == {"near", "popularity", "random"}
    assert made.reference == "near"
    assert made.command == (
        "hoarfrost compare --train train.parquet --test test.parquet --config near.toml "
        "--metric ndcg@100 --out all/tastes --page RESULTS.md"
    )
    assert all(json.loads(line)["message"] for line in answer.stderr.splitlines())
    page = (split / "RESULTS.md").read_text(encoding="utf-8")
    assert made.command in page
    assert (split / "results" / "tastes.svg").is_file()
    assert (split / "all" / "tastes" / "comparison.md").is_file()


def test_people_see_figures_and_reasons(capsys, tmp_path):
    """The table, in a word who is better, and why a model has no figures."""
    made = comparison(fitted("first", 0.5), fitted("second", 0.25), failed("third", "no memory"))
    display_compare.comparison(made, tmp_path, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "0.2500 [0.1500, 0.3500] -0.2500 [-0.3500, -0.1500] 0.013 worse", "third: no memory",
        "recall: hits / targets", "first 0.5000 [0.4000, 0.6000] reference",
    ):  # fmt: skip
        assert words in shown


@pytest.mark.slow
def test_no_model_at_all_is_a_failure(split, capsys):
    """The table is shown all the same."""
    with pytest.raises(HoarfrostError, match="none of the models named could be finished") as told:
        call(*FILES, "--kinds", "ease", "--timeout", "0.1")
    assert told.value.exit_code == 1
    assert "took more than 0.1 s" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name at least one model"),
        (("--kinds", "ease", "--page", "RESULTS.html"), "--page must name a Markdown file"),
        (("--kinds", "ease", "--metric", "auc"), "--metric must be one of"),
        (("--config", "none.toml"), "name a file with a .model. section"),
    ],
)
def test_wrong_usage_is_refused(split, arguments, words):
    """Exit code 2, and nothing is fitted."""
    with pytest.raises(ConfigError, match=words):
        call(*FILES, *arguments)
    assert not (split / "comparison").exists()


def test_missing_file_is_told(tmp_path, monkeypatch):
    """As evaluate tells it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no file at train\.parquet"):
        call(*FILES, "--kinds", "ease")
