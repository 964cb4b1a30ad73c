"""The sample lake: the same bytes every time, every fault where it is said to be, nothing else."""

import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from data_contracts.config import load_config
from data_contracts.errors import ConfigError
from tasks.catalogue import read_catalogue
from tasks.files import sha256_of
from tasks.lake import Night
from tasks.sample.sample_lake import write_sample_lake

SMALL = {"seed": 3, "n_users": 60, "n_items": 40, "n_days": 5}
RULES = {
    "user_id_missing", "item_id_missing", "timestamp_missing", "event_type_unknown",
    "timestamp_ancient", "timestamp_in_future", "too_late", "duplicate", "bot", "unreadable_file",
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The sample in its usual size: the lake and what it holds."""
    lake = tmp_path_factory.mktemp("sample") / "lake"
    return lake, write_sample_lake(lake, seed=42)


@pytest.fixture(scope="module")
def log(whole):
    """Every row that can be read, with its file, row number and partition."""
    lake, sample = whole
    broken = {fault.file for fault in sample.faults if fault.row_number is None}
    paths = [path.relative_to(lake).as_posix() for path in lake.glob("interactions/*/*")]
    return pl.concat(
        pl.read_parquet(lake / path).with_row_index("row_number").with_columns(
            file=pl.lit(path), day=pl.lit(date.fromisoformat(path[18:28]))
        )
        for path in sorted(set(paths) - broken)
    )  # fmt: skip


def first_broken_rule(sample) -> pl.Expr:
    """Tell anew, rule by rule, what is wrong with a row."""
    time, user, event = pl.col("timestamp"), pl.col("user_id"), pl.col("event_type")
    known = ["view", "add_to_cart", "purchase", "search_click"]
    same = pl.struct("user_id", "item_id", "event_type", "timestamp")
    broken = {
        "user_id_missing": user.is_null() | (user == ""),
        "item_id_missing": pl.col("item_id").is_null() | (pl.col("item_id") == ""),
        "timestamp_missing": time.is_null(),
        "event_type_unknown": event.is_null() | ~event.is_in(known),
        "timestamp_ancient": time < datetime(2000, 1, 1, tzinfo=UTC),
        "timestamp_in_future": time.dt.date() > sample.last_day,
        "too_late": time.dt.date() < pl.col("day") - timedelta(days=3),
        "duplicate": ~same.is_first_distinct(),
        "bot": pl.len().over("user_id", time.dt.date()) > 1000,
    }
    return pl.coalesce(pl.when(wrong).then(pl.lit(rule)) for rule, wrong in broken.items())


def files(lake) -> dict[str, str]:
    """Return the digest of every file of a lake."""
    return {
        str(path.relative_to(lake)): sha256_of(path) for path in lake.rglob("*") if path.is_file()
    }


def test_every_fault_is_where_it_is_said_to_be(whole, log):
    """Planted rows break their rule, and no other row breaks any."""
    _, sample = whole
    found = log.with_columns(rule=first_broken_rule(sample)).filter(pl.col("rule").is_not_null())
    planted = {
        (fault.file, fault.row_number, fault.rule)
        for fault in sample.faults
        if fault.row_number is not None
    }
    assert set(found.select("file", "row_number", "rule").rows()) == planted


def test_every_kind_of_fault_is_planted_but_few(whole, log):
    """All rules on several days before the night, in under two per cent of the rows."""
    _, sample = whole
    kinds = Counter(fault.rule for fault in sample.faults)
    assert set(kinds) == RULES
    assert min(n for rule, n in kinds.items() if rule != "unreadable_file") >= 20
    assert len(sample.faults) < 0.02 * sample.rows
    assert all(fault.day < sample.run_date for fault in sample.faults)
    assert log.height == sample.rows


def test_null_and_empty_are_planted(log):
    """A missing id comes in both forms, a wrong event type, too."""
    for column in ("user_id", "item_id"):
        assert log[column].null_count() > 0
        assert (log[column] == "").any()
    assert log["event_type"].null_count() > 0
    assert (log["event_type"] == "veiw").any()


def test_dates_and_files(whole):
    """Thirty days of two files; two days remain after the first night."""
    lake, sample = whole
    assert sample.first_day == date(2026, 9, 1)
    assert sample.run_date == date(2026, 9, 28)
    assert sample.last_day == date(2026, 9, 30)
    names = Counter(path.name for path in lake.glob("interactions/date=2026-09-*/*.parquet"))
    assert names == {"part-0.parquet": 30, "part-1.parquet": 30, "late.parquet": 1}


def test_columns(log):
    """The log has one column more than the contract knows."""
    assert log.select(pl.exclude("file", "day", "row_number")).schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "event_type": pl.String,
        "timestamp": pl.Datetime("us", "UTC"),
        "page": pl.String,
    }
    assert set(log.filter(event_type="purchase")["page"]) == {"/checkout"}
    assert log.filter(event_type="view")["page"].str.starts_with("/item/sku-").all()


def test_one_file_is_cut_short(whole):
    """In the middle of the month; every other one can be read."""
    lake, sample = whole
    (fault,) = (fault for fault in sample.faults if fault.rule == "unreadable_file")
    assert fault.file == "interactions/date=2026-09-10/part-1.parquet"
    with pytest.raises(pl.exceptions.ComputeError, match="parquet"):
        pl.read_parquet(lake / fault.file)


def test_one_file_is_late(whole, log):
    """Its rows are two days older than its partition and are nowhere else."""
    _, sample = whole
    late = log.filter(file=sample.late_file)
    assert late.height == sample.late_rows > 20
    assert set(late["day"] - late["timestamp"].dt.date()) == {timedelta(days=2)}
    assert log.filter(pl.col("timestamp").is_in(late["timestamp"].implode())).height == late.height


def test_configuration_and_catalogue_fit(whole):
    """The lake brings its configuration; what is sold out is in the catalogue."""
    lake, sample = whole
    config = load_config(lake / "hoarfrost.toml")
    assert config.lake == str(lake)
    assert config.events["search_click"] == 0.0
    items = read_catalogue(Night(config=config, run_date=sample.run_date))
    assert items.height == 2000
    assert 0 < (~items["available"]).sum() < 100
    assert items["title"].n_unique() == 2000


@pytest.mark.parametrize("size", [SMALL, SMALL | {"n_users": 400, "n_items": 150, "n_days": 8}])
def test_small_lakes_have_all_but_the_bot(tmp_path, size):
    """A robot would be most of a small log, so it stays away."""
    sample = write_sample_lake(tmp_path / "lake", **size)
    assert {fault.rule for fault in sample.faults} == RULES - {"bot"}
    assert (sample.last_day - sample.run_date).days == 2


def test_the_smallest_lake_is_written(tmp_path):
    """A file without rows has no faults, and is still a file."""
    sample = write_sample_lake(tmp_path, seed=3, n_users=10, n_items=20, n_days=5)
    assert len(list(tmp_path.glob("interactions/*/*.parquet"))) == 11
    assert 0 < sample.rows < 300


def test_writing_is_repeatable(tmp_path):
    """The same arguments give the same bytes; another seed gives others."""
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    assert write_sample_lake(one, **SMALL) == write_sample_lake(same, **SMALL)
    write_sample_lake(other, **SMALL | {"seed": 4})
    assert files(one) == files(same)
    log = "interactions/date=2026-09-01/part-0.parquet"
    assert files(one)[log] != files(other)[log]


def test_a_lake_in_use_is_left_as_it_is(tmp_path):
    """Nights have added to it, a person has edited it: nothing is touched."""
    sample = write_sample_lake(tmp_path, **SMALL)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger").write_text("of many nights")
    (tmp_path / "hoarfrost.toml").write_text("seed = 1")
    (tmp_path / sample.late_file).unlink()
    before = files(tmp_path)
    assert write_sample_lake(tmp_path, **SMALL) == sample
    assert files(tmp_path) == before


def test_another_sample_is_not_written_over(tmp_path):
    """Both sets of arguments are named."""
    write_sample_lake(tmp_path, **SMALL)
    before = files(tmp_path)
    with pytest.raises(ConfigError, match=r"sample of \{'seed': 4.*got that of \{'seed': 3"):
        write_sample_lake(tmp_path, **SMALL | {"seed": 4})
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["notes.txt", "interactions", "state"])
def test_a_foreign_folder_is_not_touched(tmp_path, name):
    """Whatever lies there is not ours, also where it is called like ours."""
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=f"must be empty for a sample lake, got {name}"):
        write_sample_lake(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_is_no_lake(tmp_path):
    """A file of that name stays."""
    (tmp_path / "lake").write_text("mine")
    with pytest.raises(ConfigError, match="must be a folder, got a file"):
        write_sample_lake(tmp_path / "lake", **SMALL)


def test_a_damaged_description_is_refused(tmp_path):
    """A marker that cannot be understood is no licence to write."""
    (tmp_path / "sample_lake.json").write_text('{"seed": 3}')
    with pytest.raises(ConfigError, match="must describe a sample lake of this version"):
        write_sample_lake(tmp_path, **SMALL)


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_a_sample_cut_short_is_written_again(tmp_path, moved):
    """Killed while writing, or after any of the moves into place: the end is the same."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    sample = write_sample_lake(whole, **SMALL)
    (killed / ".sample" / "interactions" / "date=2026-09-01").mkdir(parents=True)
    (killed / ".sample" / "interactions" / "date=2026-09-01" / "part-0.parquet").write_bytes(b"PA")
    for name in ("interactions", "items", "hoarfrost.toml")[:moved]:
        source = whole / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, killed / name)
    assert write_sample_lake(killed, **SMALL) == sample
    assert files(killed) == files(whole)


def test_a_staging_folder_does_not_open_a_foreign_lake(tmp_path):
    """Even beside our own leftovers, what is not ours stays."""
    (tmp_path / ".sample").mkdir()
    (tmp_path / "photos").mkdir()
    with pytest.raises(ConfigError, match="must be empty for a sample lake, got photos"):
        write_sample_lake(tmp_path, **SMALL)
