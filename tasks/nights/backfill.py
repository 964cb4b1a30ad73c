"""Which nights of a range are still to be run, and in what order a lake allows it.

A night sees the files of its own day and of days before it, whatever else lies in the log, so
nights that run in order know what they would have known then. What it cannot be kept from is
what carries no day: the catalogue, segments, lists and rules are those of today, and a file
that came late counts as there from its own day on.
"""

from datetime import date, timedelta
from pathlib import Path

from pydantic import ValidationError

from data_contracts.errors import ConfigError
from data_contracts.frozen import Frozen
from data_contracts.manifests import MatrixManifest, PublishManifest, SnapshotManifest
from data_contracts.report import NightReport
from tasks.config_digest import whole_config_digest
from tasks.files import sync, write_text
from tasks.lake import Night, night_folder, nights
from tasks.report.report_trend import read_report
from tasks.steps import read_manifest


class _Open(Frozen):
    """The first night that a backfill has not finished."""

    run_date: date


def days_between(first: date, last: date) -> list[date]:
    """Return every day from first to last, both included.

    Raises:
        ConfigError: last lies before first.
    """
    if last < first:
        raise ConfigError(f"--to must not lie before --from, got {first} to {last}")
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def finished_report(night: Night) -> NightReport | None:
    """Return the report of a night that was published under this configuration, else None.

    Its snapshot may have made room for newer ones. Another version of the code does not count
    as another configuration: 'hoarfrost run' does such a night again.
    """
    tables = read_manifest(night.step("materialise"), SnapshotManifest)
    published = read_manifest(night.step("publish"), PublishManifest)
    if tables is None or published is None or published.snapshot_id != tables.snapshot_id:
        return None
    if tables.config_digest != whole_config_digest(night):
        return None
    return read_report(night.folder)


def refuse_hindsight(lake: Path, run_date: date) -> None:
    """Raise ConfigError if the lake has met later days than a night that it does not know.

    The vocabulary only grows, so such a night would know items that came after it.
    """
    if read_manifest(night_folder(lake, run_date) / "matrices", MatrixManifest) is not None:
        return  # done again, a night keeps the items it had
    later = [day for day in nights(lake) if day > run_date and _has_items(lake, day)]
    if later:
        raise ConfigError(
            f"nights must be filled in their order, got {run_date} after the night of {later[0]}, "
            "whose items it would know: name a lake of its own in 'lake' and the log by its whole "
            "path in interactions.files, or take the hindsight with 'hoarfrost run'"
        )


def first_open(lake: Path) -> date | None:
    """Return the night from which on an earlier backfill was cut short; None if none was."""
    try:
        return _Open.model_validate_json(_path(lake).read_text(encoding="utf-8")).run_date
    except (FileNotFoundError, ValidationError):
        return None


def open_from(lake: Path, run_date: date) -> None:
    """Note that nights from here on are to be run, even if they have been done before.

    They follow a night that is being done again. An earlier night that is open stays so.
    """
    known = first_open(lake)
    if known is None or run_date < known:
        write_text(_path(lake), _Open(run_date=run_date).model_dump_json() + "\n")


def finish(lake: Path, run_date: date) -> None:
    """Note that a night is done: the next one is open, if there is any."""
    known, following = first_open(lake), run_date + timedelta(days=1)
    if known is None or known < run_date:  # a gap before it stays open
        return
    if any(day > run_date for day in nights(lake)):
        write_text(_path(lake), _Open(run_date=following).model_dump_json() + "\n")
    else:
        _path(lake).unlink(missing_ok=True)
        sync(_path(lake).parent)


def _has_items(lake: Path, run_date: date) -> bool:
    return (night_folder(lake, run_date) / "matrices").is_dir()


def _path(lake: Path) -> Path:
    return lake / "state" / "backfill.json"
