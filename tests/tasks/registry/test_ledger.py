"""The promotion ledger: appended, found again, robust against a torn line."""

import hashlib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ContractViolationError
from data_contracts.ledger import LedgerEntry
from tasks.registry.ledger import append, ledger_path, read_ledger, read_lines, standing_before


def entry(day, champion="1", verdict="promote"):
    """A decision of a September night."""
    return LedgerEntry(
        run_date=date(2026, 9, day), challenger=champion, verdict=verdict,
        reason="because", champion=champion, previous=None,
    )  # fmt: skip


def test_decisions_come_back_in_order(tmp_path):
    """What was appended is read."""
    for each in (entry(1), entry(2, "2")):
        append(tmp_path, each)
    assert read_ledger(tmp_path) == [entry(1), entry(2, "2")]


def test_same_decision_is_written_once(tmp_path):
    """A resumed night does not repeat itself."""
    append(tmp_path, entry(1))
    append(tmp_path, entry(1))
    assert read_ledger(tmp_path) == [entry(1)]


def test_torn_line_is_dropped(tmp_path):
    """A line that a crash cut off was no decision."""
    append(tmp_path, entry(1))
    with ledger_path(tmp_path).open("a", encoding="utf-8") as file:
        file.write('{"run_date": "2026-09-0')
    assert read_ledger(tmp_path) == [entry(1)]
    append(tmp_path, entry(2))
    assert read_ledger(tmp_path) == [entry(1), entry(2)]


def test_damaged_line_is_reported(tmp_path):
    """An edited ledger is not guessed at."""
    append(tmp_path, entry(1))
    ledger_path(tmp_path).write_text("{}\n", encoding="utf-8")
    with pytest.raises(ContractViolationError, match="line 1 is not a decision"):
        read_ledger(tmp_path)


def test_line_torn_inside_a_letter_is_dropped(tmp_path):
    """Reasons are written by people, who have letters of two bytes."""
    append(tmp_path, entry(1))
    with ledger_path(tmp_path).open("ab") as file:
        file.write('{"entry":{"reason":"ü'.encode()[:-1])
    assert read_ledger(tmp_path) == [entry(1)]
    append(tmp_path, entry(2))
    assert read_ledger(tmp_path) == [entry(1), entry(2)]


def test_bytes_that_are_no_text_are_reported(tmp_path):
    """By the number of their line."""
    append(tmp_path, entry(1))
    with ledger_path(tmp_path).open("ab") as file:
        file.write(b"\xff\n")
    with pytest.raises(ContractViolationError, match="line 2 is not a decision"):
        read_ledger(tmp_path)


def test_seal_holds_whatever_fields_later_versions_know(tmp_path):
    """A line without a field that has a default now was sealed as it was written."""
    append(tmp_path, entry(1))
    content = ledger_path(tmp_path).read_bytes().partition(b',"seal":"')[0]
    shorter = content.replace(b',"bad_version":null', b"") + b"}"
    assert len(shorter) < len(content)
    seal = hashlib.sha256(b"\n" + shorter).hexdigest().encode()
    ledger_path(tmp_path).write_bytes(shorter[:-1] + b',"seal":"' + seal + b'"}\n')
    append(tmp_path, entry(2))
    assert read_ledger(tmp_path) == [entry(1), entry(2)]


@given(st.data())
def test_every_changed_byte_shows(tmp_path_factory, data):
    """But in the last line, where a lost end is taken for a torn line."""
    lake = tmp_path_factory.mktemp("lake")
    for day in (1, 2, 3):
        append(lake, entry(day, str(day)))
    content = bytearray(ledger_path(lake).read_bytes())
    place = data.draw(st.integers(0, len(content) - 2))
    content[place] ^= data.draw(st.integers(1, 255))
    ledger_path(lake).write_bytes(content)
    with pytest.raises(ContractViolationError, match=r"line [123] (was changed|is not a decision)"):
        read_lines(lake)


@pytest.mark.parametrize("change", ["edited", "taken out", "swapped"])
def test_change_of_the_past_shows(tmp_path, change):
    """Every line seals the one before: the sentence names the first that does not fit."""
    for day in (1, 2, 3):
        append(tmp_path, entry(day, str(day)))
    first, second, third, end = ledger_path(tmp_path).read_text(encoding="utf-8").split("\n")
    lines = {
        "edited": [first, second.replace("because", "no reason"), third, end],
        "taken out": [first, third, end],
        "swapped": [second, first, third, end],
    }
    ledger_path(tmp_path).write_text("\n".join(lines[change]), encoding="utf-8")
    number = 1 if change == "swapped" else 2
    with pytest.raises(ContractViolationError, match=f"line {number} was changed"):
        read_ledger(tmp_path)


def test_line_says_who_and_when(tmp_path):
    """For the people who ask later."""
    before = datetime.now(UTC)
    append(tmp_path, entry(1))
    (line,) = read_lines(tmp_path)
    assert before <= line.at <= datetime.now(UTC)
    assert "@" in line.by


def test_standing_champion_is_that_of_the_last_earlier_night():
    """A night that is run again meets the champion it met the first time."""
    entries = [entry(1, "1"), entry(3, "3"), entry(2, "2")]
    assert standing_before(entries, date(2026, 9, 3)) == entry(2, "2")
    assert standing_before(entries, date(2026, 9, 1)) is None


def test_second_decision_of_a_night_stands():
    """A night that was run again with other data or code has decided anew."""
    entries = [entry(1, "1"), entry(1, "2")]
    assert standing_before(entries, date(2026, 9, 2)) == entry(1, "2")
