"""Judging again: exact figures first, and then the rows come in with the next night."""

from datetime import timedelta

import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError, ContractViolationError, LakeLockedError
from data_contracts.interactions import INTERACTION_RULES
from tasks.history.history import build_history
from tasks.history.history_shard import read_history
from tasks.ingest.ingest import ingest
from tasks.lock import lake_lock
from tasks.quarantine.quarantine_replay import replay_quarantine
from tasks.quarantine.quarantine_report import summarise_quarantine
from tests.tiny_lake import DAY, at, good_rows, night, quarantined, write_day

TOMORROW = DAY + timedelta(days=1)
ALL = {"view": 1.0, "purchase": 2.0, "add_to_cart": 2.0, "stare": 1.0}


@pytest.fixture
def lake(tmp_path):
    """A night that refuses an unknown event type, twice the same event of it, and a missing id."""
    stare = ("u9", "i9", "stare", at(5))
    write_day(tmp_path, [*good_rows(3), stare, stare, (None, "i1", "stare", at(6))])
    ingest(night(tmp_path))
    return tmp_path


def config(lake, **sections) -> NightlyConfig:
    """The configuration of the nights."""
    return night(lake, **sections).config


def state(lake):
    """Every file."""
    return {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()}


def test_nothing_passes_while_nothing_is_mended(lake):
    """And nothing is written by looking."""
    before = state(lake)
    (judged,) = replay_quarantine(config(lake)).nights
    assert (judged.rows, judged.would_pass, judged.gone) == (3, {}, 0)
    assert judged.still == {"event_type_unknown": 2, "user_id_missing": 1}
    assert (judged.would_refuse, judged.problem) == ({}, None)
    assert state(lake) == before


def test_mended_mapping_lets_rows_pass_and_finds_the_next_fault(lake):
    """The second telling of an event is a duplicate now, as the night would say."""
    before = state(lake)
    found = replay_quarantine(config(lake, events=ALL))
    (judged,) = found.nights
    assert judged.would_pass == {"event_type_unknown": 1}
    assert judged.still == {"duplicate": 1, "user_id_missing": 1}
    assert (found.applied, state(lake)) == (False, before)


def test_stricter_rules_are_told_too(lake):
    """Rows that are accepted now and would be refused."""
    (judged,) = replay_quarantine(config(lake, events={"purchase": 1.0})).nights
    assert judged.would_refuse == {"event_type_unknown": 3}
    assert "is empty" in judged.problem


def test_applied_rows_enter_the_next_night_s_history(lake):
    """As if the rule had been right from the start, byte for byte."""
    write_day(lake, good_rows(4, TOMORROW), day=TOMORROW)
    looked = replay_quarantine(config(lake, events=ALL))
    done = replay_quarantine(config(lake, events=ALL), apply=True)
    assert (done.applied, done.nights) == (True, looked.nights)
    assert [rule for _, _, rule in quarantined(lake)] == ["duplicate", "user_id_missing"]
    tomorrow = night(lake, TOMORROW, events=ALL)
    build_history(tomorrow, ingest(tomorrow))
    history = read_history(tomorrow.step("history"))
    assert ("u9", "i9") in history.select("user_id", "item_id").rows()
    (again,) = replay_quarantine(config(lake, events=ALL), run_date=DAY).nights
    assert again.would_pass == {}


def test_a_mended_file_that_was_refused_as_a_whole(tmp_path):
    """Its day waits no longer."""
    yesterday = DAY - timedelta(days=1)
    torn = write_day(tmp_path, good_rows(2, yesterday), day=yesterday)
    whole = torn.read_bytes()
    torn.write_bytes(whole[:-8])
    write_day(tmp_path, good_rows(2, yesterday), day=yesterday, name="sibling")
    write_day(tmp_path, good_rows(3))
    ingest(night(tmp_path))
    (judged,) = replay_quarantine(config(tmp_path)).nights
    assert judged.still == {"day_waits": 1, "unreadable_file": 1}
    torn.write_bytes(whole)
    (judged,) = replay_quarantine(config(tmp_path)).nights
    assert judged.would_pass == {"day_waits": 1, "unreadable_file": 1}
    assert [name.split("/")[-1] for name in judged.files_would_pass] == [
        "part-0.parquet", "sibling.parquet",
    ]  # fmt: skip
    assert judged.would_refuse == {}


@pytest.mark.parametrize("fate", ["removed", "changed"])
def test_rows_whose_file_is_gone_or_changed_are_not_guessed(lake, fate):
    """Their numbers mean nothing any more."""
    write_day(lake, [("u5", "i5", "stare", at(7)), ("u6", "i6", "view", at(7))], name="other")
    ingest(night(lake))
    path = next(lake.glob("interactions/*/part-0.parquet"))
    if fate == "removed":
        path.unlink()
    else:
        write_day(lake, good_rows(6))
    (judged,) = replay_quarantine(config(lake, events=ALL)).nights
    assert (judged.rows, judged.gone) == (4, 3)
    assert (judged.would_pass, judged.still) == ({"event_type_unknown": 1}, {})


def test_a_night_that_stopped_for_its_bad_rows(tmp_path):
    """It left no manifest, but a quarantine; mended, it would go through."""
    write_day(tmp_path, [*good_rows(2), ("u9", "i9", "stare", at(5))])
    strict = {"max_bad_share": 0.1}
    with pytest.raises(ContractViolationError, match="1 of 3 rows are bad"):
        ingest(night(tmp_path, validation=strict))
    (judged,) = replay_quarantine(config(tmp_path, validation=strict)).nights
    assert "1 of 3 rows are bad" in judged.problem
    mended = config(tmp_path, validation=strict, events=ALL)
    (judged,) = replay_quarantine(mended).nights
    assert (judged.would_pass, judged.problem) == ({"event_type_unknown": 1}, None)


def test_forgotten_nights_and_other_nights_are_left_alone(lake):
    """Old rows have no place in any history."""
    later = DAY + timedelta(days=20)
    write_day(lake, [*good_rows(3, later), ("u9", "i9", "gaze", at(5, later))], day=later)
    ingest(night(lake, later))
    nights = replay_quarantine(config(lake)).nights
    assert [each.run_date for each in nights] == [DAY, later]
    short = config(lake, history={"window_days": 20})
    assert [each.run_date for each in replay_quarantine(short).nights] == [later]
    (one,) = replay_quarantine(config(lake), run_date=DAY).nights
    assert one.rows == 3
    assert replay_quarantine(config(lake), run_date=TOMORROW).nights == ()


def test_apply_waits_for_no_night_and_shards_are_fixed(lake):
    """Both with their sentences."""
    with lake_lock(lake), pytest.raises(LakeLockedError, match="another night holds"):
        replay_quarantine(config(lake), apply=True)
    write_day(lake, [*good_rows(3, TOMORROW), (None, "i", "view", at(1, TOMORROW))], day=TOMORROW)
    ingest(night(lake, TOMORROW))
    with pytest.raises(ConfigError, match="n_user_shards must stay 4"):
        replay_quarantine(config(lake, history={"n_user_shards": 2}))


def test_every_rule_has_its_sentence(lake):
    """For whoever reads the figures."""
    found = replay_quarantine(config(lake))
    assert found.rules == INTERACTION_RULES == summarise_quarantine(lake).rules
