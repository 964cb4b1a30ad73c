"""Bring foreign files into the log: judged row by row, staged, and moved in only when all is whole.

Days are moved in oldest first, so a night that finds its own day finds the days before it. What
a killed import has not moved, the same command brings in later; the bytes are the same.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.import_source import (
    IMPORT_RULES,
    CatalogueFormat,
    ImportedFile,
    ImportResult,
    LogSource,
    TextTable,
)
from tasks.files import empty_folder, explained, replace_folder, sha256_of, write_text
from tasks.importing.import_catalogue import write_catalogue
from tasks.importing.import_days import DaySpill, write_days
from tasks.importing.import_placing import catalogue_file, log_file, place, refuse_foreign, sync_all
from tasks.importing.import_reading import file_columns, read_chunks
from tasks.importing.import_refused import RefusedRows
from tasks.importing.import_rows import LogShape, log_rows
from tasks.lock import lake_lock

logger = logging.getLogger(__name__)


class CatalogueSource(NamedTuple):
    """One file of items to import."""

    name: str
    path: Path
    format: CatalogueFormat


class _Staged(NamedTuple):
    """A file that is read: what it became, and where that is to go."""

    imported: ImportedFile
    record: Path  # folder of what was refused
    files: dict[Path, Path]  # target -> finished file, in the order of moving


def import_files(
    config: NightlyConfig,
    sources: Sequence[LogSource],
    catalogue: CatalogueSource | None = None,
    *,
    today: date,
) -> ImportResult:
    """Bring files into the log, and one into the catalogue; all of them or none.

    Args:
        config: says where log and catalogue lie and how their columns are called.
        sources: files of events.
        catalogue: a file of items.
        today: last day of the log that is taken.

    Raises:
        ConfigError: a column is not there, or the configuration has no place for the rows.
        ContractViolationError: a file cannot be read, more rows are refused than
            validation.max_bad_share allows, or a file with other content is in the way.
        LakeLockedError: a night works on the lake.
    """
    lake = Path(config.lake)
    names = [source.name for source in sources]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ConfigError(
            f"files must have different names, got {', '.join(sorted(repeated))} twice: import "
            "them one by one, or move one away"
        )
    for source in sources:
        _check(config, source)
    with _staging(lake) as staging:
        staged = [_stage_log(config, source, staging, today) for source in sources]
        if catalogue is not None:
            staged.append(_stage_catalogue(config, catalogue, staging))
        present = refuse_foreign({k: v for each in staged for k, v in each.files.items()})
        done = tuple(_move_in(lake, each, present) for each in staged)
    return ImportResult(
        lake=str(lake),
        logs=done[: len(sources)],
        catalogue=done[-1] if catalogue is not None else None,
        rules=IMPORT_RULES,
    )


@contextmanager
def _staging(lake: Path) -> Iterator[Path]:
    with explained(lake), lake_lock(lake):
        folder = empty_folder(lake / "state" / "staging" / "import")
        try:
            yield folder
        finally:
            empty_folder(folder).rmdir()


def _check(config: NightlyConfig, source: LogSource) -> None:
    form = source.format
    if source.day is not None and form.timestamp:
        raise ConfigError(f"--date is for files without times, got {source.day}: leave it out")
    if not form.event_column and form.event_type not in config.events:
        raise ConfigError(
            f"[events] must weigh {form.event_type!r}, got {', '.join(sorted(config.events))}: add "
            f"'{form.event_type} = 1.0' to [events], or give another --event-type"
        )
    log_file(Path(config.lake), config.interactions.files, source.name, date.min)
    _refuse_missing(Path(source.path), form, form.columns())


def _refuse_missing(path: Path, form: TextTable, wanted: Sequence[str]) -> None:
    if not path.is_file():
        raise ConfigError(f"{path} must be a file, got none there: mend the path")
    found = file_columns(path, form)
    repeated = sorted({name for name in found if found.count(name) > 1})
    if repeated:
        raise ContractViolationError(
            f"{path} must name each column once, got {', '.join(repeated)} twice: rename them"
        )
    if missing := [name for name in wanted if name not in found]:
        raise ConfigError(
            f"{path} must have the columns {', '.join(wanted)}, got {', '.join(found[:20])} "
            f"without {', '.join(missing)}: name them by the options, see hoarfrost import --help"
        )


def _stage_log(config: NightlyConfig, source: LogSource, staging: Path, today: date) -> _Staged:
    shape = LogShape(source, config.interactions, today)
    path, form = Path(source.path), source.format
    work = staging / source.name
    record = empty_folder(work / "record")
    columns, n_rows = form.columns(), 0
    with RefusedRows(record / "refused.parquet") as refused, DaySpill(work / "spill") as spill:
        for chunk in read_chunks(path, form, columns):
            rows, faults = log_rows(shape, chunk)
            spill.write(rows)
            refused.write(faults)
            n_rows += chunk.rows.height + chunk.faults.height
    imported = _imported(config, source.name, path, record, refused, n_rows)
    imported = imported.model_copy(
        update={
            "written": sum(spill.days.values()),
            "left_out": tuple(name for name in file_columns(path, form) if name not in columns),
            "first_day": min(spill.days, default=None),
            "last_day": max(spill.days, default=None),
        }
    )
    _refuse_bad_share(config, imported, record)
    days = write_days(work / "spill", work / "days")
    sync_all(days.values())
    lake, pattern = Path(config.lake), config.interactions.files
    files = {log_file(lake, pattern, source.name, day): file for day, file in days.items()}
    return _Staged(imported, record, files)


def _stage_catalogue(config: NightlyConfig, source: CatalogueSource, staging: Path) -> _Staged:
    work = staging / f"{source.name}-items"
    record = empty_folder(work / "record")
    target = catalogue_file(Path(config.lake), config.items.files, source.name)
    file = work / "items.parquet"
    _refuse_missing(source.path, source.format, source.format.columns()[:1])
    with RefusedRows(record / "refused.parquet") as refused:
        n_rows, n_written = write_catalogue(
            source.path, source.format, config.items.columns, file, refused
        )
    name = f"{source.name}-items"
    imported = _imported(config, name, source.path, record, refused, n_rows)
    imported = imported.model_copy(update={"written": n_written})
    _refuse_bad_share(config, imported, record)
    return _Staged(imported, record, {target: file})


def _imported(
    config: NightlyConfig, name: str, path: Path, record: Path, refused: RefusedRows, n_rows: int
) -> ImportedFile:
    file = Path(config.lake) / "imports" / name / "refused.parquet"
    if not refused.counts:
        (record / "refused.parquet").unlink()
    return ImportedFile(
        name=name, source=str(path), sha256=sha256_of(path), rows=n_rows, written=0,
        refused=dict(sorted(refused.counts.items())),
        refused_file=str(file) if refused.counts else None, files=0, files_unchanged=0,
        first_day=None, last_day=None, left_out=(),
    )  # fmt: skip


def _refuse_bad_share(config: NightlyConfig, imported: ImportedFile, record: Path) -> None:
    bad, most = sum(imported.refused.values()), config.validation.max_bad_share
    if imported.written and bad <= most * imported.rows:
        return
    if not imported.rows:
        raise ContractViolationError(
            f"{imported.source} must hold rows, got none; nothing was imported"
        )
    _keep(Path(config.lake), imported, record)
    rules = ", ".join(f"{rule} {count}" for rule, count in imported.refused.items())
    raise ContractViolationError(
        f"{imported.source} must have at most {most:.1%} bad rows (validation.max_bad_share), got "
        f"{bad} of {imported.rows}: {rules}. They are in {imported.refused_file}; nothing was "
        f"imported: {IMPORT_RULES[max(imported.refused, key=imported.refused.__getitem__)]}"
    )


def _move_in(lake: Path, staged: _Staged, present: set[Path]) -> ImportedFile:
    changed: set[Path] = set()
    for target, file in staged.files.items():
        if target not in present:
            changed |= place(file, target)
    sync_all(changed)
    imported = staged.imported.model_copy(
        update={
            "files": len(staged.files),
            "files_unchanged": len(present & set(staged.files)),
        }
    )
    _keep(lake, imported, staged.record)
    logger.info(
        "import: %d of %d rows of %s in %d files, refused %s",
        imported.written, imported.rows, imported.source, imported.files,
        imported.refused or "none",
    )  # fmt: skip
    return imported


def _keep(lake: Path, imported: ImportedFile, record: Path) -> None:
    write_text(record / "import.json", imported.model_dump_json(indent=2) + "\n")
    replace_folder(record, lake / "imports" / imported.name)
