"""Allow and block lists: every form of a file, and a sentence for every broken one."""

import polars as pl
import pytest

from data_contracts.errors import ContractViolationError
from data_contracts.item_list import item_list_schema
from tasks.files import write_text
from tasks.lists.item_list import item_list_files, read_item_list
from tasks.tables.table_file import check_table
from tests.tasks.rules_lake import put, rules_night


def read(lake, pattern="block/*.parquet", item_id_type="string"):
    """The rows of a block list."""
    return read_item_list(rules_night(lake, {"block": pattern}), "home", "block", item_id_type)


def test_files_of_different_columns_are_one_list(tmp_path):
    """Rows for everybody, for users and for segments, in the order of the files' names."""
    put(tmp_path, "block/b.parquet", item_id=["pot"], user_id=["ann"], note=["why"])
    put(tmp_path, "block/a.parquet", item_id=["tea", "tea"])
    put(tmp_path, "block/c.parquet", item_id=["cup", "jar"], segment=["vip", None])
    found = read(tmp_path)
    assert found.columns == ["item_id", "user_id", "segment"]
    assert found.rows() == [
        ("tea", None, None), ("tea", None, None), ("pot", "ann", None), ("cup", None, "vip"),
        ("jar", None, None),
    ]  # fmt: skip


def test_dictionaries_and_small_integers_are_taken(tmp_path):
    """As everywhere."""
    text = pl.Series(["vip"], dtype=pl.Categorical)
    item = pl.Series([7], dtype=pl.Int16)
    put(tmp_path, "block/a.parquet", item_id=item, segment=text)
    put(tmp_path, "block/b.parquet", item_id=item, user_id=pl.Series([8], dtype=pl.UInt32))
    found = read(tmp_path, item_id_type="integer")
    assert found.rows() == [(7, None, "vip"), (7, 8, None)]


def test_a_column_of_nothing_is_none(tmp_path):
    """Whatever its type: writers differ there."""
    nothing = pl.Series([None], dtype=pl.Int64)
    put(tmp_path, "block/a.parquet", item_id=["tea"], user_id=nothing, segment=nothing)
    put(tmp_path, "block/b.parquet", item_id=["tea"], user_id=["ann"])
    assert read(tmp_path).rows() == [("tea", None, None), ("tea", "ann", None)]


def test_an_empty_list_and_no_list_have_no_rows(tmp_path):
    """But a list that is named and not there is a mistake."""
    put(tmp_path, "block/a.parquet", item_id=pl.Series([], dtype=pl.String))
    assert read(tmp_path).is_empty()
    bare = rules_night(tmp_path)
    assert read_item_list(bare, "home", "allow", "string").is_empty()
    assert item_list_files(bare, "home", "allow") is None
    with pytest.raises(
        ContractViolationError,
        match=r"surfaces.home.block must name at least one file, got none for no/\*: put the list",
    ):
        read(tmp_path, "no/*")


def test_a_list_may_lie_outside_the_lake(tmp_path):
    """Its errors name the whole path."""
    path = put(tmp_path / "elsewhere", "x.parquet", sku=["a"])
    with pytest.raises(ContractViolationError, match=f"{path} must have the column item_id"):
        read(tmp_path / "lake", str(path))


FILE = "block/a.parquet: "


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sku": ["a"]}, r"must have the column item_id, got \['sku'\]: .*surfaces.home.block"),
        ({"item_id": [1.5]}, FILE + "item_id must be string or integer, got Float64"),
        ({"item_id": [7]}, FILE + "item_id must be string as in the log, got integer"),
        ({"item_id": ["a", None]}, FILE + r"item_id must be given, got nothing in row 1 "),
        ({"item_id": ["a"], "user_id": [True]}, FILE + "user_id must be string or integer"),
        ({"item_id": ["a"], "segment": [1]}, FILE + "segment must be String, got Int64: convert"),
        (
            {"item_id": ["a", "b"], "user_id": [None, ""]},
            FILE + "user_id must be null or not empty, .* in row 1 .*for everybody",
        ),
        ({"item_id": ["a"], "segment": [""]}, FILE + "segment must be null or not empty"),
        (
            {"item_id": ["a"], "user_id": ["ann"], "segment": ["vip"]},
            FILE + r"a row must name a user or a segment, got both in row 0 .*write two rows",
        ),
    ],
)
def test_a_broken_list_is_refused(tmp_path, columns, message):
    """File, row and remedy are named."""
    put(tmp_path, "block/a.parquet", **columns)
    with pytest.raises(ContractViolationError, match=message):
        read(tmp_path)


def test_user_ids_of_two_types_are_refused(tmp_path):
    """They cannot both be those of the log."""
    put(tmp_path, "block/a.parquet", item_id=["tea"], user_id=["ann"])
    put(tmp_path, "block/b.parquet", item_id=["tea"], user_id=[7])
    message = "block/b.parquet: user_id must be string as in the files before, got integer"
    with pytest.raises(ContractViolationError, match=message):
        read(tmp_path)


def test_a_damaged_file_is_refused(tmp_path):
    """With what to do."""
    write_text(tmp_path / "block" / "a.parquet", "PAR1")
    message = r"block/a.parquet must be a whole Parquet file: .* move it out of surfaces.home.block"
    with pytest.raises(ContractViolationError, match=message):
        read(tmp_path)


ROW = {"item_id": "tea", "user_id": "ann", "segment": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_id": None}, "item_id breaks not_nullable"),
        ({"user_id": ""}, "user_id breaks not_empty"),
        ({"segment": "vip"}, "user_or_segment"),
        ({"user_id": None, "segment": ""}, "segment breaks not_empty"),
    ],
)
def test_every_rule_of_the_contract_has_a_row_that_breaks_it(change, message):
    """And a good row breaks none."""
    schema = item_list_schema("string", "string")
    types = dict.fromkeys(ROW, pl.String)
    check_table(schema, pl.DataFrame([ROW], schema=types))
    with pytest.raises(ContractViolationError, match=message):
        check_table(schema, pl.DataFrame([ROW | change], schema=types))
