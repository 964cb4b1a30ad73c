"""Catalogue, segments and lists in an object store: fetched once, read as if they were local."""

import os
import time
import traceback

import polars as pl
import pytest

from data_contracts.errors import ConfigError, ContractViolationError
from tasks.catalogue import catalogue_files, catalogue_fingerprint, read_catalogue
from tasks.files import sha256_of
from tasks.lists.item_list import read_item_list
from tasks.lists.segments import read_segments
from tasks.source.bucket_mirror import BucketMirror
from tasks.source.given_file import GivenFiles
from tasks.source.object_store import ObjectStoreError
from tasks.tables.datasets import side_datasets
from tests.bucket import KEY_ID, SECRET, bucket_of, counted_bucket, point_to, send
from tests.tiny_lake import night

ITEMS = "s3://tables/shop/items/*.parquet"
DAY_SECONDS = 86_400


@pytest.fixture
def counter(monkeypatch):
    """An empty bucket behind a counter of requests."""
    with counted_bucket(monkeypatch) as counter:
        yield counter


def write(path, **columns):
    """Write a small table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)
    return path


def with_items(lake, **settings):
    """A night whose catalogue lies in the bucket."""
    lake.mkdir(exist_ok=True)
    return night(lake, items={"files": ITEMS}, source={"give_up_seconds": 1}, **settings)


def reads(counter):
    """How often objects were read."""
    return sum("list-type" not in each.path for each in counter.asked)


def test_catalogue_is_that_of_the_same_files_on_a_disk(tmp_path, counter):
    """Items, digests and datasets; the names are the objects' addresses."""
    local, remote = tmp_path / "local", tmp_path / "remote"
    write(local / "items" / "a.parquet", item_id=["i1", "i2"], title=["One", "Two"])
    write(local / "items" / "b.parquet", item_id=["i3"], title=["Three"], available=[False])
    write(local / "items" / ".c.parquet", item_id=["hidden"])
    write(local / "items" / "old" / "d.parquet", item_id=["i9"])
    send(local / "items", "s3://tables/shop/items")
    nights = night(local), with_items(remote)
    assert read_catalogue(nights[0]).equals(read_catalogue(nights[1]))
    digests = catalogue_fingerprint(nights[1])
    assert digests == {
        f"s3://tables/shop/{name}": digest
        for name, digest in catalogue_fingerprint(nights[0]).items()
    }
    assert side_datasets(nights[1])["items"].count_rows() == 3


def test_object_is_fetched_once_until_it_changes(tmp_path, counter):
    """Every reader lists, and only the first one fetches."""
    send(write(tmp_path / "x" / "a.parquet", item_id=["i1"]).parent, "s3://tables/shop/items")
    tonight = with_items(tmp_path / "lake")
    counter.asked.clear()
    for _ in range(3):
        assert read_catalogue(tonight)["item_id"].to_list() == ["i1"]
    assert reads(counter) == 1
    before = catalogue_fingerprint(tonight)
    send(write(tmp_path / "x" / "a.parquet", item_id=["i1", "i2"]).parent, "s3://tables/shop/items")
    assert read_catalogue(tonight)["item_id"].to_list() == ["i1", "i2"]
    assert catalogue_fingerprint(tonight) != before
    bucket_of("s3://tables/shop/items").delete(["a.parquet"])
    assert read_catalogue(tonight).is_empty()


def test_copies_that_nobody_asks_for_are_removed(tmp_path, counter):
    """After a week; those in use stay however old they are."""
    place = "s3://tables/shop/items"
    send(write(tmp_path / "x" / "a.parquet", item_id=["i1"]).parent, place)
    tonight = with_items(tmp_path / "lake")
    (old,) = catalogue_files(tonight)
    send(write(tmp_path / "x" / "a.parquet", item_id=["i2"]).parent, place)
    (new,) = catalogue_files(tonight)
    half = new.with_name(".half.new")
    half.touch()
    for path in (old, half, new):
        os.utime(path, (0, time.time() - 6 * DAY_SECONDS))
    catalogue_files(tonight)
    assert old.exists()
    for path in (old, half, new):
        os.utime(path, (0, time.time() - 8 * DAY_SECONDS))
    assert catalogue_files(tonight) == [new]
    assert (old.exists(), half.exists(), new.exists()) == (False, False, True)


def test_segments_and_lists_may_lie_there_too(tmp_path, counter):
    """All files that people give are read in one way."""
    write(tmp_path / "x" / "segments" / "s.parquet", user_id=["u1"], segment=["new"])
    write(tmp_path / "x" / "block.parquet", item_id=["i7"])
    send(tmp_path / "x", "s3://tables/shop")
    surface = {"block": "s3://tables/shop/block.parquet"}
    tonight = with_items(
        tmp_path / "lake", segments={"files": "s3://tables/shop/**/*.parquet"},
        surfaces={"home": surface},
    )  # fmt: skip
    with pytest.raises(ContractViolationError, match=r"s3://tables/shop/block.parquet must have"):
        read_segments(tonight)
    segments = {"files": "s3://tables/shop/segments/*.parquet"}
    tonight = with_items(tmp_path / "lake", segments=segments, surfaces={"home": surface})
    assert read_segments(tonight).names == ("new",)
    assert read_item_list(tonight, "home", "block", "string")["item_id"].to_list() == ["i7"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("items/*.parquet", {"items/a.parquet", "items/b1.parquet"}),
        ("items/b?.parquet", {"items/b1.parquet"}),
        ("items/[ab].parquet", {"items/a.parquet"}),
        ("items/a.parquet", {"items/a.parquet"}),
        ("**/a.parquet", {"items/a.parquet", "items/sub/a.parquet"}),
        ("items/**/*.parquet", {"items/a.parquet", "items/b1.parquet", "items/sub/a.parquet"}),
        ("it*/sub/*", {"items/sub/a.parquet"}),
        ("items/.*", {"items/.a.parquet"}),
        ("item/*.parquet", set()),
    ],
)
def test_patterns_mean_what_they_mean_on_a_disk(tmp_path, counter, pattern, found):
    """Found here as glob finds them there."""
    for name in ("a.parquet", "b1.parquet", ".a.parquet", "sub/a.parquet", "sub/.b/a.parquet"):
        write(tmp_path / "items" / name, item_id=["i"])
    send(tmp_path / "items", "s3://tables/items")
    tonight = night(tmp_path)
    local = GivenFiles(tonight, pattern, what="x", setting="x")
    remote = GivenFiles(tonight, f"s3://tables/{pattern}", what="x", setting="x")
    names = {remote.name(path).removeprefix("s3://tables/") for path in remote.paths()}
    assert names == found == {local.name(path) for path in local.paths()}


def test_broken_object_is_named(tmp_path, counter):
    """By its address, and not by that of its copy."""
    bucket_of("s3://tables/shop/items").put("a.parquet", b"PAR1 or not")
    with pytest.raises(ContractViolationError, match=r"^s3://tables/shop/items/a.parquet must be"):
        read_catalogue(with_items(tmp_path / "lake"))


def test_refusals_are_told_without_secrets(tmp_path, counter, monkeypatch):
    """No bucket, no rights, nobody there; and the half of a copy is not kept."""
    send(write(tmp_path / "x" / "a.parquet", item_id=["i1"]).parent, "s3://tables/shop/items")
    tonight = with_items(tmp_path / "lake")
    nowhere = night(tmp_path / "lake", items={"files": "s3://nowhere/*.parquet"})
    told = []
    with pytest.raises(ObjectStoreError, match=r"no such bucket.*mend the pattern of the cat") as e:
        read_catalogue(nowhere)
    told.append(e.value)
    counter.trouble = lambda _method, path: 403 if path.endswith(".parquet") else None
    with pytest.raises(ObjectStoreError, match=r"a.parquet must be .*credentials are refused") as e:
        read_catalogue(tonight)
    told.append(e.value)
    assert not [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    point_to(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(ObjectStoreError, match="no connection; the last snapshot stays") as e:
        read_catalogue(tonight)
    told.append(e.value)
    for error in told:
        written = "".join(traceback.format_exception(error))
        assert SECRET not in written
        assert KEY_ID not in written


def test_object_that_changes_while_it_is_fetched_is_not_mixed(tmp_path, counter):
    """The old bytes are not kept under the new tag, nor the other way round."""
    first = write(tmp_path / "x" / "a.parquet", item_id=["i1"])
    send(first.parent, "s3://tables/shop/items")
    second = write(tmp_path / "y" / "a.parquet", item_id=["i1", "i2"]).read_bytes()
    done = []

    def rewrite(method, path):
        if method == "GET" and path.endswith("a.parquet") and not done:
            done.append(path)
            bucket_of("s3://tables/shop/items").put("a.parquet", second)

    counter.trouble = rewrite
    tonight = with_items(tmp_path / "lake")
    with pytest.raises(ObjectStoreError, match="was written anew since it was listed, a moment"):
        read_catalogue(tonight)
    (copy,) = catalogue_files(tonight)
    assert sha256_of(copy) == sha256_of(tmp_path / "y" / "a.parquet")


def test_other_places_are_refused_without_being_repeated(tmp_path):
    """A pattern of a list is not checked before it is used."""
    with pytest.raises(ConfigError, match=r"^the pattern of x: files in an object store") as told:
        BucketMirror.of(night(tmp_path), f"s3://{KEY_ID}:{SECRET}@x/a.parquet", "the pattern of x")
    assert SECRET not in str(told.value)
