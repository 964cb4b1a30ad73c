"""The log in an object store: the same history as from folders, little read, troubles told."""

import hashlib
import random
import time
from datetime import timedelta

import polars as pl
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ConfigError
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.ingest.validating import validate_log
from tasks.planning.expected import expect
from tasks.quarantine.quarantine_replay import replay_quarantine
from tasks.source.log_files import list_log
from tests.bucket import SECRET, bucket_of, counted_bucket, point_to, send
from tests.history_bytes import history_bytes
from tests.tiny_lake import DAY, at, good_rows, night, write_day

HIVE = "s3://tables/shop/interactions/date={date}/*.parquet"


@pytest.fixture
def counter(monkeypatch):
    """An empty bucket behind a counter of requests."""
    with counted_bucket(monkeypatch) as counter:
        yield counter


def days_before(ago):
    """A day before the run date."""
    return DAY - timedelta(days=ago)


def bad_rows(day):
    """Good rows, and some of each kind of bad one."""
    return [
        *good_rows(8, day),
        (None, "i1", "view", at(2, day)),
        ("u1", "", "view", at(2, day)),
        ("u1", "i1", "sale", at(2, day)),
        ("u1", "i1", "view", at(30, day)),
        good_rows(1, day)[0],
    ]


def digests(folder):
    """Digest of every Parquet file and array below a folder."""
    paths = [path for path in folder.rglob("*") if path.suffix in (".parquet", ".npy", ".npz")]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def run(lake, day, **settings):
    """Ingest a night's log and build its history and matrices."""
    made = night(lake, day, **settings)
    log = ingest(made)
    return log, build_matrices(made, build_history(made, log))


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ("interactions/date={date}/*.parquet", HIVE),
        ("{date}.parquet", "s3://tables/shop/{date}.parquet"),
        ("log/{date}-*.parquet", "s3://tables/shop/log/{date}-*.parquet"),
        ("*/{date}/h=*/part-?.parquet", "s3://tables/shop/*/{date}/h=*/part-?.parquet"),
    ],
)
def test_same_log_gives_the_same_state_wherever_it_lies(tmp_path, counter, local, remote):
    """Two nights, bad rows and late files among them, in Hive partitions or flat files."""
    lakes = tmp_path / "local", tmp_path / "remote"
    for lake in lakes:
        lake.mkdir()
    folder = lakes[0]

    def write(day, number):
        place = local.replace("{date}", str(day)).replace("part-?", f"part-{number}")
        place = place.replace("*/", "a/").replace("*", str(number))
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        write_day(tmp_path, bad_rows(day), day=day, shop=f"s{number}").rename(path)

    for nights, days in ((days_before(1), (3, 2, 1)), (DAY, (2, 0))):
        for ago in days:
            write(days_before(ago), ago)
        send(folder, "s3://tables/shop")
        mine, _ = run(lakes[0], nights, interactions={"files": local})
        theirs, _ = run(lakes[1], nights, interactions={"files": remote})
        assert theirs.accepted == mine.accepted > 0
        assert [file.by_rule for file in theirs.log_files] == [f.by_rule for f in mine.log_files]
        assert all(
            file.path.startswith("s3://tables/shop/") and file.sha256.startswith("etag:")
            for file in theirs.log_files
        )
    assert digests(lakes[0] / "state" / "nights") == digests(lakes[1] / "state" / "nights")
    for day in (days_before(1), DAY):
        refused = [
            pl.read_parquet(lake / "quarantine" / f"run_date={day}" / "*.parquet").drop(
                "source_file"
            )
            for lake in lakes
        ]
        assert refused[0].equals(refused[1])
        assert refused[0].height > 3
    assert not list((lakes[1] / "state" / "staging").rglob("*.parquet"))


def test_only_what_is_new_is_read_the_next_night(tmp_path, counter):
    """An object with the same tag is the same whenever it was written; a changed one is new."""
    lake, log = tmp_path / "lake", tmp_path / "log"
    for ago in (2, 1):
        write_day(log, good_rows(6, days_before(ago)), day=days_before(ago))
    send(log, "s3://tables/shop")
    run(lake, days_before(1), interactions={"files": HIVE})
    send(log, "s3://tables/shop")  # the same bytes, another time
    changed = write_day(log, bad_rows(days_before(2)), day=days_before(2))
    write_day(log, good_rows(4), day=DAY)
    send(log, "s3://tables/shop")
    counter.asked.clear()
    ingested, _ = run(lake, DAY, interactions={"files": HIVE})
    assert [file.partition for file in ingested.log_files] == [days_before(2), DAY]
    read = {each.path.rpartition("date=")[2] for each in counter.asked if "list-" not in each.path}
    assert read == {f"{days_before(2)}/{changed.name}", f"{DAY}/{changed.name}"}


def test_old_rows_of_a_changed_object_are_replaced(tmp_path, counter):
    """The history is that of a lake that never saw them."""
    lake, fresh, log = tmp_path / "lake", tmp_path / "fresh", tmp_path / "log"
    write_day(log, good_rows(9, days_before(1)), day=days_before(1))
    send(log, "s3://tables/shop")
    run(lake, days_before(1), interactions={"files": HIVE})
    write_day(log, good_rows(3, days_before(1)), day=days_before(1))
    write_day(log, good_rows(3))
    send(log, "s3://tables/shop")
    histories, found = [], []
    for each in (lake, fresh):
        tonight = night(each, interactions={"files": HIVE})
        histories.append(build_history(tonight, ingest(tonight)))
        found.append(history_bytes(tonight.step("history")))
    assert found[0] == found[1]
    assert [file.rows for file in histories[0].log_files] == [9, 3, 3]
    assert histories[0].log_files[0].replaced == 9


def test_days_wanted_are_listed_and_a_listing_has_many_pages(tmp_path, counter):
    """Ten pages are turned; objects of other days cost nothing."""
    counter.page = 10
    bucket = bucket_of("s3://tables/shop")
    days = {days_before(0): 90, days_before(1): 5, days_before(40): 55, days_before(-1): 55}
    for day, n_files in days.items():
        for number in range(n_files):
            bucket.put(f"interactions/date={day}/{number:04d}.parquet", b"")
    bucket.put(f"interactions/date={DAY}/.hidden.parquet", b"")
    bucket.put(f"interactions/date={DAY}/sub/0.parquet", b"")
    bucket.put("interactions/date=2026-09-02/more.parquet", b"")
    counter.asked.clear()
    tonight = night(tmp_path, interactions={"files": HIVE}, history={"window_days": 10})
    listing = list_log(tonight)
    names = [file.path for file in listing.new]
    assert len(names) == 90 + 5 + 1
    assert names == sorted(names)
    assert listing.has_run_date
    asked = [each.path for each in counter.asked]
    assert len(asked) == 10  # for 98 objects, and the first one of the day after
    assert "start-after=shop/interactions/date=2026-08-31" in asked[0]


def test_first_pass_reads_its_four_columns_by_ranges(tmp_path, counter):
    """Row group by row group; a wide column stays where it is, and nothing is read twice."""
    rows, noise = 60_000, random.Random(1)
    frame = pl.DataFrame(
        {
            "user_id": [f"u{k % 900}" for k in range(rows)],
            "item_id": [f"i{k % 70}" for k in range(rows)],
            "event_type": ["view"] * rows,
            "timestamp": [at(1 + k / rows) for k in range(rows)],
            "page": [noise.randbytes(40).hex() for _ in range(rows)],
        }
    )
    path = tmp_path / "log" / "interactions" / f"date={DAY}" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    frame.write_parquet(path, row_group_size=20_000)
    send(tmp_path / "log", "s3://tables/shop")
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
        wanted = [sum(g.column(k).total_compressed_size for k in range(4)) + 1_000 for g in groups]
    footer = 65_536
    counter.asked.clear()
    tonight = night(tmp_path / "lake", interactions={"files": HIVE})
    assert ingest(tonight).accepted == rows
    read = [each.n_bytes for each in counter.asked if "list-type" not in each.path]
    assert sum(read) <= sum(wanted) + 2 * footer < path.stat().st_size / 3  # two looks at the file
    assert max(read) <= max(*wanted, footer)
    assert len(read) == 2 + len(groups)


def test_plan_and_validation_tell_the_same_of_both(tmp_path, counter):
    """Files, bytes, rows and distinct users of a sample; nothing is written."""
    for ago in (1, 0):
        write_day(tmp_path / "local", bad_rows(days_before(ago)), day=days_before(ago))
    send(tmp_path / "local", "s3://tables/shop")
    remote = tmp_path / "remote"
    remote.mkdir()
    nights = night(tmp_path / "local"), night(remote, interactions={"files": HIVE})
    assert expect(nights[0]) == expect(nights[1])
    checks = [validate_log(each).model_dump_json(exclude={"lake"}) for each in nights]
    assert checks[0] == checks[1].replace("s3://tables/shop/", "")
    assert not list(remote.iterdir())


def test_bad_rows_are_judged_again_where_they_lie(tmp_path, counter):
    """As hoarfrost quarantine --replay does, after a type of event was allowed."""
    write_day(tmp_path / "log", bad_rows(DAY))
    send(tmp_path / "log", "s3://tables/shop")
    lake = tmp_path / "lake"
    run(lake, DAY, interactions={"files": HIVE})
    settings = {"interactions": {"files": HIVE}, "events": {"view": 1.0, "sale": 2.0}}
    replay = replay_quarantine(night(lake, **settings).config, apply=True)
    assert replay.nights[0].would_pass == {"event_type_unknown": 1}
    assert ingest(night(lake, **settings)).accepted == 9


def test_keys_of_its_own_stand_before_the_environment(tmp_path, counter, monkeypatch):
    """The log's endpoint and keys; those of the tables are for the tables."""
    write_day(tmp_path / "log", good_rows())
    send(tmp_path / "log", "s3://tables/shop")
    point_to(monkeypatch, "http://127.0.0.1:9")  # where snapshots would go
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-the-tables")
    monkeypatch.setenv("LOG_AT", counter.address)
    monkeypatch.setenv("LOG_KEY", "AKIAOFTHELOG")
    monkeypatch.setenv("LOG_SECRET", SECRET)
    source = {
        "endpoint": "${LOG_AT}", "region": "eu-west-1",
        "access_key_id": "${LOG_KEY}", "secret_access_key": "${LOG_SECRET}",
    }  # fmt: skip
    signed = []
    counter.heard = signed.append
    tonight = night(tmp_path / "lake", interactions={"files": HIVE}, source=source)
    assert ingest(tonight).accepted == 6
    assert signed
    for headers in signed:
        assert "AKIAOFTHELOG/" in headers["authorization"]
        assert "/eu-west-1/" in headers["authorization"]
        assert "x-amz-security-token" not in headers


def test_missing_variable_of_a_key_is_told(tmp_path):
    """By its name."""
    source = {"access_key_id": "${NO_SUCH_KEY}", "secret_access_key": "${NO_SUCH_SECRET}"}
    with pytest.raises(ConfigError, match="environment variable NO_SUCH_KEY must be set"):
        list_log(night(tmp_path, interactions={"files": HIVE}, source=source))


def test_footers_are_asked_for_many_at_once(tmp_path, counter):
    """A store answers late, and a year of hourly files has thousands of footers."""
    for number in range(12):
        write_day(tmp_path / "log", good_rows(2), name=f"part-{number:02d}")
    send(tmp_path / "log", "s3://tables/shop")
    tonight = night(tmp_path / "lake", interactions={"files": HIVE})
    together: list[int] = []
    waiting = set()

    def slowly(_method, path):
        waiting.add(path)
        time.sleep(0.05)
        together.append(len(waiting))
        waiting.discard(path)

    counter.trouble = slowly
    assert expect(tonight).files == 12
    assert max(together) > 6
