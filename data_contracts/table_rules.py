"""What became of every rule on the days of a night, and which days wait because of one."""

from datetime import date
from typing import Literal

from data_contracts.frozen import Frozen
from data_contracts.manifests import Manifest

TABLE_RULES = {
    "uniqueness": "few rows of a day tell an event again",
    "freshness": "the last event of a day lies close to the day's end",
    "volume": "a day is about as large as the same weekday of the last 28 days",
    "unknown_items": "few events of a day are on items that the catalogue does not have",
    "new_items": "few events of a day are on items that nobody met in the days before",
}
RuleState = Literal["passed", "warned", "quarantined", "stopped", "not enough data"]


class RuleOutcome(Frozen):
    """What one rule says of one day."""

    rule: str
    day: date
    state: RuleState
    figure: float | None  # None where nothing can be said
    unit: Literal["share", "hours", "rows", "times"]
    least: float | None = None  # the figure may be no smaller
    most: float | None = None  # and no larger; both None: nothing is bounded
    sentence: str  # figure and limit in words, or why there is none
    file: str | None = None  # where most of it lies, of a rule of rows


class WaitingDay(Frozen):
    """A day that a rule has set aside; it is read again when a file or a setting changes."""

    day: date
    reason: str
    files: dict[str, str]  # path -> sha256
    settings: str  # digest of all that judges a day


class RulesManifest(Manifest):
    """The outcome of every rule, and the days that wait."""

    outcomes: tuple[RuleOutcome, ...]
    warnings: tuple[str, ...]
    waiting: tuple[WaitingDay, ...]
