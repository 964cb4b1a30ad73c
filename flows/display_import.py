"""What import shows."""

from rich.table import Table

from data_contracts.import_source import ImportedFile, ImportResult
from flows.display import OUT, print_json, say


def imported(result: ImportResult, *, as_json: bool) -> None:
    """Show what became of every file, to the last row."""
    if as_json:
        print_json(result)
        return
    for log in result.logs:
        _file(log, f"{log.first_day} to {log.last_day}, one file per day", result.rules)
    if result.catalogue is not None:
        _file(result.catalogue, "items of the catalogue", result.rules)
    last = max((log.last_day for log in result.logs if log.last_day), default=None)
    if last is not None:
        OUT.print(f"Next: hoarfrost validate --date {last}")


def _file(file: ImportedFile, what: str, rules: dict[str, str]) -> None:
    refused = sum(file.refused.values())
    say(
        file.source,
        f" {file.rows:,} rows: {file.written:,} written, {refused:,} refused; {what}",
    )
    unchanged = f", {file.files_unchanged} of them there before" * bool(file.files_unchanged)
    OUT.print(f"{file.files} files{unchanged}")
    if file.left_out:
        OUT.print(f"columns not kept: {', '.join(file.left_out)}")
    if refused:
        table = Table("rule", "rows", "what it means", box=None)
        for rule, count in file.refused.items():
            table.add_row(rule, f"{count:,}", rules[rule])
        OUT.print(table)
        OUT.print(f"refused rows: {file.refused_file}")
