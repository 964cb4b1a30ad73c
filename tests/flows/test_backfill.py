"""Nights of a range: what they may know, what a kill costs, what is passed over, where it stops."""

import json
import shutil
import signal
from contextlib import redirect_stderr, redirect_stdout
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prefect.settings import PREFECT_API_URL

from data_contracts.backfill import BackfilledNight
from data_contracts.config import NightlyConfig, load_config
from data_contracts.config_text import config_text
from data_contracts.errors import ConfigError, GateRejectedError, TooLittleDataError
from flows.backfill import backfill
from flows.cli import app
from tasks.files import sha256_of
from tasks.lake import night_folder
from tasks.sample.sample_lake import write_sample_lake
from tests.flows.kill_backfill import backfill_until

pytestmark = pytest.mark.slow


class Stopped(NamedTuple):
    """How the command line ended."""

    error: Exception
    answer: dict[str, Any]
    told: str


class Shops(NamedTuple):
    """Two lakes with the same shop and the same first nights."""

    config: NightlyConfig  # of the lake whose log goes on after the last night
    all_nights: list[BackfilledNight]
    ended: Path  # lake whose log ends with the second night; killed in it, then gone on
    killed: int  # exit code
    went_on: Stopped
    days: list[date]


def shop(lake: Path, mlflow: Path) -> tuple[NightlyConfig, list[date]]:
    """Make a shop whose nights promote, so that a night depends on those before it."""
    sample = write_sample_lake(lake, seed=7, n_users=400, n_items=150, n_days=8)
    (lake / "mlflow").mkdir()
    shutil.copy(mlflow, lake / "mlflow" / "mlflow.db")
    path = lake / "hoarfrost.toml"
    config = load_config(path)
    gate = config.gate.model_copy(update={"min_users": 10, "unjudged": "promote"})
    model = config.model.model_copy(update={"n_factors": 8, "n_epochs": 4})
    config = config.model_copy(update={"gate": gate, "model": model, "lake": "."})
    path.write_text(config_text(config), encoding="utf-8")
    return load_config(path), [sample.run_date + timedelta(days=n) for n in (-1, 0, 1)]


def go_on(lake: Path, days: list[date]) -> Stopped:
    """Ask the command line for these days, of which the last is missing in the log."""
    config, out, told = str(lake / "hoarfrost.toml"), StringIO(), StringIO()
    arguments = ["backfill", "--from", str(days[0]), "--to", str(days[-1]), "--config", config]
    with (
        redirect_stdout(out),
        redirect_stderr(told),
        pytest.raises(TooLittleDataError, match="is missing") as stopped,
    ):
        app([*arguments, "--json"], result_action="return_value")
    return Stopped(stopped.value, json.loads(out.getvalue()), told.getvalue())


@pytest.fixture(scope="module")
def shops(tmp_path_factory, prefect_api, migrated_mlflow, forkserver) -> Shops:
    """Fill three nights where the log goes on, two where it ends: killed and started again."""
    going_on, ended = (tmp_path_factory.mktemp(name) for name in ("going-on", "ended"))
    config, days = shop(going_on, migrated_mlflow)
    shop(ended, migrated_mlflow)
    for folder in (ended / "interactions").iterdir():
        if date.fromisoformat(folder.name.removeprefix("date=")) > days[1]:
            shutil.rmtree(folder)
    arguments = ("judge", str(ended / "hoarfrost.toml"), days, PREFECT_API_URL.value())
    victim = forkserver.Process(target=backfill_until, args=arguments)
    victim.start()
    victim.join(timeout=300)
    went_on = go_on(ended, days)
    return Shops(config, list(backfill(config, days)), ended, victim.exitcode, went_on, days)


def tables(lake: Path, day: date) -> dict[str, str]:
    """Digest of every file of the snapshot of a night, its manifest among them."""
    (folder,) = (lake / "snapshots").glob(f"{day}-*")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {f"{folder.name}/{path.relative_to(folder)}": sha256_of(path) for path in files}


def lists(lake: Path, day: date) -> set[str]:
    """Digests of the files of top_n of a night."""
    return {digest for name, digest in tables(lake, day).items() if "/top_n/" in name}


def finished_files(lake: Path) -> dict[str, int]:
    """When everything that nights and snapshots consist of was written."""
    files = [path for part in ("state", "snapshots") for path in (lake / part).rglob("*")]
    return {str(path): path.stat().st_mtime_ns for path in files if path.is_file()}


def test_a_night_knows_nothing_of_later_files(shops):
    """Its tables are byte for byte those of a lake whose log ended with it."""
    for day in shops.days[:2]:
        assert tables(Path(shops.config.lake), day) == tables(shops.ended, day)
    one, other = (lists(shops.ended, day) for day in shops.days[:2])
    assert not one & other  # nights do differ: the test can fail


def test_a_killed_backfill_goes_on_and_passes_over_what_is_done(shops):
    """The night that the kill cut short is finished, the one before it left alone."""
    assert shops.killed == -signal.SIGKILL
    answer = shops.went_on.answer
    assert [night["run_date"] for night in answer["nights"]] == [str(d) for d in shops.days[:2]]
    assert [night["passed_over"] for night in answer["nights"]] == [True, False]


def test_a_night_that_fails_stops_it_with_its_exit_code_and_the_way_on(shops):
    """The day is missing; the sentence and the JSON hold the command for what is left."""
    assert shops.went_on.error.exit_code == 4
    left = str(shops.days[2])
    command = f"hoarfrost backfill --from {left} --to {left} --config "
    assert shops.went_on.answer["go_on"].startswith(command)
    assert shops.went_on.answer["problem"] == str(shops.went_on.error)
    assert f"2 nights are done; mend what stopped it, then: {command}" in shops.went_on.told


def test_done_nights_are_passed_over_untouched(shops):
    """No file is written anew, and the answer is the same."""
    lake = Path(shops.config.lake)
    before = finished_files(lake)
    again = list(backfill(shops.config, shops.days))
    assert all(night.passed_over for night in again)
    assert finished_files(lake) == before
    same = {"passed_over", "seconds"}
    assert [night.model_dump(exclude=same) for night in again] == [
        night.model_dump(exclude=same) for night in shops.all_nights
    ]


def test_nights_follow_in_order_and_each_has_a_verdict(shops):
    """A champion may change every night."""
    assert [night.run_date for night in shops.all_nights] == shops.days
    assert not any(night.passed_over for night in shops.all_nights)
    assert [night.champion_version for night in shops.all_nights] == ["1", "2", "3"]


def test_strict_stops_after_a_rejected_night_even_if_it_was_done_before(shops, tmp_path):
    """The rejected night is told of, its tables are published, the next one does not run."""
    lake = shutil.copytree(shops.config.lake, tmp_path / "lake", symlinks=True)
    config = shops.config.model_copy(update={"lake": str(lake)})
    path = night_folder(lake, shops.days[1]) / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(report | {"verdict": "reject", "reason": "worse"}))
    assert len(list(backfill(config, shops.days))) == 3
    nights, done = backfill(config, shops.days, strict=True), []
    with pytest.raises(GateRejectedError, match="the challenger was rejected: worse"):
        done.extend(nights)
    assert [night.run_date for night in done] == shops.days[:2]


def test_a_night_before_those_that_ran_is_refused(shops):
    """It would know items of later days."""
    earlier = shops.days[0] - timedelta(days=1)
    with pytest.raises(ConfigError, match=f"in their order, got {earlier} after the night of"):
        list(backfill(shops.config, [earlier]))
