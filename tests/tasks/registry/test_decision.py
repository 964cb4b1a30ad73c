"""What a person decides: promotions against the gate, and a rollback that nights do not undo."""

import shutil
from datetime import timedelta

import pytest

from data_contracts.errors import (
    ConfigError,
    ContractViolationError,
    GateRejectedError,
    HoarfrostError,
    LakeLockedError,
)
from data_contracts.publishing import PublishConfig
from tasks.answers.status import lake_status
from tasks.lock import lake_lock
from tasks.registry.decision import promote_version, roll_back
from tasks.registry.ledger import read_ledger, read_lines
from tasks.registry.registry_state import read_aliases
from tasks.registry.tracking import connect
from tasks.snapshot.snapshot import latest_snapshot
from tests.bucket import point_to, s3_server
from tests.tasks.at_once import PATIENCE, promote_at_once
from tests.tiny_night import run_night, tiny_shop

ROUNDS = 10


@pytest.fixture
def nights(tmp_path, migrated_mlflow):
    """Two nights, each of which promoted its challenger, and a third one to come."""
    first, second = (_lenient(night) for night in tiny_shop(tmp_path))
    (tmp_path / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, tmp_path / "mlflow" / "mlflow.db")
    for night in (first, second):
        assert run_night(night).verdict == "promote"
    third = second.model_copy(update={"run_date": second.run_date + timedelta(days=1)})
    return first, second, third


def _lenient(night):
    """So few users are judged: let them promote."""
    gate = night.config.gate.model_copy(update={"margin": 1.0, "min_users": 2})
    return night.model_copy(update={"config": night.config.model_copy(update={"gate": gate})})


def champion_of(night):
    """The alias, as MLflow has it."""
    config = night.config
    return read_aliases(connect(config), config.mlflow.registered_model)["champion"]


@pytest.mark.slow
def test_rollback_drill(nights):
    """Tables and alias go back together, are seen to, and tomorrow does not undo it."""
    first, second, third = nights
    before, _ = latest_snapshot(second.lake)
    decision = roll_back(second.config, None, "lists of one taste")
    folder, shown = latest_snapshot(second.lake)
    assert (decision.champion, decision.before, champion_of(second)) == ("1", "2", "1")
    assert (shown.model_version, shown.run_date) == ("1", first.run_date)
    assert folder != before
    assert before.is_dir()
    entry = read_ledger(second.lake)[-1]
    assert (entry.action, entry.bad_version, entry.snapshot) == ("rollback", "2", folder.name)
    again = roll_back(second.config, "1", "lists of one taste")
    assert again.entry == entry
    assert len(read_lines(second.lake)) == 3
    assert roll_back(second.config, None, "once more").entry == entry  # not forward to the bad one
    report = run_night(second)  # the same night again: fresh tables from the good champion
    assert "Since then champion and tables were rolled back to version 1" in report.reason
    assert report.champion_version == champion_of(second) == "1"
    fresh, _ = latest_snapshot(second.lake)
    assert roll_back(second.config, None, "").snapshot == fresh.name
    assert latest_snapshot(second.lake)[0] == fresh  # not back to tables of the day before
    assert len(read_lines(second.lake)) == 3
    report = run_night(third)
    assert report.verdict == "hold"
    assert "version 2, which was rolled back (lists of one taste)" in report.reason
    assert report.champion_version == champion_of(second) == "1"
    with pytest.raises(GateRejectedError, match=r"reject, it was rolled back"):
        promote_version(third.config, "2", "sure?")
    promote_version(third.config, "2", "mended the titles", force=True)
    assert champion_of(third) == "2"
    assert read_ledger(third.lake)[-1].forced
    lines = read_lines(third.lake)
    promote_version(third.config, "2", "mended the titles", force=True)
    assert read_lines(third.lake) == lines


@pytest.mark.slow
def test_decisions_that_cannot_be_made(nights):
    """Each is a sentence, and nothing is changed by it."""
    _, second, _ = nights
    lines, config = read_lines(second.lake), second.config
    with pytest.raises(ConfigError, match=r"snapshot or version 9 to go back to, got 2026-"):
        roll_back(config, "9", "")
    with pytest.raises(ContractViolationError, match="version 9 of model"):
        promote_version(config, "9", "")
    with pytest.raises(GateRejectedError, match="cannot judge, it was judged against version None"):
        promote_version(config, "1", "")
    with lake_lock(second.lake), pytest.raises(LakeLockedError, match="another night holds"):
        promote_version(config, "1", "", force=True)
    damaged = next((second.lake / "snapshots").glob("*-v1-*")) / "item_embeddings/part-000.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(ContractViolationError, match=r"item_embeddings.part-000\.parquet"):
        roll_back(config, None, "")
    assert read_lines(second.lake) == lines
    assert champion_of(second) == "2"
    assert latest_snapshot(second.lake)[1].model_version == "2"


@pytest.mark.slow
def test_what_others_did_to_the_registry(nights):
    """Moved aliases are taken only by force and told in the ledger; versions may be deleted."""
    _, second, third = nights
    config, name = second.config, second.config.mlflow.registered_model
    client = connect(config)
    client.set_registered_model_alias(name, "champion", "1")
    for decide in (promote_version, roll_back):
        with pytest.raises(ContractViolationError, match=r"promote --version 2 .* --force"):
            decide(config, "2", "mine")
    entry = promote_version(config, "2", "mine", force=True).entry
    assert (entry.forced, entry.verdict, champion_of(second)) == (True, "promote", "2")
    assert promote_version(config, "2", "mine", force=True).entry == entry
    roll_back(config, None, "lists of one taste")
    client.delete_model_version(name, "2")
    with pytest.raises(ContractViolationError, match=r"alias challenger .* points to no version"):
        run_night(third)
    entry = promote_version(config, "1", "without the deleted one", force=True).entry
    assert (entry.challenger, entry.previous, entry.forced) == ("1", None, True)
    assert run_night(third).challenger_version == "3"  # version 2 is no longer there to compare


@pytest.mark.slow
def test_rollback_changes_nothing_if_the_bucket_lacks_the_snapshot(nights, monkeypatch):
    """Tables and alias go together, or neither."""
    _, second, _ = nights
    lines, before = read_lines(second.lake), latest_snapshot(second.lake)
    target = {"publish": PublishConfig(target="s3://tables/shop", give_up_seconds=1)}
    config = second.config.model_copy(update=target)
    with s3_server() as address:
        point_to(monkeypatch, address)
        with pytest.raises(ContractViolationError, match="nothing was changed: name another"):
            roll_back(config, None, "")
    with pytest.raises(HoarfrostError, match="s3://tables"):
        roll_back(config, None, "")  # and now there is no bucket at all
    assert (read_lines(second.lake), latest_snapshot(second.lake)) == (lines, before)
    assert champion_of(second) == "2"


@pytest.mark.slow
def test_two_promotions_at_once(nights, forkserver):
    """One wins and the other is told, or comes after it; ledger and aliases are one story."""
    _, second, _ = nights
    config, n_lines = second.config, len(read_lines(second.lake))
    barrier, said = forkserver.Barrier(3), forkserver.SimpleQueue()
    both = [
        forkserver.Process(target=promote_at_once, args=(config, version, ROUNDS, barrier, said))
        for version in ("1", "2")
    ]
    for process in both:
        process.start()
    for number in range(ROUNDS):
        barrier.wait(PATIENCE)
        outcomes = {version: (code, words) for version, code, words in (said.get(), said.get())}
        won = {version for version, (code, _) in outcomes.items() if code == 0}
        assert won
        for code, words in outcomes.values():
            assert code == 0 or (code == 6 and "another night holds the lake" in words)
        lines = read_lines(second.lake)[n_lines:]  # raises if the chain is not whole
        assert {line.entry.champion for line in lines} == won
        assert {line.entry.reason.partition(" by")[0] for line in lines} == {f"round {number}"}
        assert champion_of(second) == lines[-1].entry.champion
        assert lake_status(config).problems == ()
        n_lines += len(lines)
        barrier.wait(PATIENCE)
    for process in both:
        process.join()


def test_nothing_to_decide_in_a_lake_without_nights(tmp_path):
    """The sentence says what comes first."""
    first, _ = tiny_shop(tmp_path)
    with pytest.raises(ConfigError, match="no night has decided anything"):
        roll_back(first.config, None, "")
