"""One line of the ledger: a decision on who is champion, or people who were forgotten."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from data_contracts.frozen import Frozen
from data_contracts.manifests import Verdict


class LedgerEntry(Frozen):
    """One decision on who is champion: a night's, or a person's."""

    run_date: date
    challenger: str
    verdict: Verdict
    reason: str
    champion: str  # version the tables come from after the decision
    previous: str | None
    action: Literal["night", "promote", "rollback"] = "night"
    forced: bool = False  # against the gate's verdict
    figures: dict[str, float] = Field(default={})  # mean gains that decided
    config_digest: str = ""
    data_digest: str = ""  # of the matrices it was judged on
    snapshot: str | None = None  # where latest points to after a rollback
    bad_version: str | None = None  # rolled back: neither it nor its twin is promoted by a night


class ForgetEntry(Frozen):
    """People who were forgotten: how many and why, never who."""

    action: Literal["forget"] = "forget"
    id: str  # of the command, so that it is told once
    people: int
    reason: str
    rows: dict[str, int]  # place -> rows taken out
    snapshots: tuple[str, ...]  # rewritten


class LedgerLine(Frozen):
    """An entry as it lies in the file; every line seals the one before."""

    entry: LedgerEntry | ForgetEntry
    at: datetime  # when it was written, by the clock of the machine
    by: str  # user and machine
    seal: str  # sha256 of the seal before, and of this line without its seal
