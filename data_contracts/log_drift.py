"""What a step keeps of the log of a night, and how it compares with the days before."""

from datetime import date, datetime
from typing import Literal

from data_contracts.frozen import Frozen
from data_contracts.manifests import Manifest

DriftState = Literal["ok", "drift", "not enough data"]
MEANING = {
    "items_psi": "popularity of items, stability index",
    "items_js": "popularity of items, Jensen-Shannon distance",
    "event_types_psi": "event types, stability index",
    "event_types_js": "event types, Jensen-Shannon distance",
    "activity_psi": "users by number of events, stability index",
    "activity_js": "users by number of events, Jensen-Shannon distance",
    "new_users": "share of new users",
    "new_items": "share of events on new items",
    "silence": "hours without an event at the end of the day",
    "volume": "events",
}


class LogDay(Frozen):
    """What one night's ingest holds of one day, by the time of the events."""

    day: date
    events: int
    squares: int  # over users, of the number of their events: tells how alike events are
    newest: datetime
    event_types: dict[str, int]
    activity: tuple[int, ...]  # users by their number of events, in cells


class LogFigure(Frozen):
    """One figure of the run date's log."""

    value: float | None  # None where nothing can be said
    usual: float | None  # median of the days or nights before
    noise: float | None  # what chance alone exceeds with the configured probability
    state: DriftState


class LogDriftManifest(Manifest):
    """Counts by day (events by item in items.parquet) and the figures of the run date."""

    nights: dict[date, str]  # whose ingests are counted here, and the digest of each
    days: tuple[LogDay, ...]
    figures: dict[str, LogFigure]
    warnings: tuple[str, ...]
