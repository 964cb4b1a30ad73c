"""Segments of users: read, numbered, refused with a sentence where they are broken."""

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ContractViolationError
from data_contracts.segments import segments_schema
from tasks.lists.segments import read_segments
from tasks.tables.table_file import check_table
from tests.tasks.rules_lake import make_history, put, rules_night
from tests.tiny_lake import at


def test_groups_are_places_in_the_sorted_names(tmp_path):
    """From 1; 0 for a user without a segment, in the order asked."""
    put(tmp_path, "segments/b.parquet", user_id=["ann", "bob"], segment=["new", "vip"])
    put(tmp_path, "segments/a.parquet", user_id=["cid"], segment=["new"], more=[1])
    segments = read_segments(rules_night(tmp_path))
    assert segments.names == ("new", "vip")
    group = segments.group_of(pl.Series(["zoe", "bob", "ann", "cid"]))
    assert group.dtype == np.int32
    assert group.tolist() == [0, 2, 1, 1]


def test_no_file_is_no_segment(tmp_path):
    """Everybody is of group 0, whatever the type of the ids."""
    segments = read_segments(rules_night(tmp_path))
    assert segments.names == ()
    assert segments.group_of(pl.Series([1, 2])).tolist() == [0, 0]


def test_place_is_configured(tmp_path):
    """Absolute patterns as well."""
    path = put(tmp_path / "elsewhere", "x.parquet", user_id=[1], segment=["new"])
    tonight = rules_night(tmp_path / "lake", segments={"files": str(path)})
    assert read_segments(tonight).names == ("new",)


FILE = "segments/a.parquet: "


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": ["a"]}, r"must have the column segment, got \['user_id'\]: .*segments.files"),
        ({"segment": ["a"]}, "must have the column user_id"),
        ({"user_id": [0.5], "segment": ["a"]}, FILE + "user_id must be string or integer, got"),
        ({"user_id": ["u"], "segment": [3]}, FILE + "segment must be String, got Int64"),
        ({"user_id": ["u", ""], "segment": ["a", "b"]}, FILE + "user_id must be given, .* row 1"),
        ({"user_id": ["u", "v"], "segment": ["a", None]}, FILE + "segment must be given, .* row 1"),
        (
            {"user_id": ["u", "v", "u"], "segment": ["a", "b", "a"]},
            FILE + r"user_id must be there once, got the same again in row 2 .*row 0.*keep the one",
        ),
    ],
)
def test_broken_segments_are_refused(tmp_path, columns, message):
    """File, row and remedy are named."""
    put(tmp_path, "segments/a.parquet", **columns)
    with pytest.raises(ContractViolationError, match=message):
        read_segments(rules_night(tmp_path))


def test_ids_of_another_type_than_the_log_are_refused(tmp_path):
    """They could never match."""
    put(tmp_path, "segments/a.parquet", user_id=[7], segment=["a"])
    tonight = rules_night(tmp_path)
    make_history(tonight, [("ann", "tea", "view", at(1))])
    with pytest.raises(ContractViolationError, match="user_id must be string as in the log, got"):
        read_segments(tonight)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("u", None)], "segment breaks not_nullable"),
        ([("u", "")], "segment breaks not_empty"),
        ([("", "a")], "user_id breaks not_empty"),
        ([("u", "a"), ("u", "b")], "unique_user_id"),
    ],
)
def test_every_rule_of_the_contract_has_a_row_that_breaks_it(rows, message):
    """And a good row breaks none."""
    schema, types = segments_schema("string"), {"user_id": pl.String, "segment": pl.String}
    check_table(schema, pl.DataFrame([("u", "a")], schema=types, orient="row"))
    with pytest.raises(ContractViolationError, match=message):
        check_table(schema, pl.DataFrame(rows, schema=types, orient="row"))
