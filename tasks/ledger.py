"""The promotion ledger: one line per decision, appended, never edited, each sealing the one before.

MLflow aliases keep no history; this file does, and it tells which champion stood when a
night began, whenever that night is run.
"""

import getpass
import hashlib
import os
import socket
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from data_contracts.errors import ContractViolationError
from data_contracts.ledger import LedgerEntry, LedgerLine
from tasks.files import sync, write_text


def ledger_path(lake: Path) -> Path:
    """Where the ledger lies."""
    return lake / "state" / "promotions.jsonl"


def read_ledger(lake: Path) -> list[LedgerEntry]:
    """Return all decisions, oldest first; a line cut off by a crash is left out.

    Raises:
        ContractViolationError: a line is not a decision, or was edited after it was written.
    """
    return [line.entry for line in read_lines(lake)]


def read_lines(lake: Path) -> list[LedgerLine]:
    """Return all lines with their time and author, oldest first.

    Raises:
        ContractViolationError: a line is not a decision, or its seal does not fit.
    """
    path = ledger_path(lake)
    if not path.exists():
        return []
    lines: list[LedgerLine] = []
    texts = path.read_text(encoding="utf-8").split("\n")
    for number, text in enumerate(texts[:-1], start=1):  # after the last newline it is torn
        line = _parsed(text, path, number)
        if line.seal != _seal(line, lines[-1].seal if lines else ""):
            raise ContractViolationError(
                f"{path} line {number} was changed after it was written, or a line before it was "
                "changed, added or taken out: restore the file from a copy"
            )
        lines.append(line)
    return lines


def _parsed(text: str, path: Path, number: int) -> LedgerLine:
    try:
        return LedgerLine.model_validate_json(text)
    except ValidationError as error:
        raise ContractViolationError(f"{path} line {number} is not a decision: {text}") from error


def standing_before(entries: list[LedgerEntry], run_date: date) -> LedgerEntry | None:
    """Return the last decision that a night of this run date meets.

    Of a night that was decided twice the second decision stands; what a person decided after
    a night stands as well.
    """
    earlier = [entry for entry in entries if entry.run_date < run_date]
    return sorted(earlier, key=lambda entry: entry.run_date)[-1] if earlier else None


def append(lake: Path, entry: LedgerEntry) -> None:
    """Append a decision, unless it is already the newest one of its run date."""
    lines = read_lines(lake)
    same_night = [line.entry for line in lines if line.entry.run_date == entry.run_date]
    if same_night and same_night[-1] == entry:
        return
    path = ledger_path(lake)
    _drop_torn_line(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = LedgerLine(entry=entry, at=datetime.now(UTC), by=_author(), seal="")
    sealed = line.model_copy(update={"seal": _seal(line, lines[-1].seal if lines else "")})
    with path.open("a", encoding="utf-8") as file:
        file.write(sealed.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def _seal(line: LedgerLine, before: str) -> str:
    content = line.model_dump_json(exclude={"seal"})
    return hashlib.sha256(f"{before}\n{content}".encode()).hexdigest()


def _author() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _drop_torn_line(path: Path) -> None:
    if path.exists() and not (text := path.read_text(encoding="utf-8")).endswith("\n") and text:
        write_text(path, text[: text.rfind("\n") + 1])
