"""The catalogue: filled where columns are absent, refused with a sentence where it is broken."""

import hashlib
from datetime import UTC, date, datetime

import polars as pl
import pytest

from data_contracts.config import ItemColumns, ItemsConfig, NightlyConfig
from data_contracts.errors import ContractViolationError
from data_contracts.manifests import IngestManifest
from tasks.catalogue import catalogue_fingerprint, read_catalogue
from tasks.files import write_text
from tasks.lake import Night

COLUMNS = ["item_id", "title", "category", "text", "available", "added"]


def night(lake, **items) -> Night:
    """Return a night on a lake, with settings of its catalogue."""
    config = NightlyConfig(lake=str(lake), items=ItemsConfig(**items))
    return Night(config=config, run_date=date(2026, 9, 28))


def put(lake, file="items.parquet", /, **columns):
    """Write one file of the catalogue."""
    path = lake / "items" / file
    path.parent.mkdir(exist_ok=True, parents=True)
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_a_full_catalogue_is_read_as_it_is(tmp_path):
    """All six columns come back, others are left out, files in the order of their names."""
    came = datetime(2026, 9, 1, 12, tzinfo=UTC)
    pan = {"title": ["Pan"], "category": ["k"], "text": ["flat"], "available": [False]}
    pot = {"title": ["Pot"], "category": ["k"], "text": ["deep"], "available": [True]}
    put(tmp_path, "b.parquet", item_id=["z"], **pan, added=[came])
    put(tmp_path, "a.parquet", item_id=["y"], **pot, added=[came], w=[1])
    expected = [("y", "Pot", "k", "deep", True, came), ("z", "Pan", "k", "flat", False, came)]
    found = read_catalogue(night(tmp_path))
    assert found.columns == COLUMNS
    assert found.rows() == expected


def test_absent_columns_and_values_are_filled(tmp_path):
    """An item without more is available and has no title."""
    put(tmp_path, "a.parquet", item_id=[5])
    put(tmp_path, "b.parquet", item_id=pl.Series([7], dtype=pl.UInt16), available=[None])
    found = read_catalogue(night(tmp_path))
    assert found.rows() == [(5, None, None, None, True, None), (7, None, None, None, True, None)]
    assert found.schema["item_id"] == pl.Int64
    assert found.schema["title"] == pl.String


def test_no_file_is_an_empty_catalogue(tmp_path):
    """The columns are there, rows are not."""
    found = read_catalogue(night(tmp_path))
    assert found.columns == COLUMNS
    assert found.is_empty()
    assert found.schema["available"] == pl.Boolean
    assert catalogue_fingerprint(night(tmp_path)) == {}


def test_names_and_place_are_configured(tmp_path):
    """The files may lie outside the lake and have names of their own."""
    path = put(tmp_path / "elsewhere", "x.parquet", sku=["a"], name=["Pot"], live=[False])
    columns = ItemColumns(item_id="sku", title="name", available="live")
    settings = night(tmp_path / "la[k]e", files=str(path.parent / "*.parquet"), columns=columns)
    assert read_catalogue(settings).rows() == [("a", "Pot", None, None, False, None)]
    assert list(catalogue_fingerprint(settings)) == [str(path)]


def test_dictionary_columns_are_texts(tmp_path):
    """Ids and titles written as dictionaries are strings like others."""
    text = pl.Series(["a"], dtype=pl.Categorical)
    put(tmp_path, item_id=text, title=text)
    assert read_catalogue(night(tmp_path)).rows() == [("a", "a", None, None, True, None)]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (date(2026, 9, 1), datetime(2026, 8, 31, 22, tzinfo=UTC)),
        (datetime(2026, 9, 1, 8), datetime(2026, 9, 1, 6, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 9, 1, 8, tzinfo=UTC), datetime(2026, 9, 1, 8, tzinfo=UTC)),
        (None, None),
    ],
)
def test_times_without_a_zone_are_those_of_the_log(tmp_path, added, expected):
    """Days, naive and aware times all become moments in UTC."""
    put(tmp_path, item_id=["a"], added=[added])
    config = night(tmp_path).config
    log = config.interactions.model_copy(update={"time_zone": "Europe/Prague"})
    tonight = Night(
        config=config.model_copy(update={"interactions": log}), run_date=date(2026, 9, 28)
    )
    found = read_catalogue(tonight)["added"]
    assert found.dtype == pl.Datetime("us", "UTC")
    assert found.to_list() == [expected]


def test_only_some_columns_are_read(tmp_path):
    """What is not asked for may even be broken."""
    put(tmp_path, item_id=["a"], title=[1], available=[None], category=["k"])
    found = read_catalogue(night(tmp_path), only=["category", "available"])
    assert found.columns == ["item_id", "category", "available"]
    assert found.rows() == [("a", "k", True)]
    assert read_catalogue(night(tmp_path), only=[]).columns == ["item_id"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"item_id": ["a", None]}, r"items/items.parquet: item_id must be given.* in row 1 .*fill"),
        ({"item_id": ["", "b"]}, r"item_id must be given.* in row 0 "),
        (
            {"item_id": ["a", "b", "a"]},
            r"got a again in row 2 .*first in items/items.parquet, row 0",
        ),
        ({"item_id": [1.5]}, r"item_id must be string or integer, got Float64: convert"),
        (
            {"item_id": pl.Series([2**63], dtype=pl.UInt64)},
            r"fit into 64 bits.*9223372036854775808",
        ),
        ({"item_id": ["a"], "title": [1]}, r"title must be String, got Int64: convert"),
        ({"item_id": ["a"], "category": [["x"]]}, r"category must be String, got List"),
        ({"item_id": ["a"], "available": ["no"]}, r"available must be Boolean, got String"),
        ({"item_id": ["a"], "text": [1]}, r"text must be String, got Int64"),
        (
            {"item_id": ["a"], "added": ["2026"]},
            r"added must be Date or Datetime, got String: convert.*items.columns.added to another",
        ),
        ({"sku": ["a"]}, r"must have the column item_id, got \['sku'\]: .*items.columns.item_id"),
    ],
)
def test_a_broken_catalogue_is_refused(tmp_path, columns, message):
    """File, row and remedy are named."""
    put(tmp_path, **columns)
    with pytest.raises(ContractViolationError, match=message):
        read_catalogue(night(tmp_path))


def test_an_item_in_two_files_is_refused(tmp_path):
    """Both places are named."""
    put(tmp_path, "a.parquet", item_id=["x", "y"])
    put(tmp_path, "b.parquet", item_id=["z", "y"])
    message = r"items/b.parquet: .*got y again in row 1 .*first in items/a.parquet, row 1"
    with pytest.raises(ContractViolationError, match=message):
        read_catalogue(night(tmp_path))


def test_ids_of_two_types_are_refused(tmp_path):
    """Files agree among themselves."""
    put(tmp_path, "a.parquet", item_id=["x"])
    put(tmp_path, "b.parquet", item_id=[1])
    message = "items/b.parquet: item_id must be string as in the files before, got integer"
    with pytest.raises(ContractViolationError, match=message):
        read_catalogue(night(tmp_path))


def test_ids_of_another_type_than_the_log_are_refused(tmp_path):
    """A catalogue that can never match the log is found before lists are made."""
    put(tmp_path, item_id=["1"])
    tonight = night(tmp_path)
    manifest = IngestManifest(
        step="ingest", run_date=tonight.run_date, key="k", log_files=(), refused_files=(),
        user_id_type="string", item_id_type="integer", n_user_shards=1, rows=0, accepted=0,
        quarantined={}, accepted_by_day={}, late_rows=0,
    )  # fmt: skip
    assert read_catalogue(tonight).height == 1
    write_text(tonight.step("ingest") / "manifest.json", manifest.model_dump_json())
    with pytest.raises(ContractViolationError, match="must be integer as in the log, got string"):
        read_catalogue(tonight)


def test_an_unreadable_file_is_refused(tmp_path):
    """A file cut short is named, with what to do."""
    path = put(tmp_path, item_id=["a", "b"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        ContractViolationError, match=r"items/items.parquet must be a whole Parquet"
    ):
        read_catalogue(night(tmp_path))


def test_fingerprint_follows_the_content(tmp_path):
    """Paths are relative to the lake, digests those of the bytes."""
    path = put(tmp_path, item_id=["a"])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert catalogue_fingerprint(night(tmp_path)) == {"items/items.parquet": digest}
