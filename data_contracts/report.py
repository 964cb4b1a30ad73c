"""The report of one night, for people and for scripts."""

from datetime import date

from pydantic import Field

from data_contracts.drift import Drift
from data_contracts.frozen import Frozen
from data_contracts.log_drift import LogFigure
from data_contracts.manifests import Interval, RefusedFile, SegmentFigure, Verdict
from data_contracts.plan import Outcome
from data_contracts.table_rules import RuleOutcome


class Recommendation(Frozen):
    """One line of a user's list."""

    rank: int
    item_id: str | int
    title: str | None
    score: float
    source: str
    because_item_id: str | int | None
    because_title: str | None
    because_share: float | None


class UserExample(Frozen):
    """What a user liked lately and what they are shown."""

    user_id: str | int
    history: tuple[str, ...]  # titles, strongest first; ids where there is no title
    recommendations: tuple[Recommendation, ...]


class NightReport(Frozen):
    """All that a person needs to know of a night."""

    run_date: date
    verdict: Verdict
    reason: str
    champion_version: str
    challenger_version: str
    judged_users: int
    metrics: dict[str, dict[str, Interval]]
    gain_over_popularity: dict[str, Interval]
    rows: int
    accepted: int
    quarantined: dict[str, int]
    refused_files: tuple[RefusedFile, ...]
    users: int
    items: int
    interactions: int
    table_rows: dict[str, int]
    fallback_share: float
    short_lists: int
    drift: Drift | None
    snapshot: str  # folder of the tables
    is_latest: bool
    quarantine: str  # folder of the refused rows
    examples: tuple[UserExample, ...]
    plan: tuple[Outcome, ...] = ()  # what was expected, and what came
    gain_over_champion: dict[str, Interval] = Field(default={})
    detectable: dict[str, float] = Field(default={})  # metric -> smallest difference that shows
    segments: dict[str, dict[str, dict[str, SegmentFigure]]] = Field(default={})
    exposure: dict[str, dict[str, float]] = Field(default={})  # model -> tier -> share of places
    settings: dict[str, str] = Field(default={})  # of the judgement: split, seed, recall rule
    log_drift: dict[str, LogFigure] = Field(default={})  # the log against the days before
    log_warnings: tuple[str, ...] = ()  # figures of it that are a drift
    rules: tuple[RuleOutcome, ...] = ()  # what every rule says of the run date's day
    lineage: dict[str, str] = Field(default={})  # where the tables come from
