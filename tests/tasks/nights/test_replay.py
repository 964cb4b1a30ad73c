"""What another model would have done: on the same users, with the same champion, nothing moved."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from data_contracts.config_text import config_text
from data_contracts.errors import HoarfrostError
from data_contracts.manifests import Interval
from data_contracts.model_file import ModelFile, model_file_of
from data_contracts.replay import Replay, ReplayedNight, SkippedNight
from flows.cli import app
from tasks.files import sha256_of
from tasks.housekeeping import drop_old_state
from tasks.lake import Night
from tasks.nights.replay import replay_night, replay_nights
from tasks.nights.replay_chart import replay_chart
from tests.tiny_night import run_night, tiny_shop

pytestmark = pytest.mark.slow
SMALL = ModelFile.model_validate({"model": {"n_factors": 2, "n_epochs": 1}, "seed": 9})


@pytest.fixture(scope="module")
def nights(tmp_path_factory, migrated_mlflow) -> list[Night]:
    """Two nights in a row, and a third that let housekeeping take the matrices of the first."""
    lake = tmp_path_factory.mktemp("shop")
    made = tiny_shop(lake)
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    gate = made[0].config.gate.model_copy(update={"min_users": 10, "unjudged": "promote"})
    config = made[0].config.model_copy(update={"gate": gate})
    made = [night.model_copy(update={"config": config}) for night in made]
    for night in made:
        run_night(night)
    later = made[1].model_copy(update={"run_date": made[1].run_date.replace(day=8)})
    assert later.run_date > made[1].run_date
    run_night(later)
    drop_old_state(later)
    return [*made, later]


def outside(lake: Path) -> dict[str, str]:
    """Everything of a lake that is no replay, by digest."""
    files = [path for path in lake.rglob("*") if path.is_file()]
    replays = lake / "state" / "replay"
    return {str(path): sha256_of(path) for path in files if not path.is_relative_to(replays)}


def replayed(night: Night, file: ModelFile) -> ReplayedNight:
    """A replay that must not be left out."""
    done = replay_night(night, file)
    assert isinstance(done, ReplayedNight), done
    return done


def test_the_model_of_the_night_does_again_what_it_did(nights):
    """Same users, same fit, same champion: no difference, and the verdict of then."""
    for night in nights[:2]:
        done = replayed(night, model_file_of(night.config))
        assert done.replayed == done.challenger
        assert (done.over_challenger.mean, done.over_challenger.low) == (0.0, 0.0)
        assert done.verdict == done.verdict_then
    assert done.champion is not None


def test_another_model_is_judged_and_nothing_else_of_the_lake_changes(nights):
    """Ledger, registry, snapshots and steps keep every byte; scratch matrices are taken away."""
    night = nights[1]
    assert not list(nights[0].step("matrices").rglob("*.npy"))  # so they were built again
    before = outside(night.lake)
    done = replayed(night, SMALL)
    assert outside(night.lake) == before
    assert done.replayed != done.challenger
    assert done.over_challenger.low <= done.over_challenger.mean <= done.over_challenger.high
    assert done.over_challenger.mean == pytest.approx(done.replayed.mean - done.challenger.mean)
    assert done.over_champion is not None
    assert done.over_champion.mean == pytest.approx(done.replayed.mean - done.champion.mean)
    assert not list((night.lake / "state" / "replay").rglob("*.npy"))


def test_a_model_that_learns_with_content_finds_it_in_the_lake(nights):
    """The catalogue, and vectors by a path inside the lake."""
    night = nights[1]
    items = pl.read_parquet(night.lake / "items" / "*.parquet")["item_id"]
    vectors = pl.DataFrame({"item_id": items, "vector": [[1.0, k % 3] for k in range(len(items))]})
    vectors.write_parquet(night.lake / "vectors.parquet")
    model = {"kind": "elsa_content", "embeddings": "vectors.parquet", "n_epochs": 1}
    done = replayed(night, ModelFile.model_validate({"model": model}))
    assert 0.0 < done.replayed.mean < 1.0
    (night.lake / "vectors.parquet").unlink()


def test_a_finished_night_is_not_replayed_twice(nights):
    """Another model does not push it out either."""
    first = replayed(nights[1], SMALL)
    other = SMALL.model_copy(update={"seed": 10})
    assert replayed(nights[1], other).key != first.key
    assert replayed(nights[1], SMALL) == first  # its seconds, too


def with_history(night: Night, **changed: Any) -> Night:
    """The night under another [history]."""
    history = night.config.history.model_copy(update=changed)
    return night.model_copy(update={"config": night.config.model_copy(update={"history": history})})


def test_a_night_whose_ground_is_gone_is_left_out_with_a_reason(nights):
    """Other histories, another gate, or no such night: figures would not be comparable."""
    other = with_history(nights[1], half_life_days=1.0)
    found = replay_night(other, SMALL.model_copy(update={"seed": 11}))
    assert isinstance(found, SkippedNight)
    assert "matrices come out otherwise now" in found.reason
    evaluation = nights[1].config.evaluation.model_copy(update={"max_users": 5})
    config = nights[1].config.model_copy(update={"evaluation": evaluation})
    found = replay_night(nights[1].model_copy(update={"config": config}), SMALL)
    assert isinstance(found, SkippedNight)
    assert "its users are judged otherwise now" in found.reason
    unknown = nights[0].model_copy(update={"run_date": nights[0].run_date.replace(day=1)})
    found = replay_night(unknown, SMALL)
    assert isinstance(found, SkippedNight)
    assert "its step ingest has left no manifest" in found.reason


def test_the_command_line_answers_for_all_nights_and_leaves_a_drawing(nights, tmp_path, capsys):
    """As JSON; days without a night are not asked for."""
    path, model = tmp_path / "shop.toml", tmp_path / "small.toml"
    path.write_text(config_text(nights[0].config), encoding="utf-8")
    model.write_text("seed = 9\n[model]\nn_factors = 2\nn_epochs = 1\n", encoding="utf-8")
    days = ["--from", str(nights[0].run_date.replace(day=1)), "--to", str(nights[1].run_date)]
    asked = ["replay", "--model-config", str(model), *days, "--config", str(path)]
    app([*asked, "--json"], result_action="return_value")
    made = Replay.model_validate(json.loads(capsys.readouterr().out))
    assert [night.run_date for night in made.nights] == [night.run_date for night in nights[:2]]
    assert made.skipped == ()
    assert made.chart is not None
    assert ET.parse(made.chart).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert Replay.model_validate_json(Path(str(made.table)).read_bytes()) == made
    app(asked, result_action="return_value")
    assert "over challenger" in capsys.readouterr().out


def test_a_range_without_a_night_is_refused(nights):
    """Nothing is no answer."""
    with pytest.raises(HoarfrostError, match="no night between 2026-09-01 and 2026-09-01 in"):
        replay_nights(nights[0].config, SMALL, "small", [nights[0].run_date.replace(day=1)])


def test_a_drawing_holds_no_markup_of_a_name(nights):
    """A file may be called anything."""
    night = replayed(nights[1], SMALL)
    flat = night.model_copy(update={"replayed": Interval(mean=0.2, low=0.2, high=0.2)})
    made = Replay(
        model="<script>&", digest="", metric=night.metric, nights=(flat,), skipped=(),
        mean_over_challenger=0.0, nights_better=0, nights_worse=0, chart=None, table=None,
    )  # fmt: skip
    root = ET.fromstring(replay_chart(made))
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    with pytest.raises(ValueError, match="needs a night that was replayed"):
        replay_chart(made.model_copy(update={"nights": ()}))
