"""The command line: exit codes, plain errors, JSON that scripts can read."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from prefect.settings import PREFECT_API_URL

from flows.cli import app
from tasks.lock import lake_lock
from tasks.sample.sample_lake import write_sample_lake
from tests.command_line import hoarfrost


@pytest.fixture
def shop(tmp_path, prefect_api, migrated_mlflow, monkeypatch):
    """A small sample lake with a migrated store, and a Prefect server that its nights share."""
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    sample = write_sample_lake(tmp_path, seed=5, n_users=300, n_items=100, n_days=8)
    (tmp_path / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, tmp_path / "mlflow" / "mlflow.db")
    return tmp_path, sample


def days(lake: Path, run_date) -> Path:
    """The log files of one day."""
    return lake / "interactions" / f"date={run_date}"


def assert_plain(answer, exit_code, *words):
    """The command ended as it should, with a sentence and without a traceback."""
    assert answer.returncode == exit_code, answer.stderr
    assert "Traceback" not in answer.stderr + answer.stdout
    for word in words:
        assert word in answer.stderr


def test_init_writes_a_configuration_that_validates(tmp_path):
    """The written file loads; a second init does not write over it."""
    assert hoarfrost("init", "shop.toml", cwd=tmp_path, fresh=True).returncode == 0
    assert (tmp_path / "shop.toml").read_text(encoding="utf-8").startswith("# Configuration")
    assert_plain(hoarfrost("init", "shop.toml", cwd=tmp_path), 2, "exists already")
    status = hoarfrost("status", "--config", "shop.toml", cwd=tmp_path)
    assert_plain(status, 1, "no lake at")


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["run", "--no-such-flag"], ["run", "--date", "tomorrow"]]
)
def test_wrong_usage_is_exit_code_2(arguments, tmp_path):
    """A script can tell a typing mistake from a failed night."""
    assert hoarfrost(*arguments, cwd=tmp_path).returncode == 2


def test_help_has_examples_and_exit_codes(capsys):
    """A person who asks for help gets it."""
    commands = [name for name in app if not name.startswith("-")]
    assert {"run", "plan", "query", "export", "why"} <= set(commands)
    for command in ([], *([name] for name in commands)):
        app([*command, "--help"], result_action="return_value")
        assert ("Example:" if command else "Exit codes:") in capsys.readouterr().out


def test_command_line_starts_without_heavy_packages():
    """They take seconds, and some write to standard error when they are loaded."""
    heavy = ("mlflow", "pandera", "polars", "prefect", "torch", "pandas", "scipy")
    told = f"import sys, flows.cli; print([name for name in {heavy} if name in sys.modules])"
    command = [sys.executable, "-c", told]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_night_status_and_query_in_json(shop):
    """What a night leaves behind can be read by scripts."""
    lake, sample = shop
    config = lake / "hoarfrost.toml"
    run = "run", "--config", config, "--date", sample.run_date, "--json"
    night = hoarfrost(*run, fresh=True)
    assert_plain(night, 0)
    report = json.loads(night.stdout)
    assert report["run_date"] == str(sample.run_date)
    assert all(json.loads(line)["message"] for line in night.stderr.splitlines())
    status = json.loads(hoarfrost("status", "--config", config, "--json").stdout)
    assert status["latest"] == Path(report["snapshot"]).name
    assert [line["entry"]["verdict"] for line in status["promotions"]] == [report["verdict"]]
    assert (status["whole"], status["problems"], status["notes"]) == (True, [], [])
    sql = "SELECT count(*) AS n FROM top_n JOIN items USING (item_id)"
    (row,) = json.loads(hoarfrost("query", sql, "--config", config, "--json").stdout)
    assert row["n"] == report["table_rows"]["top_n"]
    assert_plain(hoarfrost("query", "SELEC 1", "--config", config), 2, "must be valid DuckDB SQL")


def test_validate_explains_every_rule_and_keeps_nothing(shop):
    """The rules are counted and explained; the lake is as before."""
    lake, sample = shop
    config = lake / "hoarfrost.toml"
    answer = hoarfrost("validate", "--config", config, "--date", sample.run_date, "--json")
    assert_plain(answer, 0)
    check = json.loads(answer.stdout)
    assert set(check["quarantined"]) <= set(check["rules"])
    assert check["quarantined"]["timestamp_in_future"] > 0
    assert not (lake / "state").exists()
    assert not (lake / "quarantine").exists()


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize(
    ("fault", "exit_code", "word"),
    [
        ("missing", 4, "is missing"),
        ("empty", 4, "is empty"),
        ("small", 4, "is suspiciously small"),
        ("truncated", 3, "not a whole Parquet file"),
    ],
)
def test_bad_day_stops_the_night(shop, fault, exit_code, word, command):
    """The sentence says which; the exit code tells scripts; nothing is published."""
    lake, sample = shop
    spoil(days(lake, sample.run_date), fault)
    answer = hoarfrost(command, "--config", lake / "hoarfrost.toml", "--date", sample.run_date)
    assert answer.returncode == exit_code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert word in answer.stderr + answer.stdout.replace("\n", " ")
    assert str(sample.run_date) in answer.stderr + answer.stdout
    assert not (lake / "latest").exists()


def spoil(folder: Path, fault: str) -> None:
    """Do to a day what can happen to one."""
    for path in folder.glob("*.parquet"):
        if fault == "missing":
            path.unlink()
        elif fault == "truncated":
            path.write_bytes(path.read_bytes()[:-20])
        else:
            rows = pl.read_parquet(path)
            rows.head(0 if fault == "empty" else rows.height // 20).write_parquet(path)


def test_second_night_on_a_lake_is_turned_away(shop):
    """While one night holds the lake, another ends with exit code 6."""
    lake, sample = shop
    with lake_lock(lake):
        answer = hoarfrost("run", "--config", lake / "hoarfrost.toml", "--date", sample.run_date)
    assert_plain(answer, 6, "another night holds the lake")


def test_broken_day_leaves_the_last_snapshot(shop):
    """A good night, then a truncated file: latest still shows the good one."""
    lake, sample = shop
    config, next_day = lake / "hoarfrost.toml", sample.run_date + timedelta(days=1)
    assert hoarfrost("run", "--config", config, "--date", sample.run_date).returncode == 0
    before = (lake / "latest").resolve()
    spoil(days(lake, next_day), "truncated")
    answer = hoarfrost("run", "--config", config, "--date", next_day)
    assert_plain(answer, 3, "part-0.parquet", "The last snapshot stays")
    assert (lake / "latest").resolve() == before
