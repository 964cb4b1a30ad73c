"""Compare a night's plan with what happened."""

from collections.abc import Iterator

from data_contracts.manifests import (
    IngestManifest,
    MatrixManifest,
    SnapshotManifest,
)
from data_contracts.plan import Outcome, Plan, Range, Unit
from tasks.lake import Night
from tasks.planning.durations import step_records
from tasks.planning.plan import kept_plan
from tasks.steps import read_manifest
from tasks.tables.table_size import table_mb

_PEAKS = {"training": "train", "ranking": "materialise"}


def outcomes(night: Night) -> tuple[Outcome, ...]:
    """Return every figure of the kept plan beside what came of it; none without a plan."""
    kept = kept_plan(night)
    if kept is None:
        return ()
    return (*_counts(night, kept.plan), *_costs(night, kept.plan), *_tables(night, kept.plan))


def _counts(night: Night, plan: Plan) -> Iterator[Outcome]:
    ingest = read_manifest(night.step("ingest"), IngestManifest)
    matrices = read_manifest(night.step("matrices"), MatrixManifest)
    if ingest is not None:
        yield _outcome("log", "rows", Range(low=plan.rows, high=plan.rows), ingest.rows)
    if matrices is not None:
        yield _outcome("history", "users", plan.users, matrices.n_users)
        yield _outcome("history", "interactions", plan.interactions, matrices.n_interactions)
        yield _outcome("vocabulary", "items", plan.items, matrices.n_items)


def _costs(night: Night, plan: Plan) -> Iterator[Outcome]:
    records = step_records(night.folder)
    for step, expected in plan.seconds.items():
        if step in records:
            yield _outcome(step, "s", expected, records[step].seconds)
    for name, step in _PEAKS.items():
        if name in plan.memory_mb and step in records:
            yield _outcome(name, "MB", plan.memory_mb[name], records[step].peak_memory_mb)


def _tables(night: Night, plan: Plan) -> Iterator[Outcome]:
    snapshot = read_manifest(night.step("materialise"), SnapshotManifest)
    if snapshot is None:
        return
    for table, size in table_mb(snapshot).items():
        if table in plan.table_mb:
            yield _outcome(table, "MB", plan.table_mb[table], size)


def _outcome(what: str, unit: Unit, expected: Range, got: float) -> Outcome:
    return Outcome(
        what=what, unit=unit, low=expected.low, high=expected.high, got=round(got, 3),
        inside=expected.low <= got <= expected.high,
    )  # fmt: skip
