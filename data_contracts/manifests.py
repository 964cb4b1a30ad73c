"""Manifests: what tasks hand to each other in place of data.

A manifest is written last, so its presence means that every file it names is whole.
"""

from datetime import date
from typing import Literal

from pydantic import Field

from data_contracts.frozen import Frozen

Verdict = Literal["promote", "hold", "reject", "cannot judge"]


class FileEntry(Frozen):
    """One written file; path is relative to the folder of its manifest."""

    path: str
    rows: int
    bytes: int
    sha256: str


class Manifest(Frozen):
    """What one finished step of a night left behind."""

    step: str
    run_date: date
    key: str  # digest of all that went in: settings, inputs, code
    files: tuple[FileEntry, ...] = ()
    stands_for: str | None = None
    """Digest of what it was before people were forgotten: what was made of it stays valid."""


class LogFile(Frozen):
    """One file of the log as it was ingested; path is relative to the lake where it lies inside."""

    path: str
    partition: date
    bytes: int
    modified_ns: int
    sha256: str
    rows: int = 0  # accepted + quarantined
    accepted: int = 0
    quarantined: int = 0
    by_rule: dict[str, int] = Field(default_factory=dict)  # the quarantined ones
    days: dict[date, int] = Field(default_factory=dict)
    """Rows that were stored, repeats and bots too, by the day of their event in the log's zone."""


class RefusedFile(Frozen):
    """One file of the log that could not be taken, and why."""

    path: str
    partition: date
    rule: str
    reason: str


class IngestManifest(Manifest):
    """Events per user shard (files named shard-000.parquet, ...) and what was refused.

    The shards hold every row that keeps the row rules, with the place of its file in log_files:
    repeats and bots too, since another file can change what is one.
    """

    log_files: tuple[LogFile, ...]
    refused_files: tuple[RefusedFile, ...]
    user_id_type: Literal["string", "integer"]
    item_id_type: Literal["string", "integer"]
    n_user_shards: int
    rows: int
    accepted: int
    quarantined: dict[str, int]  # rule -> rows
    accepted_by_day: dict[date, int]  # by partition day
    late_rows: int  # accepted rows whose time lies before their partition's day
    layout: int = 0  # of the shards; those of another layout are not read


class FileAccount(Frozen):
    """Where the rows of one log file went, as one night read it: nothing else became of any."""

    path: str
    run_date: date  # of the night that read it
    rows: int  # the sum of all below
    quarantined: int  # broke a row rule
    replaced: int  # a later night read the file anew
    removed: int  # taken out of the state since
    filtered: int  # older than the window, or of a bot
    duplicates: int  # told by another row as well
    history: int  # part of the history


class DayAccount(Frozen):
    """What became of one file's rows of one day."""

    source: int  # place of the file among the part's sources
    replaced: int
    filtered: int  # of a bot
    duplicates: int
    history: int


class JudgedDay(Frozen):
    """One day of events: what it was judged from, and what became of its rows."""

    key: str  # digest of all that decides which of its events count
    accounts: tuple[DayAccount, ...]
    told_again: int  # events that a later night told again
    kinds: tuple[str, ...]  # event types that occur


class PartSource(Frozen):
    """A file that a night read."""

    path: str
    run_date: date


class PartManifest(Manifest):
    """Events that count, of some days, per user shard (files named shard-000.parquet, ...).

    Its run date is the last of its days.
    """

    sources: tuple[PartSource, ...]
    time_zone: str  # of the days
    days: dict[date, JudgedDay]


class Weighing(Frozen):
    """How the events of a history become weights, as of its run date."""

    events: dict[str, float]
    max_weight: float
    max_user_weight: float | None
    half_life_days: float | None
    end: int  # microseconds: ages count from it
    cut: int  # microseconds: training sees what lies before it


class PartUse(Frozen):
    """A part of the history (state/history), and the days that are read from it."""

    name: str
    days: tuple[date, ...]


class HistoryManifest(Manifest):
    """The days of the window, where their events lie, and how they are weighed.

    Rows per user and item are added up when a user shard is opened (tasks.history.history_shard).
    """

    parts: tuple[PartUse, ...]
    weighing: Weighing
    time_zone: str
    duplicates: int  # events met again in a later night's files, counted once
    log_files: tuple[FileAccount, ...] = ()  # of all nights inside the window
    user_id_type: Literal["string", "integer"]
    item_id_type: Literal["string", "integer"]
    n_user_shards: int


class MatrixManifest(Manifest):
    """CSR shards as memory-mapped arrays, in folders shard-000, ..."""

    n_users: int
    n_items: int
    n_interactions: int
    n_heldout_users: int
    n_users_without_target: int  # back since the cut, with nothing new: they are not judged
    n_shards: int
    vocabulary_sha256: str
    cut: date  # training sees the days before it, judging the days from it on


class TrainManifest(Manifest):
    """The judged fit and the fit that will be registered (files judged.*.npy, final.*.npy)."""

    mlflow_run_id: str
    start_version: str | None = None  # champion whose factors the fit started from
    device: str
    n_epochs: int
    best_validation_ndcg: float
    best_validation_rmse: float | None = None  # of a model of ratings; then there is no nDCG
    train_seconds: float
    n_items: int


class Interval(Frozen):
    """A mean with its paired bootstrap interval."""

    mean: float
    low: float
    high: float
    standard_error: float | None = None  # None of a single user
    n_users: int | None = None  # for whom the metric is defined


class SegmentFigure(Frozen):
    """The mean of a metric in one segment of users, or one tier of items."""

    mean: float
    standard_error: float | None  # None of a single user
    n_users: int


class JudgeManifest(Manifest):
    """Figures of challenger, champion and popularity on the same held-out interactions."""

    verdict: Verdict
    reason: str
    promotes: bool  # the challenger becomes champion: the verdict's doing, or gate.unjudged's
    n_users: int
    incumbent_version: str | None
    metrics: dict[str, dict[str, Interval]]  # model -> metric -> mean with interval
    gain_over_popularity: dict[str, Interval]
    gain_over_champion: dict[str, Interval]
    detectable: dict[str, float]  # metric -> smallest difference that so many users show
    segments: dict[str, dict[str, dict[str, SegmentFigure]]]  # segmentation -> segment -> model
    exposure: dict[str, dict[str, float]]  # model, or "interactions" -> tier -> share of places
    settings: dict[str, str]  # split, recall rule, item universe, seed


class PromoteManifest(Manifest):
    """Registry state after the night's decision; the tables come from champion_version."""

    challenger_version: str
    champion_version: str
    champion_digest: str  # of its factors, counts and item ids
    champion_run_id: str
    champion_uri: str
    champion_kind: str = "elsa"  # manifests of before there were kinds do not say it
    previous_version: str | None


class SnapshotManifest(Manifest):
    """The tables of one snapshot and where they come from."""

    snapshot_id: str
    model_version: str
    config_digest: str
    code_version: str
    inputs: dict[str, str]  # log file -> sha256
    rows: dict[str, int]  # table -> rows
    fallback_share: float
    short_lists: int


class CheckManifest(Manifest):
    """The list contract, rule by rule: violations found (all zero, or the night stops)."""

    rules: dict[str, int]
    users: int


class RemotePublication(Frozen):
    """Where the snapshot lies in an object store, and whether latest.json shows it."""

    uri: str
    is_latest: bool
    removed: tuple[str, ...]


class PublishManifest(Manifest):
    """Where the snapshot lies and whether latest points to it."""

    snapshot_id: str
    path: str
    is_latest: bool
    removed: tuple[str, ...]
    remote: RemotePublication | None = None  # where there is an object store
