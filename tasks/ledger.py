"""The promotion ledger: one line per decision, appended and never edited.

MLflow aliases keep no history; this file does, and it tells which champion stood when a
night began, whenever that night is run.
"""

import os
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from data_contracts.errors import ContractViolationError
from data_contracts.ledger import LedgerEntry
from tasks.files import sync, write_text


def ledger_path(lake: Path) -> Path:
    """Where the ledger lies."""
    return lake / "state" / "promotions.jsonl"


def read_ledger(lake: Path) -> list[LedgerEntry]:
    """Return all decisions, oldest first; a line cut off by a crash is left out.

    Raises:
        ContractViolationError: a line before the last is not a decision.
    """
    path = ledger_path(lake)
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    entries = []
    for number, line in enumerate(lines[:-1], start=1):  # the part after the last newline is torn
        try:
            entries.append(LedgerEntry.model_validate_json(line))
        except ValidationError as error:
            raise ContractViolationError(
                f"{path} line {number} is not a decision: {line}"
            ) from error
    return entries


def standing_before(entries: list[LedgerEntry], run_date: date) -> LedgerEntry | None:
    """Return the last decision of an earlier run date."""
    earlier = [entry for entry in entries if entry.run_date < run_date]
    # sorting is stable: of a night that was decided twice, the second decision stands
    return sorted(earlier, key=lambda entry: entry.run_date)[-1] if earlier else None


def append(lake: Path, entry: LedgerEntry) -> None:
    """Append a decision, unless it is already the newest one of its run date."""
    entries = read_ledger(lake)
    same_night = [past for past in entries if past.run_date == entry.run_date]
    if same_night and same_night[-1] == entry:
        return
    path = ledger_path(lake)
    _drop_torn_line(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(entry.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def _drop_torn_line(path: Path) -> None:
    if path.exists() and not (text := path.read_text(encoding="utf-8")).endswith("\n") and text:
        write_text(path, text[: text.rfind("\n") + 1])
