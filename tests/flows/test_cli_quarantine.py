"""The command quarantine: in words, in JSON, and what it refuses."""

import json

import pytest

from data_contracts.config_text import config_text
from data_contracts.errors import ConfigError
from flows import display
from flows.cli import app
from tasks.ingest.ingest import ingest
from tests.tiny_lake import at, good_rows, night, write_day


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The configuration of a lake with one night that refused three rows."""
    lake = tmp_path / "lake"
    bad = [
        ("u8", "i8", "view\ud7ff", at(5)),
        ("u9", "i9", "stare", at(5)),
        (None, "i", "view", at(6)),
    ]
    write_day(lake, [*good_rows(17), *bad], blob=b"\xff\x00")
    ingest(night(lake))
    path = tmp_path / "shop.toml"
    path.write_text(config_text(), encoding="utf-8")
    monkeypatch.setattr(display.OUT, "_width", 140)
    return path


@pytest.fixture
def hoarfrost(config, capsys):
    """Call the command line and return what it prints."""

    def call(*arguments):
        app(["quarantine", *arguments, "--config", str(config)], result_action="return_value")
        return capsys.readouterr().out

    return call


def test_summary_in_words_and_in_json(hoarfrost):
    """Rules with their meaning, nights, files, and the rows that were asked for."""
    words = " ".join(hoarfrost("--head", "3").split())
    assert "3 rows" in words
    assert "event_type_unknown 2 the event type is one of those in [events]" in words
    assert "part-0.parquet row 18 event_type_unknown, got stare" in words
    assert "item_id: i9" in words
    found = json.loads(hoarfrost("--head", "1", "--rule", "user_id_missing", "--json"))
    assert found["by_rule"] == {"user_id_missing": 1}
    assert found["by_night"] == {"2026-09-10": 1}
    assert found["examples"][0]["original"]["blob"] == "ff00"


def test_a_lake_without_refused_rows(hoarfrost):
    """Is no error."""
    assert "0 rows" in hoarfrost("--date", "2026-09-09")


def test_replay_and_apply(hoarfrost, config):
    """First the figures, then the command that was named."""
    config.write_text(config.read_text().replace("[events]\n", "[events]\nstare = 1.0\n"))
    words = " ".join(hoarfrost("--replay").split())
    assert "Night of 2026-09-10: 3 refused rows" in words
    assert "event_type_unknown 1 1 0" in words
    assert "1 rows would pass: hoarfrost quarantine --replay --apply" in words
    found = json.loads(hoarfrost("--replay", "--apply", "--json"))
    assert (found["applied"], found["nights"][0]["would_pass"]) == (True, {"event_type_unknown": 1})
    assert "2 rows" in hoarfrost()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--apply"], "--apply is for --replay"),
        (["--replay", "--rule", "bot"], "must be left out with --replay"),
        (["--rule", "moon"], "rule must be one of"),
    ],
)
def test_what_makes_no_sense_is_told(hoarfrost, arguments, match):
    """Before anything is read."""
    with pytest.raises(ConfigError, match=match):
        hoarfrost(*arguments)
