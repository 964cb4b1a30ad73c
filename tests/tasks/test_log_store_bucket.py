"""The log in an object store: the same history as from folders, little read, troubles told."""

import hashlib
from datetime import timedelta

import polars as pl
import pytest

from tasks.history import build_history
from tasks.ingest import ingest
from tasks.matrix import build_matrices
from tests.bucket import Counter, point_to, s3_server, send
from tests.tiny_lake import DAY, at, good_rows, night, write_day

HIVE = "s3://tables/shop/interactions/date={date}/*.parquet"


@pytest.fixture
def counter(monkeypatch):
    """An empty bucket behind a counter of requests."""
    with s3_server() as address:
        counter = Counter(address)
        point_to(monkeypatch, counter.address)
        yield counter
        counter.close()


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
