"""How many user shards a lake gets."""

from datetime import timedelta

import pytest

from data_contracts.errors import ConfigError
from tasks.ingest import shard_count as module
from tasks.ingest.ingest import ingest
from tasks.ingest.shard_count import shard_count
from tasks.source.log_files import list_log
from tests.tiny_lake import DAY, good_rows, night, write_day

TOMORROW = DAY + timedelta(days=1)


def chosen(lake, day=DAY, **settings):
    """The number that a night would take."""
    tonight = night(lake, day, **settings)
    return shard_count(tonight, list_log(tonight))


def test_the_first_night_chooses_by_the_size_of_its_days(tmp_path, monkeypatch):
    """So that a full window of such days fits the shards; a day more changes nothing."""
    size = write_day(tmp_path, good_rows()).stat().st_size
    assert chosen(tmp_path) == 4
    monkeypatch.setattr(module, "_SHARD_BYTES", size)
    window = {"history": {"window_days": 30}}
    assert chosen(tmp_path, **window) == 30
    yesterday = DAY - timedelta(days=1)
    write_day(tmp_path, good_rows(day=yesterday), day=yesterday)
    assert chosen(tmp_path, **window) in (30, 31)
    assert chosen(tmp_path) == 256


def test_later_nights_keep_the_number(tmp_path, monkeypatch):
    """Whatever their logs; a first night that is run again keeps it too."""
    write_day(tmp_path, good_rows())
    assert ingest(night(tmp_path)).n_user_shards == 4
    monkeypatch.setattr(module, "_SHARD_BYTES", 1)
    write_day(tmp_path, good_rows(day=TOMORROW), day=TOMORROW)
    assert chosen(tmp_path) == chosen(tmp_path, TOMORROW) == 4
    assert chosen(tmp_path, TOMORROW, history={"n_user_shards": 4}) == 4
    with pytest.raises(ConfigError, match=r"must stay 4 as in the night of 2026-09-10, got 5"):
        chosen(tmp_path, TOMORROW, history={"n_user_shards": 5})
