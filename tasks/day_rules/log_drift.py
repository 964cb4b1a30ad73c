"""How far tonight's log is from those of the days before; asked before anything is trained.

Not to be confused with tasks.lists.drift, which compares published lists.
"""

import functools
import logging
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.log_drift import LogDriftManifest
from data_contracts.manifests import IngestManifest
from models.statistics.count_drift import cells_of_equal_mass, summed
from tasks.day_rules.log_drift_days import count_days, still_valid
from tasks.day_rules.log_drift_figures import (
    Days,
    all_figures,
    event_types,
    known_days,
    usual_values,
)
from tasks.day_rules.log_drift_limits import Figures, crossed, judged
from tasks.day_rules.log_drift_tonight import count_tonight
from tasks.lake import Night, night_folder
from tasks.source.log_files import earlier_ingests
from tasks.steps import content_digest, entries, is_whole, read_manifest, run_step

logger = logging.getLogger(__name__)
STEP = "log_drift"
_ITEMS = "items.parquet"  # day, item_id, n
Ingests = Sequence[IngestManifest]
Earlier = Sequence[LogDriftManifest]


def compare_log(night: Night, ingest: IngestManifest) -> LogDriftManifest:
    """Compare the run date's events with those of the days before.

    Args:
        night: its step "ingest" is finished.
        ingest: its manifest.

    Returns:
        The counts that later nights compare with, and every figure with its state.

    Raises:
        ContractViolationError: a figure is a drift by a bound of [data_drift.stop].
    """
    first = night.run_date - timedelta(days=night.config.data_drift.days)
    ingests = [each for each in earlier_ingests(night) if each.run_date >= first] + [ingest]
    earlier = _earlier(night, ingests[:-1])
    settings = {
        "data_drift": night.config.data_drift.model_dump(),
        "time_zone": night.config.interactions.time_zone,
    }
    work = functools.partial(_compare, night, ingests, earlier)
    return run_step(
        night, STEP, LogDriftManifest, settings=settings, inputs=[*ingests, *earlier], work=work
    )


def compared_log(night: Night) -> LogDriftManifest | None:
    """Return how a night's log compared; None where it did not."""
    return read_manifest(night.step(STEP), LogDriftManifest)


def _earlier(night: Night, ingests: Ingests) -> list[LogDriftManifest]:
    """Return what earlier nights have kept of ingests that are still what they were."""
    folders = (night_folder(night.lake, each.run_date) / STEP for each in ingests)
    found = ((folder, read_manifest(folder, LogDriftManifest)) for folder in folders)
    return [manifest for folder, manifest in found if manifest and is_whole(folder, manifest)]


def counts_that_stand(earlier: Earlier, ingests: Ingests) -> list[LogDriftManifest]:
    """Return the manifests whose counts are of what the nights hold today, each night once.

    A night is counted anew when its ingest was, or when a later one has read one of its files
    again.

    Args:
        earlier: manifests of nights before, oldest first.
        ingests: of all nights inside the window, oldest first.
    """
    paths = {each.run_date: {file.path for file in each.log_files} for each in ingests}
    digests = {each.run_date: content_digest(each) for each in ingests}
    kept: list[LogDriftManifest] = []
    claimed: set[date] = set()
    for manifest in reversed(earlier):
        later = {path for day, each in paths.items() if day > manifest.run_date for path in each}
        counted = {day: digest for day, digest in manifest.nights.items() if day in digests}
        stands = all(
            digests[day] == digest and paths[day].isdisjoint(later)
            for day, digest in counted.items()
        )
        if stands and claimed.isdisjoint(counted):
            kept.append(manifest)
            claimed |= counted.keys()
    return kept[::-1]


def _compare(
    night: Night, ingests: Ingests, earlier: Earlier, staging: Path, key: str
) -> LogDriftManifest:
    first = night.run_date - timedelta(days=night.config.data_drift.days)
    kept = counts_that_stand(earlier, ingests)
    known = {run_date for each in kept for run_date in each.nights}
    here = [each for each in still_valid(ingests) if each.run_date not in known]
    counted = count_days(night, here, first, staging)
    counted.items.write_parquet(staging / _ITEMS, compression="lz4")
    before = [day for each in kept for day in each.days if day.day >= first]
    days = known_days(night, [*before, *counted.days])
    files = [night_folder(night.lake, each.run_date) / STEP / _ITEMS for each in kept]
    figures = _figures(night, days, ingests, earlier, [*files, staging / _ITEMS])
    config = night.config.data_drift
    warnings = crossed(figures, config.warn, "data_drift.warn")
    for warning in warnings:
        logger.warning("the log of %s is unlike the days before: %s", night.run_date, warning)
    _refuse(night, figures)
    shown = judged(figures, config.warn, usual_values(figures, earlier))
    logger.info("log_drift: %s", {name: each.state for name, each in shown.items()})
    counted_here = {each.run_date for each in here}
    digests = {each.run_date: content_digest(each) for each in ingests}
    return LogDriftManifest(
        step=STEP, run_date=night.run_date, key=key,
        files=entries(staging, {_ITEMS: counted.items.height}),
        nights={day: digest for day, digest in digests.items() if day in counted_here},
        days=counted.days, figures=shown, warnings=warnings,
    )  # fmt: skip


def _refuse(night: Night, figures: Figures) -> None:
    if stops := crossed(figures, night.config.data_drift.stop, "data_drift.stop"):
        raise ContractViolationError(
            f"the log of {night.run_date} is too unlike the days before: {'; '.join(stops)}. "
            "Nothing is trained, the last snapshot stays as it is; mend the log, or widen the "
            "bound if the change is wanted"
        )


def _figures(
    night: Night, days: Days, ingests: Ingests, earlier: Earlier, files: list[Path]
) -> Figures:
    items = _item_counts(night, days, files)
    cells = {name: _cells(night, items, name) for name in days.references}
    first = night.run_date - timedelta(days=night.config.data_drift.days)
    tonight = count_tonight(
        night,
        still_valid(ingests),
        first,
        items=items.select("item_id", "is_new", **{k: pl.Series(v) for k, v in cells.items()}),
        event_types=event_types(days),
    )
    pairs = {
        name: (summed(items["tonight"].to_numpy(), cell), summed(items[name].to_numpy(), cell))
        for name, cell in cells.items()
    }
    return all_figures(night, days, tonight, earlier, pairs)


def _item_counts(night: Night, days: Days, files: list[Path]) -> pl.DataFrame:
    """Return item_id, tonight, a count per reference, is_new; sorted by item_id."""
    run_date, n = night.run_date, pl.col("n")
    first = run_date - timedelta(days=night.config.data_drift.days)

    def of(chosen: Sequence[date]) -> pl.Expr:
        return n.filter(pl.col("day").is_in(list(chosen))).sum()

    sums = {name: of(chosen) for name, chosen in days.references.items()}
    return (
        pl.scan_parquet(files, hive_partitioning=False)
        .filter(pl.col("day").is_between(first, run_date))
        .group_by("item_id")
        .agg(tonight=of([run_date]), is_new=(pl.col("day") == run_date).all(), **sums)
        .sort("item_id")
        .collect(engine="streaming")
    )


def _cells(night: Night, items: pl.DataFrame, reference: str) -> np.ndarray:
    """Return the cell of every item, also of those that neither sample holds."""
    pooled = (items["tonight"] + items[reference]).to_numpy()
    if not pooled.sum():
        return np.zeros(len(pooled), np.int64)
    return cells_of_equal_mass(pooled, n_cells=night.config.data_drift.n_cells)
