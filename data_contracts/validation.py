"""When bad rows or an odd day are told of, set a day aside, or stop the night.

A row that breaks its contract is never kept, whatever a limit says: limits and severities decide
what becomes of its day and of the night. Who wants such rows kept widens the rule itself:
[events], interactions.earliest, interactions.look_back_days, max_events_per_user_day.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from data_contracts.frozen import Frozen
from data_contracts.surface import Share

Severity = Literal["warn", "quarantine", "stop"]


class RowRule(Frozen):
    """How many rows of a day may break one rule, and what a day with more of them is worth."""

    severity: Severity = "quarantine"
    """Beyond it: "warn" tells, "quarantine" sets the day aside, "stop" ends the night."""
    max_share: Share | None = None
    """Largest share of the day's rows."""
    max_rows: NonNegativeInt | None = None
    """Largest number of the day's rows."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.max_share is None and self.max_rows is None:
            raise ValueError(
                "a rule with a severity must have max_share or max_rows, got neither; without "
                "them bad rows are set aside one by one and the day goes on"
            )
        return self


class ShareRule(Frozen):
    """Largest share of the day's rows, and what becomes of a day with more."""

    severity: Severity = "warn"
    """Beyond it: "warn" tells, "quarantine" sets the day aside, "stop" ends the night."""
    max_share: Share = 0.5
    """Largest share of the day's rows."""


class UniquenessRule(ShareRule):
    """How much of the day may be told twice."""

    max_share: Share = 0.1
    """Largest share of the day's rows that tell an event again."""


class UnknownItemsRule(ShareRule):
    """How much of the day may be on items that the catalogue does not have, where there is one."""

    max_share: Share = 0.2
    """Largest share of the day's events on such items."""


class NewItemsRule(ShareRule):
    """How much of the day may be on items that nobody met in the days before."""

    max_share: Share = 0.5
    """Largest share of the day's events on such items."""


class FreshnessRule(Frozen):
    """How early the day's last event may be."""

    severity: Severity = "warn"
    """Beyond it: "warn" tells, "quarantine" sets the day aside, "stop" ends the night."""
    max_hours: PositiveFloat = 12.0
    """Most hours between the day's last event and the day's end."""


class VolumeRule(Frozen):
    """How large the day may be against the same weekday in the last 28 days."""

    severity: Severity = "warn"
    """Beyond it: "warn" tells, "quarantine" sets the day aside, "stop" ends the night."""
    min_factor: Share = 0.5
    """Fewest good rows, in times of the usual number."""
    max_factor: Annotated[float, Field(ge=1.0)] = 2.0
    """Most good rows, in times of the usual number."""
    fewest_days: Annotated[int, Field(ge=1)] = 3
    """Fewer days of that weekday: all of the last 28 are usual; fewer of those: nothing is."""


class RulesConfig(Frozen):
    """Limits of a day, rule by rule; rows that break a rule are set aside with or without one."""

    user_id_missing: RowRule | None = None
    """Rows without a user, such as { severity = "stop", max_share = 0.01 }."""
    item_id_missing: RowRule | None = None
    """Rows without an item."""
    user_id_unfit: RowRule | None = None
    """Rows whose user id no table can hold."""
    item_id_unfit: RowRule | None = None
    """Rows whose item id no table can hold."""
    timestamp_missing: RowRule | None = None
    """Rows without a time."""
    event_type_unknown: RowRule | None = None
    """Rows of an event type that is not in [events]."""
    timestamp_ancient: RowRule | None = None
    """Rows from before interactions.earliest."""
    timestamp_in_future: RowRule | None = None
    """Rows from after the day of their file."""
    too_late: RowRule | None = None
    """Rows that came more than interactions.look_back_days after they happened."""
    value_unfit: RowRule | None = None
    """Rows without a finite rating, where the log has ratings."""
    duplicate: RowRule | None = None
    """Rows that tell an event again; a share of them is bounded by uniqueness too."""
    bot: RowRule | None = None
    """Rows of users with more than max_events_per_user_day."""
    uniqueness: UniquenessRule = UniquenessRule()
    freshness: FreshnessRule = FreshnessRule()
    volume: VolumeRule = VolumeRule()
    unknown_items: UnknownItemsRule = UnknownItemsRule()
    new_items: NewItemsRule = NewItemsRule()


class ValidationConfig(Frozen):
    """When bad rows or a small day stop the night."""

    max_bad_share: Share = 0.2
    """Largest share of refused rows."""
    max_bad_rows: PositiveInt | None = None
    """Largest number of refused rows, if any."""
    min_rows: PositiveInt = 1
    """Fewest good rows on the run date."""
    min_share_of_usual: Share = 0.2
    """Fewest good rows on the run date, as a share of what is usual (see rules.volume)."""
    max_events_per_user_day: PositiveInt = 1000
    """More events of one user on one day are a bot's."""
    rules: RulesConfig = RulesConfig()
