"""Quarantine: refused rows with every original column, the rule, the file and the row."""

from datetime import timedelta

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ContractViolationError
from data_contracts.interactions import ROW_RULES, USER_RULES
from data_contracts.manifests import RefusedFile
from data_contracts.quarantine import quarantine_schema
from tasks.ingest.ingest import ingest
from tasks.lake import quarantine_folder
from tasks.quarantine import quarantine
from tasks.quarantine.quarantine import write_quarantine
from tasks.tables.table_file import check_table
from tests.tiny_lake import DAY, SCHEMA, at, good_rows, night, quarantined, write_day

GOOD, BAD = ("u1", "i1", "view", at(8)), (None, "i1", "view", at(9))
REFUSED = RefusedFile(path="a.parquet", partition=DAY, rule="unreadable_file", reason="is cut")


def parts(lake, day=DAY):
    """The frames of a night's quarantine."""
    return [pl.read_parquet(path) for path in sorted(quarantine_folder(lake, day).glob("*"))]


def test_rows_are_the_log_s_own_whatever_its_columns_are_called(tmp_path):
    """Names like ours are moved to names that are free; nothing is lost or mixed up."""
    theirs = {"rule": "a", "original_rule": "b", "source_file": "c", "row_number": 7, "reason": 1.5}
    path = write_day(tmp_path, [GOOD, BAD, GOOD, BAD], date="d", **theirs)
    ingest(night(tmp_path))
    (part,) = parts(tmp_path)
    names = {"rule": "original_original_rule", "source_file": "original_source_file",
             "row_number": "original_row_number"}  # fmt: skip
    log = pl.read_parquet(path, hive_partitioning=False).rename(names)
    found = part.filter(pl.col("rule") == "user_id_missing")
    assert found["row_number"].to_list() == [1, 3]
    assert found.select(log.columns).equals(log[[1, 3]])
    assert found["source_file"].unique().to_list() == [str(path.relative_to(tmp_path))]


def test_values_are_kept_as_they_were_before_any_reading(tmp_path):
    """Integer times, dictionaries, nested columns: what stands in the file stands here."""
    rows = [("u1", "i1", "view", int(at(8).timestamp())), ("u1", "i1", "stare", -1)]
    path = write_day(tmp_path, rows, schema=SCHEMA | {"timestamp": pl.Int64()})
    table = pq.read_table(path)
    table = table.set_column(2, "event_type", table["event_type"].dictionary_encode())
    table = table.append_column("basket", pa.array([[{"sku": 1}], [{"sku": 2}, {"sku": None}]]))
    pq.write_table(table, path)
    ingest(night(tmp_path, interactions={"time_unit": "s"}))
    (part,) = parts(tmp_path)
    row = part.row(0, named=True)
    assert row["rule"] == "event_type_unknown"
    assert (row["timestamp"], row["event_type"]) == (-1, "stare")
    assert row["basket"] == [{"sku": 2}, {"sku": None}]


def test_every_file_with_refused_rows_has_its_own_part(tmp_path):
    """Files of one day may differ in their other columns."""
    write_day(tmp_path, [GOOD, BAD], name="a", page="home")
    write_day(tmp_path, [BAD], name="b", depth=3)
    write_day(tmp_path, [("u2", "i2", "view", at(1))], name="c")
    ingest(night(tmp_path))
    assert [("page" in part.columns, "depth" in part.columns) for part in parts(tmp_path)] == [
        (True, False),
        (False, True),
    ]
    assert quarantined(tmp_path) == [
        ("a.parquet", 1, "user_id_missing"),
        ("b.parquet", 0, "user_id_missing"),
    ]


def test_rules_of_both_passes_stand_in_one_part(tmp_path):
    """In order of the file's rows, whichever pass found them."""
    write_day(tmp_path, [GOOD, GOOD, BAD, GOOD])
    ingest(night(tmp_path))
    (part,) = parts(tmp_path)
    assert part.select("row_number", "rule").rows() == [
        (1, "duplicate"),
        (2, "user_id_missing"),
        (3, "duplicate"),
    ]


def test_refused_file_is_one_row_with_the_reason(tmp_path):
    """There is no row to point at."""
    folder = write_quarantine(night(tmp_path), {}, [REFUSED])
    (part,) = parts(tmp_path)
    assert folder == quarantine_folder(tmp_path, DAY)
    assert part.to_dicts() == [
        {
            "rule": "unreadable_file",
            "broken_value": None,
            "source_file": "a.parquet",
            "row_number": None,
            "reason": "is cut",
        }
    ]
    check_table(quarantine_schema(), part)


def test_writing_again_replaces(tmp_path):
    """Of a mended day nothing stays behind, and other nights keep theirs."""
    yesterday = DAY - timedelta(days=1)
    write_quarantine(night(tmp_path, yesterday), {}, [REFUSED])
    write_quarantine(night(tmp_path), {}, [REFUSED, REFUSED])
    write_quarantine(night(tmp_path), {}, [])
    assert (len(parts(tmp_path)), len(parts(tmp_path, yesterday))) == (0, 1)
    assert quarantine_folder(tmp_path, DAY).is_dir()


def test_unknown_rule_is_refused(tmp_path):
    """A rule that nothing explains must not reach a reader."""
    unknown = REFUSED.model_copy(update={"rule": "full_moon"})
    with pytest.raises(ContractViolationError, match=r"quarantine must keep .*full_moon"):
        write_quarantine(night(tmp_path), {}, [unknown])
    assert not quarantine_folder(tmp_path, DAY).exists()


def test_file_with_two_columns_of_one_name_is_refused_though_its_rows_are_good(tmp_path):
    """Of its bad rows, quarantine could not keep both."""
    path = write_day(tmp_path, good_rows(2))
    table = pq.read_table(path)
    twice = table.append_column("page", pa.array([1, 2])).append_column("page", pa.array([3, 4]))
    pq.write_table(twice, path)
    with pytest.raises(ContractViolationError, match="needs each of page once"):
        ingest(night(tmp_path))
    assert quarantined(tmp_path) == [("part-0.parquet", None, "wrong_columns")]


def test_every_rule_for_rows_says_which_value_broke_it(tmp_path):
    """Also one that is added later; a long value is cut, its column is not."""
    assert set(ROW_RULES | USER_RULES) <= {*quarantine._BROKEN, "duplicate"}
    write_day(tmp_path, [GOOD, ("u2", "i2", "x" * 5_000, at(9))])
    ingest(night(tmp_path))
    (part,) = parts(tmp_path)
    assert part["broken_value"].to_list() == ["x" * 1_000]
    assert part["event_type"].to_list() == ["x" * 5_000]


def test_time_without_a_year_is_kept_as_its_number(tmp_path):
    """Polars cannot write it; the row is refused, not the file."""
    path = tmp_path / "interactions" / f"date={DAY}" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    times = [int(at(8).timestamp() * 1e6), 10**18, -(10**18)]
    columns = {
        "user_id": ["u1"] * 3, "item_id": ["i1", "i2", "i3"], "event_type": ["view"] * 3,
        "timestamp": pa.array(times, pa.timestamp("us")),
    }  # fmt: skip
    pq.write_table(pa.table(columns), path)
    manifest = ingest(night(tmp_path, validation={"max_bad_share": 1.0}))
    (part,) = parts(tmp_path)
    assert manifest.accepted == 1
    assert part["row_number"].to_list() == [1, 2]
    assert part["broken_value"].to_list() == [str(10**18), str(-(10**18))]
