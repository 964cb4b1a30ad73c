"""What the quarantine of a lake holds, and what would become of it under other rules."""

from datetime import date
from typing import Any

from data_contracts.frozen import Frozen


class QuarantineCount(Frozen):
    """How many rows of one file one night refused under one rule; a refused file is one row."""

    run_date: date
    rule: str
    source_file: str
    rows: int


class QuarantinedRow(Frozen):
    """One refused row as it stands in the log."""

    run_date: date
    rule: str
    broken_value: str | None
    source_file: str
    row_number: int | None  # from 0; None for a whole file
    original: dict[str, Any]


class QuarantineSummary(Frozen):
    """What was asked of the quarantine."""

    lake: str
    rows: int
    by_rule: dict[str, int]
    by_night: dict[date, int]
    counts: tuple[QuarantineCount, ...]
    examples: tuple[QuarantinedRow, ...]
    rules: dict[str, str]  # rule -> what it asks for


class ReplayedNight(Frozen):
    """One night's refused rows under the rules of now; rows = would_pass + still + gone."""

    run_date: date
    rows: int
    would_pass: dict[str, int]  # rule that refused -> rows
    still: dict[str, int]  # rule that refuses now -> rows
    gone: int  # their file is not there any more, or holds something else
    files_would_pass: tuple[str, ...]  # refused as a whole
    would_refuse: dict[str, int]  # rule -> rows that are accepted now
    problem: str | None  # why the night would stop


class Replay(Frozen):
    """What judging again gives."""

    lake: str
    nights: tuple[ReplayedNight, ...]
    applied: bool
    rules: dict[str, str]
