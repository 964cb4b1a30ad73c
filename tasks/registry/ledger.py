"""The promotion ledger: one line per decision, appended, never edited, each sealing the one before.

MLflow aliases keep no history; this file does, and it tells which champion stood when a
night began, whenever that night is run.
"""

import getpass
import hashlib
import os
import socket
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from data_contracts.errors import ContractViolationError
from data_contracts.ledger import ForgetEntry, LedgerEntry, LedgerLine
from tasks.files import sync

_SEAL = b',"seal":"'  # what the last field of a line begins with
_MEND = "restore the file from a copy"


def ledger_path(lake: Path) -> Path:
    """Where the ledger lies."""
    return lake / "state" / "promotions.jsonl"


def read_ledger(lake: Path) -> list[LedgerEntry]:
    """Return all decisions, oldest first; a line cut off by a crash is left out.

    Raises:
        ContractViolationError: a line is not a decision, or was edited after it was written.
    """
    return decisions(read_lines(lake))


def decisions(lines: Iterable[LedgerLine]) -> list[LedgerEntry]:
    """Return who was to be champion, line by line; people who were forgotten are left out."""
    return [line.entry for line in lines if isinstance(line.entry, LedgerEntry)]


def read_lines(lake: Path) -> list[LedgerLine]:
    """Return all lines with their time and author, oldest first.

    Raises:
        ContractViolationError: a line is not a decision, or its seal does not fit.
    """
    lines, problem = whole_lines(lake)
    if problem is not None:
        raise ContractViolationError(problem)
    return lines


def whole_lines(lake: Path) -> tuple[list[LedgerLine], str | None]:
    """Return the lines before the first one that does not fit, and a sentence on that one.

    A seal covers the bytes of a line as they were written, so it holds whatever fields later
    versions know, and a changed blank shows. Lines taken off the end do not show here: the
    aliases then stand for a decision that the ledger does not have.
    """
    path = ledger_path(lake)
    lines: list[LedgerLine] = []
    for number, content in enumerate(_finished(path), start=1):
        before = lines[-1].seal if lines else ""
        line = _parsed(content)
        if line is None:
            return lines, f"{path} line {number} is not a decision: {content[:200]!r}; {_MEND}"
        sealed = content.rpartition(_SEAL)[0] + b"}"
        if content != _closed(sealed, _seal(sealed, before)):
            return lines, (
                f"{path} line {number} was changed after it was written, or a line before it was "
                f"changed, added or taken out: {_MEND}"
            )
        lines.append(line)
    return lines, None


def _finished(path: Path) -> list[bytes]:
    """Return the lines but for the last one if a crash has torn it, maybe inside a letter."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def _parsed(content: bytes) -> LedgerLine | None:
    try:
        return LedgerLine.model_validate_json(content)
    except ValidationError:
        return None


def standing_before(entries: list[LedgerEntry], run_date: date) -> LedgerEntry | None:
    """Return the last decision that a night of this run date meets.

    Of a night that was decided twice the second decision stands; what a person decided after
    a night stands as well.
    """
    earlier = [entry for entry in entries if entry.run_date < run_date]
    return sorted(earlier, key=lambda entry: entry.run_date)[-1] if earlier else None


def decided_by_hand(entries: list[LedgerEntry], run_date: date) -> LedgerEntry | None:
    """Return what a person decided after the night of this run date, if anybody did."""
    found = [entry for entry in entries if entry.run_date == run_date]
    return found[-1] if found and found[-1].action != "night" else None


def append(lake: Path, entry: LedgerEntry) -> None:
    """Append a decision, unless it is already the newest one of its run date.

    The line is on the disk when this returns; the caller holds the lock of the lake.

    Raises:
        ContractViolationError: the ledger was changed by somebody.
    """
    lines = read_lines(lake)
    same_night = [each for each in decisions(lines) if each.run_date == entry.run_date]
    if not same_night or same_night[-1] != entry:
        _write(lake, lines, entry)


def append_forgetting(lake: Path, entry: ForgetEntry) -> None:
    """Append that people were forgotten, unless the same command has told it before.

    Raises:
        ContractViolationError: the ledger was changed by somebody.
    """
    lines = read_lines(lake)
    told = [line.entry.id for line in lines if isinstance(line.entry, ForgetEntry)]
    if entry.id not in told:
        _write(lake, lines, entry)


def _write(lake: Path, lines: list[LedgerLine], entry: LedgerEntry | ForgetEntry) -> None:
    path = ledger_path(lake)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        _drop_torn_line(path, file)
        file.write(_sealed(entry, lines[-1].seal if lines else ""))
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def _sealed(entry: LedgerEntry | ForgetEntry, before: str) -> bytes:
    line = LedgerLine(entry=entry, at=datetime.now(UTC), by=_author(), seal="")
    content = line.model_dump_json(exclude={"seal"}).encode()
    return _closed(content, _seal(content, before)) + b"\n"


def _closed(content: bytes, seal: str) -> bytes:
    """Return the line of a file: its content with the seal as the last field."""
    return content[:-1] + _SEAL + seal.encode() + b'"}'


def _seal(content: bytes, before: str) -> str:
    return hashlib.sha256(before.encode() + b"\n" + content).hexdigest()


def _author() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _drop_torn_line(path: Path, file: BinaryIO) -> None:
    content = path.read_bytes()
    file.truncate(content.rfind(b"\n") + 1)
