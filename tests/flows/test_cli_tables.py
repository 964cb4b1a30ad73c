"""The commands about published tables: what they print, in words and in JSON."""

import json

import pytest

from data_contracts.config_text import config_text
from data_contracts.errors import ConfigError
from flows import display
from flows.cli import app
from tests.published_lake import history_night, publish, write_catalogue

LISTS = {"home": {"u1": ["i3", "i4"], "u2": ["i4"]}, "mail": {"u1": ["i5"]}}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The configuration file of a lake with one snapshot."""
    lake = tmp_path / "lake"
    made = history_night(lake, user="u{}".format, item="i{}".format)
    write_catalogue(lake)
    publish(made, LISTS)
    path = tmp_path / "shop.toml"
    path.write_text(config_text(), encoding="utf-8")
    monkeypatch.setattr(display.OUT, "_width", 140)
    return path


@pytest.fixture
def hoarfrost(config, capsys):
    """Call the command line and return what it prints."""

    def call(*arguments):
        app([*map(str, arguments), "--config", str(config)], result_action="return_value")
        return capsys.readouterr().out

    return call


def test_query_prints_a_table_or_json(hoarfrost):
    """The column surface is there though no file holds it."""
    sql = "SELECT surface, count(*) AS n FROM top_n GROUP BY 1 ORDER BY 1"
    assert json.loads(hoarfrost("query", sql, "--json")) == [
        {"surface": "home", "n": 3},
        {"surface": "mail", "n": 1},
    ]
    assert hoarfrost("query", sql).split() == ["surface", "n", "home", "3", "mail", "1"]


def test_export_says_what_it_copied(hoarfrost, tmp_path):
    """And where to."""
    answer = json.loads(hoarfrost("export", "--to", "csv", "--table", "top_n", "--json"))
    assert answer["rows"] == {"top_n": 4}
    assert (tmp_path / "lake" / "export" / "csv" / "top_n.csv").is_file()
    target = tmp_path / "shop.duckdb"
    words = " ".join(hoarfrost("export", "--to", "duckdb", "--into", target).split())
    assert "top_n 4 rows" in words
    assert target.is_file()


def test_why_user_prints_history_and_reasons(hoarfrost):
    """With titles, and the share of the reason."""
    words = hoarfrost("why", "--user", "u1", "--surface", "home")
    assert "Title of i1" in words
    assert "mail" not in words
    row = next(line for line in words.splitlines() if " i4 " in line)
    assert row.split() == [
        "2",
        "i4",
        "Title",
        "of",
        "i4",
        "0.500",
        "model",
        "Title",
        "of",
        "i3",
        "75%",
    ]
    story = json.loads(hoarfrost("why", "--user", "u1", "--json"))
    assert [each["surface"] for each in story["lists"]] == ["home", "mail"]


def test_why_item_prints_lists_and_neighbours(hoarfrost):
    """And that it cannot be had."""
    words = hoarfrost("why", "--item", "i5")
    assert "not available, category kind 1" in words
    assert "Title of i3" in words
    assert json.loads(hoarfrost("why", "--item", "i5", "--json"))["lists"][0]["users"] == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "either --user or --item"),
        (["--user", "a", "--item", "b"], "either --user or --item"),
        (["--item", "i5", "--surface", "home"], "--surface is for --user"),
        (["--user", "nobody"], "must be one that snapshot .* knows"),
    ],
)
def test_why_refuses_what_it_cannot_answer(hoarfrost, arguments, reason):
    """With a sentence."""
    with pytest.raises(ConfigError, match=reason):
        hoarfrost("why", *arguments)
