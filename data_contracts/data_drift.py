"""How far a night's log may be from the logs of the days before."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from data_contracts.frozen import Frozen
from data_contracts.surface import Share


class LogLimits(Frozen):
    """Bounds of the figures of a log; one that is left out bounds nothing."""

    max_items_psi: PositiveFloat | None = None
    """Largest population stability index of item popularity, in cells of equal mass."""
    max_items_js: Share | None = None
    """Largest Jensen-Shannon distance of the same, from 0 to 1."""
    max_event_types_psi: PositiveFloat | None = None
    """Largest population stability index of event types."""
    max_event_types_js: Share | None = None
    """Largest Jensen-Shannon distance of event types."""
    max_activity_psi: PositiveFloat | None = None
    """Largest population stability index of users by their number of events on the day."""
    max_activity_js: Share | None = None
    """Largest Jensen-Shannon distance of the same."""
    max_new_users_change: Share | None = None
    """Largest change, either way, of the share of users that were not met in the days before."""
    max_new_items_change: Share | None = None
    """Largest change, either way, of the share of events on items not met in the days before."""
    max_silence_change: PositiveFloat | None = None
    """Most hours without an event at the end of the run date, above what is usual."""
    min_volume: Share | None = None
    """Smallest number of events, as a share of what is usual on this weekday."""
    max_volume: Annotated[float, Field(gt=1.0)] | None = None
    """Largest number of events, in times of what is usual on this weekday."""


class LogWarnLimits(LogLimits):
    """Bounds beyond which the report warns of a drift; nothing else happens."""

    max_items_psi: PositiveFloat | None = 0.25
    """Largest population stability index of item popularity, in cells of equal mass."""
    max_items_js: Share | None = 0.22
    """Largest Jensen-Shannon distance of the same, from 0 to 1."""
    max_event_types_psi: PositiveFloat | None = 0.1
    """Largest population stability index of event types."""
    max_event_types_js: Share | None = 0.14
    """Largest Jensen-Shannon distance of event types."""
    max_activity_psi: PositiveFloat | None = 0.1
    """Largest population stability index of users by their number of events on the day."""
    max_activity_js: Share | None = 0.14
    """Largest Jensen-Shannon distance of the same."""
    max_new_users_change: Share | None = 0.2
    """Largest change, either way, of the share of users that were not met in the days before."""
    max_new_items_change: Share | None = 0.1
    """Largest change, either way, of the share of events on items not met in the days before."""
    max_silence_change: PositiveFloat | None = 6.0
    """Most hours without an event at the end of the run date, above what is usual."""
    min_volume: Share | None = 0.5
    """Smallest number of events, as a share of what is usual on this weekday."""
    max_volume: Annotated[float, Field(gt=1.0)] | None = 2.0
    """Largest number of events, in times of what is usual on this weekday."""


class LogStopLimits(LogLimits):
    """Bounds beyond which the night ends before anything is trained; the last snapshot stays."""


class DataDriftConfig(Frozen):
    """How the log of the run date is compared with the days before."""

    days: Annotated[int, Field(ge=7)] = 28
    """So many days before the run date are what it is compared with."""
    n_cells: Annotated[int, Field(ge=2)] = 20
    """Cells of equal mass that the items are put into, by popularity."""
    false_alarm: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.01
    """Probability of calling a figure a drift on a night when nothing changed, at most."""
    fewest_days: PositiveInt = 3
    """Days or nights before, below which nothing is usual yet."""
    warn: LogWarnLimits = LogWarnLimits()
    stop: LogStopLimits = LogStopLimits()
