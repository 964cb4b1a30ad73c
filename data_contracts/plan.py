"""What a night is expected to read, take and leave, and what it did."""

from datetime import date
from typing import Literal, Self

from data_contracts.frozen import Frozen

Unit = Literal["rows", "users", "items", "interactions", "s", "MB"]


class Range(Frozen):
    """Between which bounds a figure is expected; an estimate, not a promise."""

    low: float
    high: float

    def times(self, low: float, high: float | None = None) -> Self:
        """Return the range with its bounds multiplied."""
        return type(self)(low=self.low * low, high=self.high * (low if high is None else high))

    def plus(self, other: "Range") -> Self:
        """Return the range of the sum."""
        return type(self)(low=self.low + other.low, high=self.high + other.high)


class Expected(Frozen):
    """What a night will have to do with."""

    files: int  # not taken by an earlier night
    log_mb: float
    rows: int  # as their footers say
    unreadable: tuple[str, ...]  # files whose footer cannot be read
    users: Range
    items: Range
    interactions: Range


class Plan(Expected):
    """What a night will cost."""

    run_date: date
    seconds: dict[str, Range]  # step -> its time; a step that nothing is known of is left out
    total_seconds: Range
    memory_mb: dict[str, Range]  # training, ranking: peak of the process
    table_mb: dict[str, Range]  # on disk
    basis: str  # where the estimates come from


class KeptPlan(Frozen):
    """A plan as it lies in the night's folder, with what it was made for."""

    key: str
    plan: Plan


class StepRecord(Frozen):
    """What one finished step took."""

    step: str
    key: str  # of its manifest
    seconds: float
    peak_memory_mb: int  # of the process, up to the end of the step


class Outcome(Frozen):
    """One figure of a plan and what came of it."""

    what: str
    unit: Unit
    low: float
    high: float
    got: float
    inside: bool  # whether the plan held
