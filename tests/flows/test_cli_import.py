"""The command import: what it takes, says and refuses."""

import json

import polars as pl
import pytest

from data_contracts.config_text import config_text
from data_contracts.errors import ConfigError
from flows import display
from flows.cli import app


@pytest.fixture
def hoarfrost(tmp_path, capsys, monkeypatch):
    """Call the command line on a lake of its own and return what it prints."""
    config = tmp_path / "shop.toml"
    config.write_text(config_text(), encoding="utf-8")
    monkeypatch.setattr(display.OUT, "_width", 140)

    def call(*arguments):
        app([*map(str, arguments), "--config", str(config)], result_action="return_value")
        return capsys.readouterr().out

    return call


@pytest.fixture
def clicks(tmp_path):
    """A file with names of its own, and one row that has no time."""
    rows = [f"u{n};i{n};2026-09-1{n} 08:00;{n}.5;x" for n in range(5)]
    path = tmp_path / "my clicks.csv"
    path.write_text("\n".join(["visitor;sku;at;price;page", *rows, "u9;i9;never;1;x"]) + "\n")
    return path


COLUMNS = ["--user-id", "visitor", "--item-id", "sku", "--timestamp", "at", "--separator", ";",
           "--event-type", "view", "--number", "price"]  # fmt: skip


def test_every_row_is_accounted_for_in_words_and_in_json(hoarfrost, clicks, tmp_path):
    """Columns that are not kept, refused rows, where they are, and what to do next."""
    words = " ".join(hoarfrost("import", "csv", clicks, *COLUMNS).split())
    assert "6 rows: 5 written, 1 refused; 2026-09-10 to 2026-09-14" in words
    assert "columns not kept: page" in words
    assert "time_unreadable 1 every time can be read" in words
    assert "hoarfrost validate --date 2026-09-14" in words
    again = json.loads(hoarfrost("import", "csv", clicks, *COLUMNS, "--json"))
    (log,) = again["logs"]
    assert (log["name"], log["files_unchanged"]) == ("my_clicks", 5)
    day = tmp_path / "lake" / "interactions" / "date=2026-09-13" / "import-my_clicks.parquet"
    assert pl.read_parquet(day)["price"].to_list() == [3.5]


def test_json_lines_and_a_day_for_all(hoarfrost, tmp_path):
    """A file without times, under a name of its own."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"user_id": 1, "item_id": 2}\n')
    answer = hoarfrost("import", "jsonl", path, "--date", "2026-09-10", "--event-type", "view",
                       "--user-ids", "integer", "--name", "old", "--json")  # fmt: skip
    (log,) = json.loads(answer)["logs"]
    assert (log["name"], log["first_day"], log["last_day"]) == ("old", "2026-09-10", "2026-09-10")


def test_data_set(hoarfrost, tmp_path):
    """Its layout is known: only the event type is ours to say."""
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,3.5,1470000000\n")
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n2,Alien,Horror\n")
    words = hoarfrost("import", "movielens", tmp_path, "--event-type", "purchase")
    assert "1 rows: 1 written, 0 refused; items of the catalogue" in words
    with pytest.raises(ConfigError, match="its layout is known"):
        hoarfrost("import", "movielens", tmp_path, "--user-id", "u")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--separator", "::"], "must be one plain character or tab"),
        (["--time-zone", "Prague"], "must be an IANA name"),
        (["--date", "2026-09-10", "--timestamp", "at"], "for a file without times"),
        (["--event-type", "view", "--event-column", "page"], "give either"),
        (["--keep", "page", "--number", "page"], "must be kept once"),
    ],
)
def test_options_that_contradict_each_other(hoarfrost, clicks, options, match):
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match=match):
        hoarfrost("import", "csv", clicks, *options)
