"""Say what the quarantine of a lake holds: exact counts, and rows as they stand in the log."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.interactions import INTERACTION_RULES
from data_contracts.quarantine_report import (
    QuarantineCount,
    QuarantinedRow,
    QuarantineSummary,
)
from tasks.plain_error import told
from tasks.quarantine.quarantine import OURS


def summarise_quarantine(
    lake: Path, *, rule: str | None = None, run_date: date | None = None, head: int = 0
) -> QuarantineSummary:
    """Return what was refused, by rule, night and file; memory grows with files, not with rows.

    Args:
        lake: whose quarantine.
        rule: the only rule to count.
        run_date: the only night to count.
        head: most rows to show, in order of night, file and row.

    Raises:
        ConfigError: there is no such rule, or no lake.
        ContractViolationError: a file of the quarantine cannot be read.
    """
    if rule is not None and rule not in INTERACTION_RULES:
        raise ConfigError(f"rule must be one of {', '.join(INTERACTION_RULES)}, got {rule}")
    counts: list[QuarantineCount] = []
    examples: list[QuarantinedRow] = []
    for day, path in parts(lake, run_date):
        part = _part(path, rule)
        try:
            counts += _counts(day, part)
            if len(examples) < head:
                examples += _rows(day, part.head(head - len(examples)))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ContractViolationError(
                f"{path} must be a whole Parquet file of the quarantine, got: {told(error)}; run "
                f"the night of {day} again, or remove the file"
            ) from error
    by_rule, by_night = Counter[str](), Counter[date]()
    for count in counts:
        by_rule[count.rule] += count.rows
        by_night[count.run_date] += count.rows
    return QuarantineSummary(
        lake=str(lake), rows=by_rule.total(), by_rule=dict(sorted(by_rule.items())),
        by_night=dict(by_night), counts=tuple(counts), examples=tuple(examples),
        rules=INTERACTION_RULES,
    )  # fmt: skip


def parts(lake: Path, run_date: date | None = None) -> Iterator[tuple[date, Path]]:
    """Yield the files of the quarantine with the run dates of their nights, oldest first.

    Raises:
        ConfigError: there is no lake.
    """
    if not lake.is_dir():
        raise ConfigError(f"no lake at {lake}: run a night first, or mend 'lake'")
    for folder in sorted((lake / "quarantine").glob("run_date=*")):
        day = date.fromisoformat(folder.name.removeprefix("run_date="))
        if run_date in (None, day):
            yield from ((day, path) for path in sorted(folder.glob("*.parquet")))


def _part(path: Path, rule: str | None) -> pl.LazyFrame:
    part = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    return part if rule is None else part.filter(pl.col("rule") == rule)


def _counts(day: date, part: pl.LazyFrame) -> list[QuarantineCount]:
    counted = part.group_by("rule", "source_file").len().collect(engine="streaming")
    rows = counted.sort("source_file", "rule").iter_rows()
    return [
        QuarantineCount(run_date=day, rule=rule, source_file=file, rows=n_rows)
        for rule, file, n_rows in rows
    ]


def _rows(day: date, part: pl.LazyFrame) -> list[QuarantinedRow]:
    return [
        QuarantinedRow(
            run_date=day,
            rule=row["rule"],
            broken_value=row.get("broken_value"),  # quarantine of an older version has none
            source_file=row["source_file"],
            row_number=row["row_number"],
            original={name: _shown(value) for name, value in row.items() if name not in OURS},
        )
        for row in part.collect(engine="streaming").to_dicts()
    ]


def _shown(value: Any) -> Any:
    """Return a value that JSON can hold."""
    return value.hex() if isinstance(value, bytes) else value
