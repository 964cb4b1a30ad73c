"""Kill promote, rollback and a night between any two writes: the next start mends what was left."""

import os
import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from data_contracts.ledger import LedgerLine
from tasks.registry.registry_state import ALIASES, ruling
from tasks.sample.sample_lake import write_sample_lake
from tests.bucket import bucket_of, point_to, s3_server
from tests.flows import kill_registry

TARGET = "s3://tables/shop"
EVERY = 3  # so many kills share one whole night that comes after


class Drill(NamedTuple):
    """A lake with two nights published and two more trained, and a copy of it to go back to."""

    lake: Path
    saved: Path
    context: object
    days: list
    environment: dict

    def run(self, action, given, die_at=None):
        """Act in a process; return its exit code, its writes, and how all stood and stands."""
        said = self.context.SimpleQueue()
        config = self.lake / "hoarfrost.toml"
        arguments = (action, config, given, self.environment, die_at, said)
        process = self.context.Process(target=kill_registry.act, args=arguments)
        process.start()
        process.join()
        return process.exitcode, *((None,) * 3 if said.empty() else said.get())

    def reset(self):
        """Go back to two published nights."""
        shutil.rmtree(self.lake)
        shutil.copytree(self.saved, self.lake, symlinks=True)
        if self.environment:
            bucket_of(TARGET).put("latest.json", self.saved.with_name("latest.json").read_bytes())


@pytest.fixture(scope="module")
def drill(tmp_path_factory, migrated_mlflow, forkserver):
    """Prepare the lake, with an object store besides."""
    root = tmp_path_factory.mktemp("drill")
    lake = root / "lake"
    sample = write_sample_lake(lake, seed=7, n_users=150, n_items=80, n_days=7)
    days = [sample.run_date + timedelta(days=ago) for ago in (-1, 0, 1, 2)]
    lenient(lake / "hoarfrost.toml")
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    with s3_server() as address, pytest.MonkeyPatch.context() as patch:
        point_to(patch, address)
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        made = Drill(lake, root / "saved", forkserver, days, aws)
        for day in days:
            process = forkserver.Process(
                target=kill_registry.prepare, args=(lake / "hoarfrost.toml", day)
            )
            process.start()
            process.join()
            assert process.exitcode == 0
        bucket = bucket_of(TARGET)
        for day in days[:2]:
            code, _, _, after = made.run("night", day)
            assert (code, after["problems"]) == (0, [])
        assert after["registry"]["champion"] == after["model_version"] == "2"
        (root / "latest.json").write_bytes(bucket.get("latest.json")[0])
        shutil.copytree(lake, made.saved, symlinks=True)
        yield made


def lenient(config):
    """Let a gate with so few users promote every challenger, and name the bucket."""
    lines = config.read_text(encoding="utf-8").split("\n")
    given = {
        "margin =": "margin = 9.0", "min_users =": "min_users = 2",
        "max_coverage_loss =": "max_coverage_loss = 1.0",
        "max_popularity_rise =": "max_popularity_rise = 99.0",
        "max_fallback_rise =": "max_fallback_rise = 1.0", "# target =": f'target = "{TARGET}"',
    }  # fmt: skip
    changed = [
        next((new for old, new in given.items() if row.startswith(old)), row) for row in lines
    ]
    config.write_text("\n".join(changed), encoding="utf-8")


def agrees(state):
    """Tell whether ledger, aliases and, after a rollback, the tables show one decision."""
    now = ruling([LedgerLine.model_validate(line).entry for line in state["promotions"]])
    shown = {alias: state["registry"][alias] for alias in ALIASES}
    same = shown == {alias: getattr(now, alias) for alias in ALIASES}
    if now.action == "rollback":
        same &= state["model_version"] == now.champion
    return same


def assert_told(state):
    """What a kill left agrees, or status says what does not, and how it is mended."""
    assert state["whole"]
    assert agrees(state) == (not state["problems"])
    for problem in state["problems"]:
        assert "run: hoarfrost " in problem


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "given", "champion"), [("promote", "1", "1"), ("rollback", None, "1")]
)
def test_killed_decision_is_finished_by_itself_and_by_the_next_night(
    drill, action, given, champion
):
    """Before every write once; the decision is in the ledger once, whatever was shown of it."""
    drill.reset()
    code, writes, before, after = drill.run(action, given)
    assert code == 0
    assert agrees(after)
    n_lines = len(before["promotions"]) + 1
    assert {"ledger begin", "ledger end", "set_registered_model_alias champion"} <= set(writes)
    assert action == "promote" or {"swap", "os.rename"} <= set(writes)
    for die_at, write in enumerate(writes, start=1):
        drill.reset()
        assert drill.run(action, given, die_at)[0] == -signal.SIGKILL, write
        if die_at % EVERY == 0:  # the next night, and then the command that was not told
            code, _, left, after = drill.run("night", drill.days[2])
            assert code == 0, write
            assert_told(left)
            assert after["problems"] == [], write
            assert after["model_version"] == after["registry"]["champion"], write
            assert agrees(after), write
            if len(left["promotions"]) == n_lines:
                assert after["promotions"][n_lines - 1] == left["promotions"][-1]
            continue
        code, _, left, after = drill.run(action, given)
        assert code == 0, write
        assert_told(left)
        assert after["problems"] == [], write
        assert agrees(after), write
        assert len(after["promotions"]) == n_lines, write
        assert after["registry"]["champion"] == champion, write
        assert action == "promote" or after["remote"] == after["latest"], write


@pytest.mark.slow
def test_killed_promotion_of_a_night_is_finished_by_itself_and_by_the_next_one(drill):
    """Before every write to ledger and aliases once, and before the first of each other kind.

    What comes after the promotion is killed in test_kill_anywhere.
    """
    drill.reset()
    code, writes, before, after = drill.run("decide", drill.days[2])
    assert code == 0
    assert after["registry"]["champion"] == "3"
    assert {"create_model_version", "ledger middle", "set_tag", "log_batch"} <= set(writes)
    for die_at in moments(writes):
        write = writes[die_at - 1]
        drill.reset()
        assert drill.run("decide", drill.days[2], die_at)[0] == -signal.SIGKILL, write
        day = drill.days[2 + die_at % 2]
        code, _, left, after = drill.run("decide", day)
        assert code == 0, write
        assert_told(left)
        assert after["problems"] == [], write
        assert agrees(after), write
        entries = [line["entry"] for line in after["promotions"]]
        assert entries[-1]["run_date"] == str(day), write
        assert len(entries) <= len(before["promotions"]) + 2, write
        assert len({each["run_date"] for each in entries}) == len(entries), write
        versions = [each["challenger"] for each in entries]
        assert len(set(versions)) == len(versions), write


def moments(writes):
    """Return the numbers of all writes around the decision, and of the first of each other kind."""
    first = {}
    for number, name in enumerate(writes, start=1):
        first.setdefault(name, number)
    deciding = ("ledger", "set_registered", "delete_registered")
    decision = [number for number, name in enumerate(writes, 1) if name.startswith(deciding)]
    return sorted({*first.values(), *decision})
