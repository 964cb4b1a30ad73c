"""The contract of quarantine: refused rows with their reason."""

import pandera.polars as pa
import polars as pl

from data_contracts.interactions import INTERACTION_RULES


def quarantine_schema() -> pa.DataFrameSchema:
    """Return the contract of a quarantine file; every column of the log may stand beside these."""
    return pa.DataFrameSchema(
        {
            "rule": pa.Column(
                pl.String,
                pa.Check.isin(sorted(INTERACTION_RULES), n_failure_cases=10),
                description="First rule the row broke.",
            ),
            "broken_value": pa.Column(
                pl.String,
                nullable=True,
                description="What broke it, cut after 1,000 characters; null for a whole file.",
            ),
            "source_file": pa.Column(pl.String, description="File of the log."),
            "row_number": pa.Column(
                pl.UInt32, nullable=True, description="Row in it, from 0; null for a whole file."
            ),
        },
        strict=False,
        name="quarantine",
        description="Refused rows: every original column, the rule, the value, file and row.",
    )
