"""How far tonight's lists moved from those of the night before; asked before they are published."""

import functools
import logging
from pathlib import Path

from data_contracts.drift import Drift, DriftManifest
from data_contracts.errors import ContractViolationError
from data_contracts.manifests import SnapshotManifest
from tasks.lake import Night
from tasks.lists.drift_figures import open_surface, surface_drift, surface_files
from tasks.lists.drift_limits import crossed
from tasks.steps import run_step
from tasks.tables.datasets import snapshot_before

logger = logging.getLogger(__name__)


def compare_lists(night: Night, snapshot: SnapshotManifest) -> Drift | None:
    """Compare tonight's finished lists with the published ones of the last night before.

    Args:
        night: its step "materialise" holds the lists.
        snapshot: its manifest.

    Returns:
        The figures of every surface, with warnings; None where nothing was published before.

    Raises:
        ContractViolationError: a figure lies beyond a bound of [drift.stop].
    """
    previous = snapshot_before(night.lake, snapshot)
    settings = {
        "drift": night.config.drift.model_dump(),
        "previous": previous and {"id": previous.snapshot_id, "key": previous.key},
    }
    work = functools.partial(_compare, night, snapshot, previous)
    return run_step(
        night, "compare", DriftManifest, settings=settings, inputs=[snapshot], work=work
    ).drift


def _compare(
    night: Night,
    snapshot: SnapshotManifest,
    previous: SnapshotManifest | None,
    _staging: Path,
    key: str,
) -> DriftManifest:
    drift = None if previous is None else _drift(night, snapshot, previous)
    return DriftManifest(step="compare", run_date=night.run_date, key=key, drift=drift)


def _drift(night: Night, snapshot: SnapshotManifest, previous: SnapshotManifest) -> Drift:
    root, root_before = night.step("materialise"), night.lake / "snapshots" / previous.snapshot_id
    files, files_before = surface_files(root, snapshot), surface_files(root_before, previous)
    figures = {}
    for name in sorted(files.keys() & files_before.keys()):
        figures[name] = surface_drift(night, open_surface(night, files[name], files_before[name]))
        logger.info("compare: %s, %s", name, figures[name])
    config = night.config.drift
    warnings = crossed(figures, config.warn, "drift.warn")
    for warning in warnings:
        logger.warning("%s", warning)
    if stops := crossed(figures, config.stop, "drift.stop"):
        raise ContractViolationError(
            f"the lists of {night.run_date} moved too far from {previous.snapshot_id}: "
            f"{'; '.join(stops)}. Nothing is published, the last snapshot stays as it is"
        )
    return Drift(previous_snapshot=previous.snapshot_id, surfaces=figures, warnings=warnings)
