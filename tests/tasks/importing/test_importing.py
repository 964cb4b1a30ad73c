"""Imports: nothing lost, nothing half, nothing overwritten, the same bytes every time."""

import gzip
import json
import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.config import NightlyConfig
from data_contracts.errors import (
    ConfigError,
    ContractViolationError,
    HoarfrostError,
    LakeLockedError,
)
from data_contracts.import_source import LogFormat, LogSource
from tasks.importing import import_days, import_stream, importing
from tasks.importing.importing import import_files
from tasks.ingest.ingest import ingest
from tasks.lake import Night
from tasks.lock import lake_lock

DAY = date(2026, 9, 10)
HEADER = "user_id,item_id,event_type,timestamp"


def config(lake, **sections):
    """A configuration that lets bad rows pass."""
    given = {"validation": {"max_bad_share": 0.9}} | sections
    return NightlyConfig.model_validate({"lake": str(lake), **given})


def write(path: Path, *rows: str, header=HEADER) -> Path:
    """A CSV."""
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def form(**changes) -> LogFormat:
    """The columns of the log, under their own names."""
    return LogFormat(**{"event_column": "event_type"} | changes)


def bring(path, lake, settings=None, name="shop", day=None, **changes):
    """Import one file."""
    source = LogSource(name=name, path=str(path), format=form(**changes), day=day)
    result = import_files(settings or config(lake), [source], today=date(2026, 11, 1))
    return result.logs[0]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, without the lock."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    found.pop("state/night.lock", None)
    return found


def log(lake, pattern="interactions/date=*/*.parquet") -> pl.DataFrame:
    """All rows of the log, by day and in their order."""
    return pl.concat(
        pl.read_parquet(path, hive_partitioning=False) for path in sorted(lake.glob(pattern))
    )


def refused(lake, name="shop") -> list[tuple]:
    """Row number, rule and value of refused rows."""
    frame = pl.read_parquet(lake / "imports" / name / "refused.parquet")
    return frame.select("row_number", "rule", "value").rows()


def test_days_are_those_of_the_log_s_zone(tmp_path):
    """One file per day, rows in their order, times in UTC."""
    path = write(
        tmp_path / "a.csv",
        "u1,i1,view,2026-09-10T23:30:00Z",
        "u2,i2,purchase,2026-09-10T12:00:00Z",
        "u3,i3,view,2026-09-11 00:30",
    )
    zone = {"time_zone": "Europe/Prague"}
    done = bring(path, tmp_path / "lake", config(tmp_path / "lake", interactions=zone))
    assert (done.rows, done.written, done.refused, done.files) == (3, 3, {}, 2)
    assert (done.first_day, done.last_day) == (DAY, DAY + timedelta(days=1))
    assert not (tmp_path / "lake" / "imports" / "shop" / "refused.parquet").exists()
    first, second = (
        log(tmp_path / "lake", f"interactions/date={day}/import-shop.parquet")
        for day in (DAY, DAY + timedelta(days=1))
    )
    assert first.rows() == [("u2", "i2", "purchase", datetime(2026, 9, 10, 12, tzinfo=UTC))]
    assert second["user_id"].to_list() == ["u1", "u3"]
    assert second["timestamp"][1] == datetime(2026, 9, 10, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "rule", "value"),
    [
        ("1,i,view,yesterday,5", "time_unreadable", "yesterday"),
        ("1,i,view,,5", "time_unreadable", ""),
        ("1,i,view,1999-12-31,5", "time_too_early", "1999-12-31"),
        ("1,i,view,2026-11-02,5", "time_in_future", "2026-11-02"),
        ("x,i,view,2026-09-10,5", "user_id_not_integer", "x"),
        ("1.5,i,view,2026-09-10,5", "user_id_not_integer", "1.5"),
        ("99999999999999999999,i,view,2026-09-10,5", "user_id_not_integer", "9" * 20),
        ("1,i,view,2026-09-10,five", "not_a_number", "five"),
        ("1,i,view,2026-09-10,nan", "not_a_number", "nan"),
        ("1,i,view,2026-09-10", "malformed_row", None),
    ],
)
def test_every_rule_refuses_one_row_and_takes_its_neighbour(tmp_path, row, rule, value):
    """With its number, its value and its text."""
    lake, good = tmp_path / "lake", "1,i,view,2026-09-10,5"
    path = write(tmp_path / "a.csv", good, row, good, header=f"{HEADER},stars")
    done = bring(path, lake, user_ids="integer", keep={"stars": "number"})
    assert (done.rows, done.written, done.refused) == (3, 2, {rule: 1})
    assert refused(lake) == [(1, rule, value)]
    assert log(lake)["stars"].to_list() == [5.0, 5.0]
    original = pl.read_parquet(done.refused_file)["original"][0]
    assert row in original or json.loads(original)["timestamp"] == row.split(",")[3]


def test_missing_values_are_the_night_s_to_judge(tmp_path):
    """There the whole row is kept."""
    lake = tmp_path / "lake"
    rows = (",7,view,2026-09-10,", "1,,view,2026-09-10,", "1,7,,2026-09-10,")
    path = write(tmp_path / "a.csv", *rows, header=f"{HEADER},stars")
    done = bring(path, lake, user_ids="integer", keep={"stars": "number"})
    assert done.written == 3
    assert log(lake).select("user_id", "item_id", "event_type", "stars").rows() == [
        (None, "7", "view", None), (1, "", "view", None), (1, "7", "", None),
    ]  # fmt: skip


def test_columns_by_the_configuration_and_by_name(tmp_path):
    """The log's own names, unit of time and pattern are kept; the night reads them."""
    lake = tmp_path / "lake"
    settings = config(
        lake,
        interactions={
            "files": "clicks/day={date}/*.parquet",
            "time_unit": "ms",
            "columns": {"user_id": "visitor", "item_id": "sku", "event_type": ""},
        },
    )
    lines = [{"who": "u1", "what": "i1", "at": 1_789_000_000_123, "page": {"n": 1}}, {"who": "u2"}]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    done = bring(path, lake, settings, layout="jsonl", user_id="who", item_id="what",
                 timestamp="at", time="ms", event_column="", keep={"page": "text"})  # fmt: skip
    assert (done.rows, done.written, done.refused) == (2, 1, {"time_unreadable": 1})
    found = log(lake, "clicks/day=2026-09-10/*.parquet")
    assert found.to_dicts() == [
        {"visitor": "u1", "sku": "i1", "timestamp": 1_789_000_000_123, "page": '{"n": 1}'}
    ]
    assert ingest(Night(config=settings, run_date=DAY)).accepted == 1


def test_columns_that_are_left_out_are_named(tmp_path):
    """Nothing is lost in silence."""
    path = write(tmp_path / "a.csv", "u,i,view,2026-09-10,1,2", header=f"{HEADER},price,shop")
    assert bring(path, tmp_path / "lake", keep={"price": "text"}).left_out == ("shop",)


def test_a_second_import_changes_nothing(tmp_path):
    """And says so; the record is the same but for that."""
    lake = tmp_path / "lake"
    path = write(tmp_path / "a.csv", "u,i,view,2026-09-10", "u,i,view,2026-09-11", "u,i,view,x")
    assert bring(path, lake).files_unchanged == 0
    before = tree(lake)
    assert bring(path, lake).files_unchanged == 2
    after = tree(lake)
    assert {name for name in before if before[name] != after[name]} == {"imports/shop/import.json"}
    assert before.keys() == after.keys()


def test_a_file_with_other_content_is_never_overwritten(tmp_path):
    """Not one day of the import comes in; under another name it does."""
    lake = tmp_path / "lake"
    bring(write(tmp_path / "a.csv", "u,i,view,2026-09-10"), lake)
    before = tree(lake)
    other = write(tmp_path / "b.csv", "u,i,view,2026-09-09", "u,i,purchase,2026-09-10")
    with pytest.raises(
        ContractViolationError, match=r"import-shop.parquet must not be there.*--name"
    ):
        bring(other, lake)
    assert tree(lake) == before
    bring(other, lake, name="more")
    assert log(lake).height == 3
    assert {name: before[name] for name in before} == {
        name: content for name, content in tree(lake).items() if name in before
    }


def test_a_file_that_comes_while_the_import_runs_is_not_overwritten(tmp_path, monkeypatch):
    """The last moment counts."""
    lake = tmp_path / "lake"
    target = lake / "interactions" / "date=2026-09-10" / "import-shop.parquet"
    checked = importing.refuse_foreign

    def check_and_write(staged):
        present = checked(staged)
        target.parent.mkdir(parents=True)
        target.write_bytes(b"theirs")
        return present

    monkeypatch.setattr(importing, "refuse_foreign", check_and_write)
    with pytest.raises(ContractViolationError, match="was written while this import ran"):
        bring(write(tmp_path / "a.csv", "u,i,view,2026-09-10"), lake)
    assert target.read_bytes() == b"theirs"


@pytest.mark.parametrize("step", range(6))
def test_a_killed_import_leaves_whole_days_and_is_repeated(tmp_path, monkeypatch, step):
    """Wherever it stops: each file is whole, the oldest come first, and the end is the same."""

    class KilledError(BaseException):
        """Nobody catches it."""

    days = [DAY + timedelta(days=n) for n in (3, 0, 2, 1)]
    path = write(
        tmp_path / "a.csv", *(f"u{n},i,view,{day}" for n, day in enumerate(days)), "u,i,v,x"
    )
    expected = tmp_path / "expected"
    bring(path, expected)
    lake, calls = tmp_path / "lake", iter(range(100))
    originals = {name: getattr(importing, name) for name in ("place", "write_days", "_keep")}

    def dying(name):
        def call(*arguments):
            if next(calls) == step:
                raise KilledError
            return originals[name](*arguments)

        return call

    with monkeypatch.context() as patch:
        for name in originals:
            patch.setattr(importing, name, dying(name))
        with pytest.raises(KilledError):
            bring(path, lake)
    wanted, left = tree(expected), tree(lake)
    assert all(wanted[name] == content for name, content in left.items())
    assert [name for name in wanted if "date=" in name][: max(step - 1, 0)] == sorted(left)
    bring(path, lake)
    left = tree(lake)
    changed = {name for name in wanted if wanted[name] != left[name]}
    assert changed <= {"imports/shop/import.json"}
    assert wanted.keys() == left.keys()


def test_too_many_bad_rows_import_nothing_but_are_kept_to_look_at(tmp_path):
    """A wrong unit of time must not bring in half a log."""
    lake = tmp_path / "lake"
    settings = NightlyConfig(lake=str(lake))
    path = write(tmp_path / "a.csv", *["u,i,view,2026-09-10"] * 3, "u,i,view,1", "u,i,view,2")
    with pytest.raises(
        ContractViolationError, match=r"at most 20.0%.*got 2 of 5: time_unreadable 2"
    ):
        bring(path, lake, settings)
    assert not (lake / "interactions").exists()
    assert refused(lake) == [(3, "time_unreadable", "1"), (4, "time_unreadable", "2")]


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"user_id": "who"}, ConfigError, "must have the columns who, .* without who"),
        ({"event_column": "", "event_type": "gaze"}, ConfigError, r"\[events\] must weigh 'gaze'"),
        ({"keep": {"timestamp": "text"}}, ConfigError, "not be called like those of the log"),
        ({"timestamp": ""}, ConfigError, "does not say when: .* --date"),
    ],
)
def test_wrong_options_are_told(tmp_path, changes, error, match):
    """Before anything is written to the log."""
    path = write(tmp_path / "a.csv", "u,i,view,2026-09-10")
    with pytest.raises(error, match=match):
        bring(path, tmp_path / "lake", **changes)
    assert not (tmp_path / "lake" / "interactions").exists()


def test_other_refusals(tmp_path):
    """A day for a file with times, repeated columns, no rows, no place, no file."""
    lake, path = tmp_path / "lake", write(tmp_path / "a.csv", "u,i,view,2026-09-10")
    with pytest.raises(ConfigError, match="--date is for files without times"):
        bring(path, lake, day=DAY)
    with pytest.raises(ContractViolationError, match="each column once, got user_id twice"):
        bring(write(tmp_path / "b.csv", "u,u,i,view,2026-09-10", header=f"user_id,{HEADER}"), lake)
    with pytest.raises(ContractViolationError, match="must hold rows, got none"):
        bring(write(tmp_path / "c.csv"), lake)
    with pytest.raises(ConfigError, match="must name the folder of its files"):
        bring(path, lake, config(lake, interactions={"files": "*/{date}/*.parquet"}))
    with pytest.raises(ConfigError, match="must lie in a folder to be imported into, got s3://"):
        bring(path, lake, config(lake, interactions={"files": "s3://b/{date}/*.parquet"}))
    with pytest.raises(ConfigError, match="must name a column for events that are not all view"):
        bring(path, lake, config(lake, interactions={"columns": {"event_type": ""}}))
    with pytest.raises(ConfigError, match="must be a file, got none there"):
        bring(tmp_path / "no.csv", lake)
    with lake_lock(lake), pytest.raises(LakeLockedError, match="another night holds"):
        bring(path, lake)
    assert not (lake / "interactions").exists()


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32), block=st.sampled_from([50, 1000, 2**20]), group=st.integers(1, 9)
)
def test_every_row_is_written_or_refused_and_bytes_depend_on_rows_alone(
    tmp_path_factory, seed, block, group
):
    """However the file is cut into blocks, and plain or compressed."""
    folder, draw = tmp_path_factory.mktemp("import"), random.Random(seed)
    times = ["2026-09-10", "2026-09-11T05:00Z", "2026-09-14", "x", "1999-01-01", "2026-09-10"]
    rows = [f"u{n},é,view,{draw.choice(times)}{',' * (draw.random() < 0.1)}" for n in range(60)]
    path = write(folder / "a.csv", *rows)
    packed = folder / "a.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_days, "_GROUP_ROWS", group)
        first = bring(path, folder / "one")
        patch.setattr(import_stream, "_BLOCK_BYTES", block)
        patch.setattr("tasks.importing.import_reading._BLOCK_BYTES", max(block, 200))
        second = bring(packed, folder / "two")
    assert first.rows == 60 == first.written + sum(first.refused.values())
    assert (first.refused, first.written) == (second.refused, second.written)
    users = log(folder / "one")["user_id"].to_list()
    users += [f"u{row}" for row, *_ in refused(folder / "one")] if first.refused else []
    assert sorted(users) == sorted(f"u{n}" for n in range(60))
    one, two = tree(folder / "one" / "interactions"), tree(folder / "two" / "interactions")
    assert one == two


@given(content=st.binary(max_size=300), layout=st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_end_in_rows_or_a_sentence(tmp_path_factory, content, layout):
    """Never in another error."""
    folder = tmp_path_factory.mktemp("bytes")
    path = folder / "a.csv"
    path.write_bytes(HEADER.encode() + b"\n" + content if layout == "csv" else content)
    try:
        done = bring(path, folder / "lake", layout=layout)
    except HoarfrostError:
        assert not (folder / "lake" / "interactions").exists()
    else:
        assert done.rows == done.written + sum(done.refused.values())


KILLED = """
import os, sys
from datetime import date
from pathlib import Path
from data_contracts.config import NightlyConfig
from data_contracts.import_source import LogFormat, LogSource
from tasks.importing import importing

lake, path, moved, place = sys.argv[1], sys.argv[2], [], importing.place

def dying(staged, target):
    if len(moved) == 2:
        os.kill(os.getpid(), 9)
    moved.append(target)
    return place(staged, target)

importing.place = dying
form = LogFormat(event_column="event_type")
source = LogSource(name="shop", path=path, format=form)
importing.import_files(NightlyConfig(lake=lake), [source], today=date(2026, 11, 1))
"""


def test_a_process_that_is_killed_leaves_two_whole_days(tmp_path):
    """What it had staged is thrown away by the next, which brings in the rest."""
    days = [DAY + timedelta(days=n) for n in (3, 0, 2, 1)]
    path = write(tmp_path / "a.csv", *(f"u{n},i,view,{day}" for n, day in enumerate(days)))
    expected, lake = tmp_path / "expected", tmp_path / "lake"
    bring(path, expected)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(lake), str(path)], check=False)
    assert killed.returncode == -9
    left = tree(lake / "interactions")
    assert sorted(left) == sorted(tree(expected / "interactions"))[:2]
    assert (lake / "state" / "staging" / "import").is_dir()
    assert bring(path, lake).files_unchanged == 2
    assert not (lake / "state" / "staging" / "import").exists()
    assert tree(lake / "interactions") == tree(expected / "interactions")
