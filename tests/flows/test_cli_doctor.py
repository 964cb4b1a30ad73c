"""The command that looks an installation over: for people, for scripts, and its exit codes."""

import json

import pytest

from flows.cli import app
from tests.tiny_lake import good_rows, write_day


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with a lake and its configuration."""
    monkeypatch.chdir(tmp_path)
    write_day(tmp_path / "lake", good_rows())
    text = '[history]\nwindow_days = 100000\n[training]\ndevice = "cpu"\n'
    (tmp_path / "hoarfrost.toml").write_text(text, encoding="utf-8")
    return tmp_path


def call(*arguments):
    """Run the command; return how it ended."""
    try:
        app(["doctor", *arguments], exit_on_error=False, result_action="return_value")
    except SystemExit as end:
        return end.code
    return 0


def test_scripts_get_json(shop, capsys):
    """Every finding with its state."""
    assert call("--json") == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert found["log"]["state"] == "ok"
    assert found["polars"]["state"] == "ok"


def test_people_are_told_what_to_do(shop, capsys):
    """A log that is missing is a problem, and exit code 2."""
    (shop / "hoarfrost.toml").write_text('lake = "elsewhere"\n', encoding="utf-8")
    assert call() == 2
    told = capsys.readouterr().out
    assert "PROBLEM" in told
    assert "set interactions.files to where the log lies" in told
    assert "Not well: 1 problem" in told


def test_bad_configuration_is_a_finding(shop, capsys):
    """The packages are looked at all the same."""
    (shop / "bad.toml").write_text("lakes = 1\n", encoding="utf-8")
    assert call("--config", "bad.toml", "--json") == 2
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert found["bad.toml"]["state"] == "problem"
    assert "lakes" in found["bad.toml"]["found"]
    assert found["torch"]["state"] == "ok"


def test_no_configuration_is_none(shop, capsys):
    """Without one the lake is no question, unless it was named."""
    (shop / "hoarfrost.toml").unlink()
    assert call("--json") == 0
    assert '"lake"' not in capsys.readouterr().out
    assert call("--config", "hoarfrost.toml") == 2
