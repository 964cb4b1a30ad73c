"""The rule that no two rows agree: right whatever the order and the types of the rows."""

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_contracts.table_column import unique_together

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1)), max_size=12)


def is_kept(rows: list[tuple[int, ...]], columns: tuple[str, ...], id_type: pl.DataType) -> bool:
    """Check the rule alone."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.Int64), orient="row")
    schema = pa.DataFrameSchema(checks=[unique_together(*columns)])
    try:
        schema.validate(frame.with_columns(pl.col("a").cast(id_type)), lazy=True)
    except pa.errors.SchemaErrors:
        return False
    return True


@pytest.mark.parametrize("id_type", [pl.Int64, pl.String])
@pytest.mark.parametrize("columns", ["a", "ab", "abc"])
@given(rows=ROWS, ordered=st.booleans())
@example(rows=[(0, 0, 0), (1, 0, 0), (0, 0, 0)], ordered=False)  # the same row in two runs
@example(rows=[(2, 0, 0), (2, 1, 0), (0, 0, 0), (0, 1, 0)], ordered=False)  # runs that fall
def test_rule_agrees_with_counting(columns, id_type, rows, ordered):
    """The quick way for rows in order and the exact way give one answer."""
    rows = sorted(rows) if ordered else rows
    seen = {row[: len(columns)] for row in rows}
    assert is_kept(rows, tuple(columns), id_type()) == (len(seen) == len(rows))


def test_broken_rows_are_named():
    """The message holds the two rows that agree."""
    frame = pl.DataFrame({"a": ["x", "x", "y"], "b": [1, 1, 1]})
    schema = pa.DataFrameSchema(checks=[unique_together("a", "b")])
    with pytest.raises(pa.errors.SchemaErrors, match="unique_a_and_b") as raised:
        schema.validate(frame, lazy=True)
    assert all("x" in case for case in raised.value.failure_cases["failure_case"])
    assert raised.value.failure_cases.height == 2
