"""What quarantine shows."""

from collections import Counter

from rich.table import Table

from data_contracts.quarantine_report import QuarantineSummary, Replay, ReplayedNight
from flows.display import OUT, print_json, say

_FILES = 20  # named on a terminal; JSON has all


def summary(found: QuarantineSummary, *, as_json: bool) -> None:
    """Show what was refused."""
    if as_json:
        print_json(found)
        return
    say("Quarantine", f" of {found.lake}: {found.rows:,} rows")
    if not found.rows:
        return
    rules = Table("rule", "rows", "what it means", box=None)
    for rule, rows in found.by_rule.items():
        rules.add_row(rule, f"{rows:,}", found.rules.get(rule, ""))
    OUT.print(rules)
    nights = Table("run date", "rows", box=None)
    for day, rows in found.by_night.items():
        nights.add_row(str(day), f"{rows:,}")
    OUT.print(nights)
    _files(found)
    for row in found.examples:
        value = "" if row.broken_value is None else f", got {row.broken_value}"
        place = "" if row.row_number is None else f" row {row.row_number}"
        say(f"\n{row.source_file}{place}", f" {row.rule}{value}")
        for name, original in row.original.items():
            OUT.print(f"  {name}: {original}")


def _files(found: QuarantineSummary) -> None:
    counts: Counter[str] = Counter()
    for count in found.counts:
        counts[count.source_file] += count.rows
    files = Table("file", "rows", box=None)
    for name, rows in counts.most_common(_FILES):
        files.add_row(name, f"{rows:,}")
    OUT.print(files)
    if len(counts) > _FILES:
        OUT.print(f"and {len(counts) - _FILES:,} more files")


def replayed(found: Replay, *, as_json: bool) -> None:
    """Show what judging again gives."""
    if as_json:
        print_json(found)
        return
    if not found.nights:
        say("Quarantine", f" of {found.lake}: nothing to judge again")
    for night in found.nights:
        _night(night, found.rules)
    passing = sum(sum(night.would_pass.values()) for night in found.nights)
    if found.applied:
        say(f"{passing:,} rows let in", "; the next night's history holds them")
    elif passing:
        say(f"{passing:,} rows would pass: ", "hoarfrost quarantine --replay --apply")


def _night(night: ReplayedNight, rules: dict[str, str]) -> None:
    say(f"Night of {night.run_date}", f": {night.rows:,} refused rows")
    table = Table("rule", "would pass", "refused still", "accepted before", box=None)
    columns = (night.would_pass, night.still, night.would_refuse)
    for rule in rules:
        counts = [column.get(rule, 0) for column in columns]
        if any(counts):
            table.add_row(rule, *(f"{count:,}" for count in counts))
    OUT.print(table)
    for file in night.files_would_pass:
        OUT.print(f"{file} can be taken as a whole")
    if night.gone:
        OUT.print(f"{night.gone:,} rows cannot be judged: their files are gone or changed")
    if night.problem is not None:
        OUT.print(f"The night would stop: {night.problem}")
