"""Columns and rules that several published tables share."""

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType

N_CASES = 5  # rows named for every broken rule


def id_column(id_type: IdType, description: str, *, nullable: bool = False) -> pa.Column:
    """Return a column of ids, which keep the type they have in the log."""
    if id_type == "integer":
        return pa.Column(pl.Int64, nullable=nullable, description=description)
    not_empty = pa.Check.str_length(min_value=1, error="not_empty", n_failure_cases=N_CASES)
    return pa.Column(pl.String, not_empty, nullable=nullable, description=description)


def rank_column(description: str) -> pa.Column:
    """Return a column of ranks, counted from 1."""
    from_one = pa.Check.ge(1, error="rank_from_one", n_failure_cases=N_CASES)
    return pa.Column(pl.Int32, from_one, description=description)


def score_column(description: str) -> pa.Column:
    """Return a column of finite scores."""
    finite = pa.Check(_is_finite, name="finite", n_failure_cases=N_CASES)
    return pa.Column(pl.Float32, finite, description=description)


def text_column(description: str, *values: str, nullable: bool = False) -> pa.Column:
    """Return a column of texts, one of the values if any are given."""
    known = pa.Check.isin(values, error="known_value", n_failure_cases=N_CASES)
    not_empty = pa.Check.str_length(min_value=1, error="not_empty", n_failure_cases=N_CASES)
    rule = known if values else not_empty
    return pa.Column(pl.String, rule, nullable=nullable, description=description)


def stamp_columns() -> dict[str, pa.Column]:
    """Return the columns that say where a row comes from."""
    return {
        "run_date": pa.Column(pl.Date, description="Logical date of the night that made the row."),
        "model_version": text_column("Version of the model in the registry."),
        "snapshot_id": text_column(
            "Snapshot the row was published in; the same in all its tables."
        ),
    }


def unique_together(*columns: str) -> pa.Check:
    """Return the rule that no two rows agree in all the columns."""

    def distinct(data: pa.PolarsData) -> pl.LazyFrame:
        rows = data.lazyframe.select(columns).collect()
        if _surely_distinct(rows):
            return pl.LazyFrame({"distinct": [True]})
        return rows.lazy().select(~pl.struct(columns).is_duplicated())

    name = f"unique_{'_and_'.join(columns)}"
    return pa.Check(distinct, name=name, n_failure_cases=N_CASES)


def _surely_distinct(rows: pl.DataFrame) -> bool:
    """Tell at a fifth of the cost that no row comes twice; False says nothing.

    Rows with one value in the first column must follow each other: then a number for that
    run and a hash of the other columns, sorted, are all different unless two hashes meet.
    """
    first = rows.to_series(0)
    run = first.rle_id().cast(pl.UInt64)
    if not first.is_sorted() and run.n_unique() != first.n_unique():
        return False
    others = rows.drop(rows.columns[0])
    hashed = others.hash_rows() % 2**32 if others.width else 0
    keys = (run * 2**32 + hashed).sort()
    return not (keys == keys.shift()).any()


def _is_finite(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).is_finite())
