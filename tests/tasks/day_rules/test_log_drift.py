"""A night's log against the days before: what is a drift, what is not, and what is kept."""

import shutil
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ContractViolationError
from data_contracts.log_drift import LogDriftManifest
from tasks.day_rules.log_drift import compare_log, compared_log, counts_that_stand
from tasks.day_rules.log_drift_figures import known_days
from tasks.ingest.ingest import ingest
from tasks.lake import night_folder
from tasks.source.log_files import earlier_ingests
from tasks.steps import read_manifest
from tests.tiny_lake import DAY, SCHEMA, at, night, write_day

N_USERS, N_ITEMS, TYPES = 600, 60, ("view", "view", "view", "purchase")
DISTANCES = ("items_psi", "items_js", "event_types_psi", "event_types_js", "activity_psi")
SETTINGS = {"history": {"n_user_shards": 2}}


def shop_day(day, *, item="i{}", user="u{}", n_users=N_USERS, most=4, hours=24.0, types=TYPES):
    """A day of a shop whose users, items and kinds of events stay what they are."""
    rng = np.random.default_rng(day.toordinal())
    known = rng.choice(N_USERS * 2, n_users, replace=False)
    users = np.repeat(known, rng.integers(1, most + 1, n_users))
    items = (N_ITEMS * rng.random(len(users)) ** 2).astype(int)
    times = np.sort(rng.random(len(users))) * (hours - 0.01)
    kinds = rng.integers(0, len(types), len(users))
    return [
        (user.format(u), item.format(i), types[k], at(t, day))
        for u, i, k, t in zip(users, items, kinds, times, strict=True)
    ]


def compared(lake, day=DAY, **sections):
    """Ingest a day and hold it against those before."""
    made = night(lake, day, **SETTINGS | sections)
    return compare_log(made, ingest(made))


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A lake of nine quiet days: six taken by the first of four nights."""
    lake = tmp_path_factory.mktemp("past")
    for ago in range(9, 0, -1):
        write_day(lake, shop_day(DAY - timedelta(days=ago)), day=DAY - timedelta(days=ago))
    for ago in (4, 3, 2, 1):
        compared(lake, DAY - timedelta(days=ago))
    return lake


@pytest.fixture
def lake(past, tmp_path):
    """A copy of it for tonight."""
    return shutil.copytree(past, tmp_path / "lake")


def test_a_day_like_the_others_is_no_drift(lake):
    """Every figure is told, and none is a warning."""
    write_day(lake, shop_day(DAY))
    found = compared(lake)
    assert {name: each.state for name, each in found.figures.items()} == dict.fromkeys(
        found.figures, "ok"
    )
    assert len(found.figures) == 10
    assert found.warnings == ()
    assert all(each.usual is not None for each in found.figures.values())


@pytest.mark.parametrize(
    ("change", "drifted"),
    [
        ({"item": "j{}"}, {"new_items"}),
        ({"user": "v{}"}, {"new_users"}),
        ({"hours": 12.0}, {"silence"}),
        ({"n_users": 200}, {"volume"}),
        ({"types": ("view", "purchase")}, {"event_types_psi", "event_types_js"}),
        ({"types": ("view",)}, {"event_types_psi", "event_types_js"}),
    ],
    ids=["items", "users", "silence", "volume", "fewer types", "one type"],
)
def test_what_changed_is_what_drifts(lake, change, drifted):
    """Renamed items, renamed users, an export cut at noon, a third of the users, other events."""
    write_day(lake, shop_day(DAY, **change))
    found = compared(lake)
    states = {name: each.state for name, each in found.figures.items()}
    drifts = {name for name, state in states.items() if state == "drift"}
    assert drifted <= drifts
    assert "items_psi" in drifts or "item" not in change
    assert len(found.warnings) == len(drifts)
    assert drifts - drifted <= {"items_psi", "items_js", "activity_psi", "activity_js", "volume"}


def test_nothing_is_said_of_a_few_rows(tmp_path):
    """Neither a drift nor that all is well, whatever they are; and nothing stops the night."""
    for ago in range(9, -1, -1):
        day = DAY - timedelta(days=ago)
        rows = [(f"u{k}", f"i{k}-{ago}", "view", at(k, day)) for k in range(3)]
        write_day(tmp_path, rows, day=day)
    stop = {"max_items_psi": 0.1, "max_volume": 1.01, "max_silence_change": 0.1}
    found = compared(tmp_path, data_drift={"stop": stop})
    assert {each.state for each in found.figures.values()} == {"not enough data"}


def test_a_first_day_has_nothing_to_be_like(tmp_path):
    """However large it is."""
    write_day(tmp_path, shop_day(DAY))
    found = compared(tmp_path)
    assert {each.state for each in found.figures.values()} == {"not enough data"}
    assert found.figures["volume"].value == found.days[0].events
    assert set(found.nights) == {DAY}


def test_a_bound_stops_the_night_only_where_it_is_set(lake):
    """The sentence names figure, bound and key; no manifest is left, so that it stops again."""
    write_day(lake, shop_day(DAY, n_users=200))
    stop = {"data_drift": {"stop": {"min_volume": 0.7}}}
    for _ in range(2):
        with pytest.raises(
            ContractViolationError,
            match=r"at least 0\.7 times the usual [\d,]+, got \d+ \(data_drift\.stop\.min_volume\)",
        ) as stopped:
            compared(lake, **stop)
    assert stopped.value.exit_code == 3
    made = night(lake, **SETTINGS)
    assert compared_log(made) is None
    assert compared(lake).warnings
    assert compared_log(made).figures["volume"].state == "drift"


def test_it_is_done_once_and_again_when_a_bound_changes(lake):
    """Like every step of a night."""
    write_day(lake, shop_day(DAY))
    manifest = night(lake).step("log_drift") / "manifest.json"
    compared(lake)
    written = manifest.stat().st_mtime_ns
    compared(lake)
    assert manifest.stat().st_mtime_ns == written
    compared(lake, data_drift={"false_alarm": 0.02})
    assert manifest.stat().st_mtime_ns > written


def test_counts_by_hand(tmp_path):
    """A duplicate counts once, a late event counts for its own day, by the log's zone."""
    day_before = DAY - timedelta(days=1)
    rows = [
        ("a", "x", "view", at(1)), ("a", "x", "view", at(1)), ("a", "y", "purchase", at(2)),
        ("b", "x", "view", at(3)), ("c", "x", "view", at(22.5, day_before)),
    ]  # fmt: skip
    write_day(tmp_path, rows)
    found = compared(tmp_path)
    late, today = found.days
    assert (late.day, late.events, late.newest) == (day_before, 1, at(22.5, day_before))
    assert (today.day, today.events, today.squares, today.newest) == (DAY, 3, 5, at(3))
    assert today.event_types == {"purchase": 1, "view": 2}
    assert today.activity[:3] == (1, 1, 0)
    items = pl.read_parquet(night(tmp_path).step("log_drift") / "items.parquet")
    assert items.rows() == [(day_before, "x", 1), (DAY, "x", 2), (DAY, "y", 1)]
    zone = {"interactions": {"time_zone": "Europe/Prague"}}
    assert [each.day for each in compared(tmp_path, **zone).days] == [DAY]


def kept_days(lake, day=DAY):
    """What the nights up to a day know of every day, and of every item on it."""
    after = night(lake, day + timedelta(days=1), **SETTINGS)
    ingests = earlier_ingests(after)
    folders = [night_folder(lake, each.run_date) / "log_drift" for each in ingests]
    manifests = [read_manifest(folder, LogDriftManifest) for folder in folders]
    kept = counts_that_stand([each for each in manifests if each], ingests)
    items = pl.concat(
        pl.read_parquet(night_folder(lake, each.run_date) / "log_drift" / "items.parquet")
        for each in kept
    )
    days = known_days(after, [one for each in kept for one in each.days])
    counts = items.group_by("day", "item_id").agg(pl.col("n").sum()).sort("day", "item_id")
    return {day: each.events for day, each in days.by_day.items()}, counts


def test_nights_together_know_what_one_would(lake, tmp_path):
    """Counts of four nights and of a fifth are those of one that takes all the files."""
    write_day(lake, shop_day(DAY))
    several = compared(lake)
    again = shutil.copytree(lake / "interactions", tmp_path / "again" / "interactions").parent
    once = compared(again)
    assert set(several.nights) == set(once.nights) == {DAY}
    (events, items), (events_once, items_once) = kept_days(lake), kept_days(again)
    assert events == events_once
    assert items.equals(items_once)
    for name in DISTANCES:
        assert several.figures[name].value == once.figures[name].value


def test_a_file_that_changed_is_counted_as_it_is_now(lake):
    """What it held when an earlier night took it is not added to it."""
    before = kept_days(lake, DAY - timedelta(days=1))[0]
    changed = DAY - timedelta(days=1)
    rows = shop_day(changed)
    write_day(lake, rows[:100], day=changed)
    write_day(lake, shop_day(DAY))
    found = compared(lake)
    events, _ = kept_days(lake)
    assert events[changed] == 100 < before[changed]
    assert events[changed - timedelta(days=1)] == before[changed - timedelta(days=1)]
    assert set(found.nights) == {changed, DAY}


def test_a_night_nobody_counted_is_counted_by_the_next(lake):
    """As after an update, or a night that was stopped here."""
    shutil.rmtree(night(lake, DAY - timedelta(days=2)).step("log_drift"))
    write_day(lake, shop_day(DAY))
    found = compared(lake)
    assert set(found.nights) == {DAY - timedelta(days=2), DAY}
    assert {each.state for each in found.figures.values()} == {"ok"}


def test_a_weekday_may_be_unlike_the_day_before(tmp_path):
    """Sundays of twice as many events and another kind of them are as usual on a Sunday."""
    sunday = DAY + timedelta(days=6 - DAY.weekday())
    assert sunday.weekday() == 6
    for ago in range(21, -1, -1):
        day = sunday - timedelta(days=ago)
        kind = {"types": ("view", "purchase"), "n_users": 1200} if not ago % 7 else {"n_users": 400}
        write_day(tmp_path, shop_day(day, **kind), day=day)
    found = compared(tmp_path, sunday)
    assert {found.figures[name].state for name in (*DISTANCES, "volume")} == {"ok"}
    monday = sunday + timedelta(days=1)
    write_day(tmp_path, shop_day(monday, types=("view", "purchase"), n_users=1200), day=monday)
    odd = compared(tmp_path, monday)
    assert odd.figures["volume"].state == "drift"
    assert odd.figures["event_types_psi"].state == "drift"


def test_a_log_of_one_kind_of_event_has_no_figure_of_kinds(tmp_path):
    """What cannot move is not shown; integer ids are as good as strings."""
    schema = SCHEMA | {"user_id": pl.Int64(), "item_id": pl.Int64()}
    for ago in range(8, -1, -1):
        day = DAY - timedelta(days=ago)
        rows = [(int(u), int(i), "view", t) for u, i, _, t in shop_day(day, item="{}", user="{}")]
        write_day(tmp_path, rows, day=day, schema=schema)
    found = compared(tmp_path)
    assert {"items_psi", "activity_psi"} <= set(found.figures)
    assert not {"event_types_psi", "event_types_js"} & set(found.figures)
    assert found.figures["items_psi"].state == "ok"


def test_events_of_another_day_alone_are_silence(lake):
    """Files of the run date that hold only the evening before."""
    rows = [(u, i, kind, t - timedelta(days=1)) for u, i, kind, t in shop_day(DAY)]
    write_day(lake, [(u + "x", i, kind, t) for u, i, kind, t in rows])
    found = compared(lake)
    assert found.figures["silence"].state == found.figures["volume"].state == "drift"
    assert found.figures["silence"].value > 24.0
    assert found.figures["items_psi"].value is None
