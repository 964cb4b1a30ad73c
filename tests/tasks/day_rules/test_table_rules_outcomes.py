"""Outcomes of rules against plain arithmetic, for any counts and limits."""

from collections import Counter
from datetime import timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.manifests import LogFile
from data_contracts.validation import RowRule, RulesConfig, VolumeRule
from tasks.day_rules.table_rules_outcomes import DayEvents, day_outcomes
from tasks.day_rules.volume import Usual, usual_volume
from tests.tiny_lake import DAY

NOTHING = DayEvents(None, None, None, {})
STATES = {"warn": "warned", "quarantine": "quarantined", "stop": "stopped"}
SEVERITY = st.sampled_from(sorted(STATES))
COUNTS = st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=4)


def files_of(counts):
    """Files with so many good rows, bots and repeats."""
    return [
        LogFile(
            path=f"{number}.parquet", partition=DAY, bytes=1, modified_ns=1, sha256="",
            rows=good + bots + repeats, accepted=good, quarantined=bots + repeats,
            by_rule={"bot": bots, "duplicate": repeats},
        )
        for number, (good, bots, repeats) in enumerate(counts)
    ]  # fmt: skip


def outcome(rule, rules, files, usual=None, events=NOTHING):
    """The outcome of one rule."""
    (found,) = [e for e in day_outcomes(rules, DAY, files, usual, events) if e.rule == rule]
    return found


@given(COUNTS, SEVERITY, st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 12))
def test_rows_are_bounded_by_share_and_by_number(counts, severity, max_share, max_rows):
    """Each alone is enough; what is shown is the bound that was crossed."""
    limit = RowRule(severity=severity, max_share=max_share, max_rows=max_rows)
    found = outcome("bot", RulesConfig(bot=limit), files_of(counts))
    rows, bots = sum(map(sum, counts)), sum(bots for _, bots, _ in counts)
    if not rows:
        assert (found.state, found.figure) == ("not enough data", None)
        return
    beyond = (max_share is not None and bots / rows > max_share) or bots > max_rows
    assert found.state == (STATES[severity] if beyond else "passed")
    assert (found.figure > found.most) == beyond
    assert found.figure == (bots if found.unit == "rows" else bots / rows)
    if beyond:
        most = max(range(len(counts)), key=lambda number: counts[number][1])
        assert found.file == f"{most}.parquet"
        assert found.file in found.sentence


@given(COUNTS)
def test_a_day_is_the_sum_of_its_files(counts):
    """However its rows lie in them, and in whatever order."""
    one = files_of([tuple(map(sum, zip(*counts, strict=True)))])
    for files in (files_of(counts), files_of(counts)[::-1]):
        several, together = (
            [each.model_dump(exclude={"file", "sentence"}) for each in found]
            for found in (
                day_outcomes(RulesConfig(), DAY, some, None, NOTHING) for some in (files, one)
            )
        )
        assert several == together


def test_rows_of_people_who_were_forgotten_are_no_part_of_a_share():
    """They came, and nobody may count them."""
    (file,) = files_of([(5, 5, 0)])
    by_rule = file.by_rule | {"forgotten": 90}
    files = [file.model_copy(update={"rows": 100, "by_rule": by_rule})]
    assert outcome("bot", RulesConfig(), files).figure == 0.5
    assert "5 of 10 rows" in outcome("bot", RulesConfig(), files).sentence
    nobody = [file.model_copy(update={"rows": 90, "by_rule": {"forgotten": 90}})]
    assert outcome("uniqueness", RulesConfig(), nobody).state == "not enough data"


@given(st.integers(0, 100), st.integers(1, 100), SEVERITY)
def test_volume_is_bounded_on_both_sides(rows, usual, severity):
    """Both bounds are still allowed."""
    rule = VolumeRule(severity=severity, min_factor=0.5, max_factor=2.0)
    files = files_of([(rows, 0, 0)])
    found = outcome("volume", RulesConfig(volume=rule), files, Usual(usual, "days"))
    inside = usual <= 2 * rows and rows <= 2 * usual
    assert found.state == ("passed" if inside else STATES[severity])
    assert ("few" in found.sentence, "many" in found.sentence) == (
        2 * rows < usual, rows > 2 * usual,
    )  # fmt: skip


@given(st.dictionaries(st.integers(-3, 40), st.integers(0, 50)), st.integers(1, 4))
def test_usual_is_the_same_weekday_or_any_day_of_four_weeks(ago, fewest):
    """Neither the day itself, nor later ones, nor older ones count."""
    volumes = Counter({DAY - timedelta(days=days): rows for days, rows in ago.items()})
    last = {days: rows for days, rows in ago.items() if 1 <= days <= 28}
    same = [rows for days, rows in last.items() if days in (7, 14, 21, 28)]
    chosen = same if len(same) >= fewest else list(last.values()) if len(last) >= 3 else []
    found = usual_volume(volumes, DAY, VolumeRule(fewest_days=fewest))
    assert (found.rows if found else 0) == (median(chosen) if chosen else 0)


@pytest.mark.parametrize("factor", [1e9, float("inf")])
def test_a_factor_without_end_bounds_nothing_above(factor):
    """And can be kept as JSON."""
    rules = RulesConfig(volume=VolumeRule(max_factor=factor))
    found = outcome("volume", rules, files_of([(9, 0, 0)]), Usual(1, "days"))
    assert found.state == "passed"
    assert type(found).model_validate_json(found.model_dump_json()) == found
