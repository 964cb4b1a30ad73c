"""Rules of a day: every one beyond its limit and inside it; what waits, stops, and is told."""

import contextlib
import logging
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from pydantic import ValidationError

from data_contracts.errors import ContractViolationError, TooLittleDataError
from data_contracts.interactions import FILE_RULES, ROW_RULES, USER_RULES
from data_contracts.table_rules import TABLE_RULES
from data_contracts.validation import RowRule, RulesConfig
from tasks.day_rules.log_drift import compare_log
from tasks.day_rules.table_rules import judge_day, judged_day
from tasks.ingest.ingest import ingest
from tasks.ingest.validating import validate_log
from tests.tiny_lake import DAY, SCHEMA, at, good_rows, night, quarantined, write_day

N = 20  # rows of a usual day
HALF = {"severity": "stop", "max_share": 0.25}
BAD_ROWS = {
    "user_id_missing": (None, "i1", "view", at(8)),
    "item_id_missing": ("u1", None, "view", at(8)),
    "user_id_unfit": ("u" * 1_025, "i1", "view", at(8)),
    "item_id_unfit": ("u1", "i" * 1_025, "view", at(8)),
    "timestamp_missing": ("u1", "i1", "view", None),
    "event_type_unknown": ("u1", "i1", "stare", at(8)),
    "timestamp_ancient": ("u1", "i1", "view", datetime(1970, 1, 1, tzinfo=UTC)),
    "timestamp_in_future": ("u1", "i1", "view", at(24)),
    "too_late": ("u1", "i1", "view", at(-99)),
    "duplicate": ("u0", "i0", "view", at(1)),
}


def usual_rows(day=DAY, n=N):
    """As many events spread over a whole day, on ten items."""
    return [(f"u{k % 5}", f"i{k % 10}", "view", at(23.5 * (k + 1) / n, day)) for k in range(n)]


def write_catalogue(lake, n=10):
    """A catalogue of the items of usual days."""
    (lake / "items").mkdir(exist_ok=True)
    items = pl.DataFrame({"item_id": [f"i{k}" for k in range(n)]}, schema={"item_id": pl.String})
    items.write_parquet(lake / "items" / "a.parquet")


@pytest.fixture
def lake(tmp_path):
    """Four usual days, taken and counted by the night before; a catalogue."""
    for ago in (4, 3, 2, 1):
        day = DAY - timedelta(days=ago)
        write_day(tmp_path, usual_rows(day), day=day)
    write_catalogue(tmp_path)
    judged(tmp_path, day=DAY - timedelta(days=1), drift=True)
    return tmp_path


def limited(lake, day=DAY, *, most_events=1000, **rules):
    """A night with limits."""
    limits = {
        "max_bad_share": 1.0,
        "min_share_of_usual": 0.0,
        "max_events_per_user_day": most_events,
    }
    return night(lake, day, validation=limits | {"rules": rules})


def judged(lake, *, day=DAY, drift=False, **rules):
    """The outcomes of a night by rule, of its own day."""
    tonight = limited(lake, day, **rules)
    log = ingest(tonight)
    manifest = judge_day(tonight, log)
    if drift:
        compare_log(tonight, log)
    return {each.rule: each for each in manifest.outcomes if each.day == day}


DAYS = {  # rule -> rows of a day beyond its limit, of one inside it, the figures of both
    "uniqueness": (
        [*usual_rows(), *usual_rows()[:3]], [*usual_rows(), *usual_rows()[:2]], 3 / 23, 2 / 22,
    ),
    "freshness": (
        [row for row in usual_rows() if row[3] < at(11.9)],
        [*usual_rows(n=10)[:4], ("u", "i1", "view", at(12))], 24 - 23.5 / 2, 12.0,
    ),
    "volume": (usual_rows(n=9), usual_rows(n=10), 0.45, 0.5),
    "unknown_items": (
        [*usual_rows(), *(("u", f"x{k}", "view", at(k)) for k in range(6))],
        [*usual_rows(), *(("u", f"x{k}", "view", at(k)) for k in range(5))], 6 / 26, 0.2,
    ),
    "new_items": (
        [*usual_rows(), *(("u", f"x{k}", "view", at(k)) for k in range(21))],
        [*usual_rows(), *(("u", f"x{k}", "view", at(k)) for k in range(20))], 21 / 41, 0.5,
    ),
}  # fmt: skip


def test_every_rule_has_a_limit_and_a_case_here():
    """A new rule needs both."""
    assert set(RulesConfig.model_fields) == {*ROW_RULES, *USER_RULES, *TABLE_RULES}
    assert set(DAYS) == set(TABLE_RULES)
    elsewhere = {"bot", "value_unfit"}  # the latter in test_event_columns
    assert {*BAD_ROWS, *elsewhere} == {*ROW_RULES, *USER_RULES}
    assert set(FILE_RULES) == {
        "unreadable_file", "wrong_columns", "day_waits", "too_late_file", "day_set_aside",
    }  # fmt: skip


@pytest.mark.parametrize("rule", TABLE_RULES)
def test_a_day_beyond_a_limit_is_told_of_and_one_at_it_is_not(lake, rule, caplog):
    """With the figure, in the log as well; the limit itself is allowed."""
    beyond, inside, figure, allowed = DAYS[rule]
    write_day(lake, beyond)
    with caplog.at_level(logging.WARNING):
        found = judged(lake)[rule]
    assert (found.state, found.figure) == ("warned", pytest.approx(figure))
    assert found.sentence in judged_day(limited(lake)).warnings
    assert f"validation.rules.{rule}" in found.sentence
    assert found.sentence in caplog.text
    write_day(lake, inside)
    found = judged(lake)[rule]
    assert (found.state, found.figure) == ("passed", pytest.approx(allowed))
    assert found.sentence not in judged_day(limited(lake)).warnings


@pytest.mark.parametrize("rule", TABLE_RULES)
def test_a_limit_can_stop_the_night(lake, rule):
    """With exit code 3, or 4 where a day is too small; nothing is kept, so that it stops again."""
    write_day(lake, DAYS[rule][0])
    for _ in range(2):
        with pytest.raises(
            (ContractViolationError, TooLittleDataError), match=f"validation.rules.{rule}"
        ) as stopped:
            judged(lake, **{rule: {"severity": "stop"}})
        assert stopped.value.exit_code == (4 if rule == "volume" else 3)
    assert judged_day(limited(lake)) is None
    write_day(lake, DAYS[rule][1])
    assert judged(lake, **{rule: {"severity": "stop"}})[rule].state == "passed"


@pytest.mark.parametrize("rule", TABLE_RULES)
def test_a_day_can_be_set_aside_until_it_changes(lake, rule):
    """The night goes on without it, run again it does not read it, and tomorrow neither."""
    write_day(lake, DAYS[rule][0])
    limits = {rule: {"severity": "quarantine"}}
    found = judged(lake, **limits)
    assert found[rule].state == "quarantined"
    tonight, tomorrow = limited(lake, **limits), DAY + timedelta(days=1)
    for _ in range(2):
        log = ingest(tonight)
        assert (log.log_files, log.accepted) == ((), 0)
        assert quarantined(lake) == [("part-0.parquet", None, "day_set_aside")]
        assert judge_day(tonight, log).outcomes == tuple(found.values())
    write_day(lake, usual_rows(tomorrow), day=tomorrow)
    later = limited(lake, tomorrow, **limits)
    assert set(ingest(later).accepted_by_day) == {tomorrow}
    write_day(lake, DAYS[rule][1])
    log = ingest(later)
    assert set(log.accepted_by_day) == {DAY, tomorrow}
    assert {each.state for each in judge_day(later, log).outcomes if each.rule == rule} == {
        "passed"
    }


def test_a_day_that_waited_is_read_when_the_limit_changes(lake):
    """And judged by the new one."""
    write_day(lake, DAYS["freshness"][0])
    aside = {"freshness": {"severity": "quarantine"}}
    judged(lake, **aside)
    assert ingest(limited(lake, **aside)).accepted == 0
    wider = {"freshness": {"severity": "quarantine", "max_hours": 20.0}}
    assert judged(lake, **wider)["freshness"].state == "passed"
    assert ingest(limited(lake, **wider)).accepted == 10
    assert judged_day(limited(lake)).waiting == ()


def test_a_day_that_waited_and_is_no_better_waits_on(lake):
    """The later night that reads it again judges it, too."""
    limits = {"volume": {"severity": "quarantine"}}
    tomorrow = DAY + timedelta(days=1)
    write_day(lake, usual_rows(n=5))
    judged(lake, **limits)
    write_day(lake, usual_rows(n=6))
    write_day(lake, usual_rows(tomorrow), day=tomorrow)
    later = limited(lake, tomorrow, **limits)
    found = judge_day(later, ingest(later))
    assert [each.day for each in found.waiting] == [DAY]
    assert set(ingest(later).accepted_by_day) == {tomorrow}


@pytest.mark.parametrize("severity", ["quarantine", "stop"])
def test_a_day_left_out_is_judged_by_the_next_night(lake, severity):
    """Though its own night was killed or given up before it could ingest again."""
    limits = {"volume": {"severity": severity}}
    tomorrow = DAY + timedelta(days=1)
    write_day(lake, usual_rows(n=5))
    write_day(lake, usual_rows(tomorrow), day=tomorrow)
    with contextlib.suppress(TooLittleDataError):
        judged(lake, **limits)
    later = limited(lake, tomorrow, **limits)
    if severity == "stop":
        for _ in range(2):
            with pytest.raises(TooLittleDataError, match=f"5 good rows on {DAY}"):
                judge_day(later, ingest(later))
    else:
        assert set(ingest(later).accepted_by_day) == {tomorrow}
    write_day(lake, usual_rows())
    log = ingest(later)
    found = {(each.rule, each.day): each.state for each in judge_day(later, log).outcomes}
    assert set(log.accepted_by_day) == {DAY, tomorrow}
    assert found["volume", DAY] == found["volume", tomorrow] == "passed"


def test_a_file_that_comes_late_for_a_day_is_not_judged_as_that_day(lake):
    """Whether its own night took the day, or a later one did."""
    limits = {"volume": {"severity": "quarantine"}}
    days = [DAY + timedelta(days=ahead) for ahead in range(3)]
    write_day(lake, usual_rows(n=5))
    judged(lake, **limits)
    ingest(limited(lake, **limits))
    write_day(lake, usual_rows())
    for day in days[1:]:
        write_day(lake, usual_rows(day), day=day)
        later = limited(lake, day, **limits)
        found = judge_day(later, ingest(later))
        first = {DAY} if day == days[1] else set()
        assert {each.day for each in found.outcomes} == first | {day}
        assert judge_day(later, ingest(later)) == found
        for late in (DAY, day):
            write_day(lake, good_rows(1, late), day=late, name="late")


def test_a_first_day_that_is_set_aside_leaves_nothing_to_train_on(tmp_path):
    """Which is said as what it is."""
    write_day(tmp_path, DAYS["freshness"][0])
    limits = {"freshness": {"severity": "quarantine"}}
    judged(tmp_path, **limits)
    with pytest.raises(TooLittleDataError, match="is set aside by a rule and no other day is"):
        ingest(limited(tmp_path, **limits))


@pytest.mark.parametrize("rule", BAD_ROWS)
def test_rows_of_a_rule_can_stop_the_night(lake, rule):
    """One in five is beyond a sixth, and inside a quarter; without a limit the day goes on."""
    rows = good_rows(4)
    write_day(lake, [*rows, BAD_ROWS[rule]], name="part-1")
    loose = {"freshness": {"max_hours": 24}, "volume": {"min_factor": 0}}
    with pytest.raises(
        ContractViolationError, match=rf"{rule}: 1 of 5 rows .* most lie in .*part-1"
    ):
        judged(lake, **loose, **{rule: {"severity": "stop", "max_share": 0.16}})
    assert judged(lake, **loose)[rule].most is None
    found = judged(lake, **loose, **{rule: {"severity": "stop", "max_share": 0.25}})[rule]
    assert (found.state, found.figure, found.most) == ("passed", 0.2, 0.25)


def test_rows_of_bots_are_bounded_too(lake):
    """By a number as well as by a share."""
    write_day(lake, [*usual_rows(), *(("b", f"i{k}", "view", at(k)) for k in range(8))])
    few = {"bot": {"severity": "warn", "max_rows": 7}}
    found = judged(lake, most_events=7, **few)["bot"]
    assert (found.state, found.figure, found.most, found.unit) == ("warned", 8.0, 7, "rows")
    assert "8 of 28 rows" in found.sentence
    assert (
        judged(lake, most_events=7, bot={"severity": "warn", "max_rows": 8})["bot"].state
        == "passed"
    )


def test_a_rule_of_rows_needs_a_limit():
    """Else its severity would say nothing; and rows beyond it are never kept."""
    with pytest.raises(ValidationError, match="must have max_share or max_rows, got neither"):
        RowRule(severity="stop")


def test_a_large_day_stops_with_another_code_than_a_small_one(lake):
    """Too much is no lack of data."""
    write_day(lake, [*usual_rows(), *(("v", f"i{k % 9}", "view", at(k / 3)) for k in range(21))])
    with pytest.raises(
        ContractViolationError, match=r"41 good rows .* 2\.05 times .* many"
    ) as stopped:
        judged(lake, volume={"severity": "stop"})
    assert stopped.value.exit_code == 3
    assert judged(lake, volume={"severity": "stop", "max_factor": 2.1})["volume"].state == "passed"


def test_what_cannot_be_said_is_said(tmp_path):
    """On a first night without a catalogue."""
    write_day(tmp_path, usual_rows())
    found = judged(tmp_path)
    unsaid = {rule for rule, each in found.items() if each.state == "not enough data"}
    assert unsaid == {"volume", "unknown_items", "new_items"}
    assert "there is no catalogue" in found["unknown_items"].sentence
    assert "no day before is usual yet" in found["volume"].sentence


def test_ids_of_another_type_in_the_catalogue_are_a_sentence(tmp_path):
    """Before the first night as well; a catalogue without a row knows no item of any type."""
    numbers = SCHEMA | {"item_id": pl.Int64()}
    write_day(tmp_path, [("u", 7, "view", at(13))], schema=numbers)
    write_catalogue(tmp_path)
    check = validate_log(limited(tmp_path))
    assert (check.exit_code, check.outcomes) == (3, ())
    assert "item_id" in check.problem
    with pytest.raises(ContractViolationError, match="item_id"):
        judged(tmp_path)
    write_catalogue(tmp_path, 0)
    found = judged(tmp_path)["unknown_items"]
    assert (found.state, found.figure) == ("warned", 1.0)
    assert validate_log(limited(tmp_path)).outcomes == judged_day(limited(tmp_path)).outcomes


def test_outcomes_are_found_once_and_again_when_a_limit_changes(lake):
    """Or the catalogue; ingest stays what it was."""
    write_day(lake, usual_rows())
    judged(lake)
    paths = [limited(lake).step(step) / "manifest.json" for step in ("ingest", "table_rules")]
    first = [path.stat().st_mtime_ns for path in paths]
    judged(lake)
    assert [path.stat().st_mtime_ns for path in paths] == first
    judged(lake, new_items={"max_share": 0.6})
    second = [path.stat().st_mtime_ns for path in paths]
    assert (second[0], second[1] > first[1]) == (first[0], True)
    pl.DataFrame({"item_id": ["other"]}).write_parquet(lake / "items" / "b.parquet")
    judged(lake, new_items={"max_share": 0.6})
    assert paths[1].stat().st_mtime_ns > second[1]


@pytest.mark.parametrize("rule", TABLE_RULES)
def test_validating_tells_the_same_and_keeps_nothing(lake, rule):
    """Outcome for outcome, with duplicates, late rows and bad ones in the log."""
    late = ("u0", "x9", "view", at(-3))
    write_day(lake, [*DAYS[rule][0], late, BAD_ROWS["user_id_missing"], BAD_ROWS["duplicate"]])
    check = validate_log(limited(lake))
    assert not (limited(lake).folder).exists()
    tonight = limited(lake)
    assert check.outcomes == judge_day(tonight, ingest(tonight)).outcomes
    tighter = {"volume": {"min_factor": 0.6}, "new_items": {"max_share": 0.4}}
    limit = {"severity": "stop"} | tighter.get(rule, {})
    stopping = validate_log(limited(lake, **{rule: limit}))
    assert stopping.exit_code == (4 if rule == "volume" else 3)
    assert f"validation.rules.{rule}" in stopping.problem
