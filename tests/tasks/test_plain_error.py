"""What libraries quote is not told: each case shows its value first, and then no more."""

import io
import traceback

import duckdb
import numpy as np
import pandera.polars as pandera
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from data_contracts.errors import ContractViolationError
from tasks.plain_error import hide_values, told, values_hidden, without_values

ID, NUMBER = "PLANTED-7391", 73_911_234_567


class OfNumbers(BaseModel):
    """A model that takes no text."""

    user_id: int


SHORT = pandera.DataFrameSchema(
    {"user_id": pandera.Column(pl.String, pandera.Check.str_length(max_value=2))}
)
USERS = pl.DataFrame({"user_id": [ID, "u"]})
CASES = {
    "cast": lambda: USERS["user_id"].cast(pl.Int64),
    "large": lambda: pl.Series("u", [NUMBER]).cast(pl.Int8),
    "time": lambda: USERS.select(pl.col("user_id").str.to_datetime("%Y")),
    "lazy": lambda: USERS.lazy().select(pl.col("user_id").cast(pl.Int64)).collect(),
    "csv": lambda: pl.read_csv(io.BytesIO(f"u\n{ID}\n".encode()), schema={"u": pl.Int64}),
    "build": lambda: pl.DataFrame({"user_id": [ID]}, schema={"user_id": pl.Int64}),
    "rows": lambda: pl.DataFrame([(ID,)], schema={"user_id": pl.Int64}, orient="row"),
    "enum": lambda: USERS["user_id"].cast(pl.Enum(["a"])),
    "predicate": lambda: USERS.row(by_predicate=pl.col("user_id") == f"{ID}-0"),
    "arrow cast": lambda: pa.array([ID]).cast(pa.int64()),
    "arrow build": lambda: pa.array([1, ID]),
    "arrow csv": lambda: pa.csv.read_csv(io.BytesIO(f"a,b\n1,2\n{ID},3,4\n".encode())),
    "duckdb": lambda: duckdb.sql(f"SELECT CAST('{ID}' AS INT)").fetchall(),
    "pandera": lambda: SHORT.validate(USERS),
    "pandera lazy": lambda: SHORT.validate(USERS, lazy=True),
    "pydantic": lambda: OfNumbers(user_id=ID),
    "key": lambda: {}[ID],
    "number key": lambda: {}[NUMBER],
    "int": lambda: int(ID),
    "numpy": lambda: np.array([ID]).astype(int),
}


def failure(case):
    """The error of a case, which quotes the value."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        CASES[case]()
    assert ID in str(caught.value) or str(NUMBER) in str(caught.value)
    return caught.value


def names_nobody(error):
    """Whether neither an error nor all that led to it holds the id, as a log would show them."""
    lines = traceback.format_exception(error)
    shown = "".join(line for line in lines if not line.startswith("  File"))
    return ID not in shown and str(NUMBER) not in shown


@pytest.mark.parametrize("case", CASES)
def test_the_value_goes_and_the_kind_stays(case):
    """Alone, as the cause of an error of ours, and as what another error came upon."""
    alone = hide_values(failure(case))
    kind = type(failure(case)).__name__
    assert type(alone).__name__ == kind or str(alone).startswith(f"{kind}: ")
    assert names_nobody(alone)
    assert alone.__traceback__ is not None
    for chained in ("__cause__", "__context__"):
        outer = ContractViolationError("rows must be good")
        setattr(outer, chained, failure(case))
        assert hide_values(outer) is outer
        assert getattr(outer, chained) is not None
        assert names_nobody(outer)


@pytest.mark.parametrize("case", CASES)
def test_a_step_does_not_tell_it_either(case):
    """Nor does the error that Python notes as the one being handled meanwhile."""
    step = values_hidden(CASES[case])
    with pytest.raises(Exception) as caught:  # noqa: PT011
        step()
    assert names_nobody(caught.value)


@given(value=st.text(alphabet=st.characters(exclude_characters="\"`'"), min_size=3))
def test_whatever_stands_in_quotes_goes(value):
    """Inside each kind of quotes, at the ends of a sentence and in its middle."""
    for quote in "'\"`":
        words = without_values(f"conversion failed: {quote}{value}{quote} is no number")
        assert words == f"conversion failed: {quote}<not shown>{quote} is no number"


def test_names_and_types_stay():
    """Without them nobody could tell what is wrong."""
    shown = "conversion from `str` to `i64` failed in column 'user_id' for 1 out of 1 values: "
    assert without_values(shown + "['O\\'Brien']") == shown + "<not shown>"
    assert without_values("string 'O'Brien' isn't") == "string '<not shown>' isn't"
    same = 'unable to find column "b"; valid columns: ["a"]'
    assert str(hide_values(pl.exceptions.ColumnNotFoundError(same))) == same


def test_our_sentences_and_those_of_the_disk_stay():
    """Ours name nobody, and a path must be told."""
    ours, disk = ContractViolationError("got 'x'"), OSError(28, "full", "/lake/12345678")
    for error in (ours, disk):
        text = str(error)
        assert hide_values(error) is error
        assert str(error) == text
    assert told(disk) == str(disk)
    assert told(ValueError("got 'x'")) == "got '<not shown>'"


def test_an_error_that_leads_to_itself_ends():
    """Python allows such chains."""
    one, other = ValueError(f"'{ID}'"), ValueError(f"'{ID}'")
    one.__context__, other.__context__ = other, one
    hide_values(one)
    assert ID not in f"{one}{other}"
