"""Every rule of files: one that breaks it, and one beside it that is taken."""

from datetime import timedelta

import polars as pl
import pytest

from data_contracts.interactions import FILE_RULES
from tasks.day_rules.table_rules import judge_day
from tasks.ingest.ingest import ingest
from tests.tiny_lake import DAY, good_rows, night, quarantined, write_day

YESTERDAY = DAY - timedelta(days=1)
ASIDE = {"validation": {"rules": {"freshness": {"severity": "quarantine"}}}}


def no_parquet(lake):
    """A file of another kind."""
    write_day(lake, [], day=YESTERDAY, name="bad").write_bytes(b"user_id,item_id")
    return YESTERDAY, {"unreadable_file"}


def no_columns(lake):
    """A file without an item."""
    path = write_day(lake, [], day=YESTERDAY, name="bad")
    pl.DataFrame({"user_id": ["u"]}).write_parquet(path)
    return YESTERDAY, {"wrong_columns"}


def broken_sibling(lake):
    """A whole file beside a broken one."""
    no_parquet(lake)
    write_day(lake, good_rows(2, YESTERDAY), day=YESTERDAY, name="whole")
    return YESTERDAY, {"unreadable_file", "day_waits"}


def long_after(lake):
    """A file of five days ago, after the night of yesterday."""
    write_day(lake, good_rows(6, YESTERDAY), day=YESTERDAY)
    ingest(night(lake, YESTERDAY, **ASIDE))
    day = DAY - timedelta(days=5)
    write_day(lake, good_rows(2, day), day=day, name="bad")
    return day, {"too_late_file"}


def cut_short(lake):
    """Yesterday ends at six in the morning, and that was too early."""
    write_day(lake, good_rows(6, YESTERDAY), day=YESTERDAY, name="bad")
    before = night(lake, YESTERDAY, **ASIDE)
    assert [each.day for each in judge_day(before, ingest(before)).waiting] == [YESTERDAY]
    return YESTERDAY, {"day_set_aside"}


CASES = {
    "unreadable_file": no_parquet,
    "wrong_columns": no_columns,
    "day_waits": broken_sibling,
    "too_late_file": long_after,
    "day_set_aside": cut_short,
}


@pytest.mark.parametrize("rule", FILE_RULES)
def test_file_is_refused_under_its_rule_and_the_one_beside_it_is_taken(tmp_path, rule):
    """A new rule needs a case above."""
    day, rules = CASES[rule](tmp_path)
    write_day(tmp_path, good_rows())
    manifest = ingest(night(tmp_path, **ASIDE))
    assert {file.rule for file in manifest.refused_files} == rules >= {rule}
    assert {file.partition for file in manifest.refused_files} == {day}
    assert {broken for _, row, broken in quarantined(tmp_path)} == rules
    assert all(row is None for _, row, _ in quarantined(tmp_path))
    assert manifest.accepted_by_day == {DAY: 6}
