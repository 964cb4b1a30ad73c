"""What a lake holds: nights, snapshots and promotions."""

import contextlib
from datetime import date
from pathlib import Path

from data_contracts.answer import LakeStatus, NightStatus
from data_contracts.errors import HoarfrostError
from tasks.lake import night_folder, nights
from tasks.ledger import read_ledger
from tasks.snapshot import NoSnapshotError, latest_snapshot, snapshots

STEPS = (
    "ingest",
    "history",
    "matrices",
    "train",
    "judge",
    "promote",
    "materialise",
    "check",
    "compare",
    "publish",
)


def lake_status(lake: Path) -> LakeStatus:
    """Return the state of a lake, read from its manifests and its ledger.

    Raises:
        HoarfrostError: there is no lake.
    """
    if not lake.is_dir():
        raise HoarfrostError(f"no lake at {lake}: check 'lake' in the configuration")
    shown = None
    with contextlib.suppress(NoSnapshotError):
        _, shown = latest_snapshot(lake)
    return LakeStatus(
        lake=str(lake),
        latest=shown and shown.snapshot_id,
        model_version=shown and shown.model_version,
        snapshots=tuple(each.snapshot_id for each in snapshots(lake)),
        nights=tuple(_night_status(lake, run_date) for run_date in nights(lake)),
        promotions=tuple(read_ledger(lake)),
    )


def _night_status(lake: Path, run_date: date) -> NightStatus:
    folder = night_folder(lake, run_date)
    finished = tuple(step for step in STEPS if (folder / step / "manifest.json").is_file())
    missing = [step for step in STEPS if step not in finished]
    return NightStatus(run_date=run_date, finished=finished, next_step=next(iter(missing), None))
