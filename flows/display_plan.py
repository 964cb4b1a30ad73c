"""What plan shows."""

from rich.table import Table

from data_contracts.plan import Plan, Range
from flows.display import OUT, print_json, say
from tasks.report.report_text import range_text


def plan(made: Plan, *, as_json: bool) -> None:
    """Show what a night is expected to read, take and leave."""
    if as_json:
        print_json(made)
        return
    say(f"Night of {made.run_date}", f": {made.rows:,} rows in {made.files} new files")
    for name in made.unreadable:
        OUT.print(f"{name} cannot be read; its day would wait")
    counts = {"users": made.users, "items": made.items, "interactions": made.interactions}
    OUT.print(", ".join(f"{range_text(each)} {name}" for name, each in counts.items()))
    _ranges("step", "seconds", made.seconds | {"in all": made.total_seconds})
    _ranges("peak memory of", "MB", made.memory_mb)
    _ranges("table", "MB on disk", made.table_mb)
    OUT.print(f"Ranges, not promises: {made.basis}")


def _ranges(what: str, unit: str, ranges: dict[str, Range]) -> None:
    rows = Table(what, unit, box=None)
    for name, each in ranges.items():
        rows.add_row(name, range_text(each))
    if ranges:
        OUT.print(rows)
