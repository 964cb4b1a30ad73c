"""Copy the tables of one snapshot to where others work: CSV, DuckDB, Delta, Postgres."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from data_contracts.answer import ExportResult, Sink
from data_contracts.errors import ConfigError
from data_contracts.manifests import SnapshotManifest
from tasks.export.export_csv import Compression, write_csv
from tasks.export.export_delta import write_delta
from tasks.export.export_duckdb import write_duckdb
from tasks.export.export_postgres import write_postgres
from tasks.export.export_source import open_tables
from tasks.snapshot.lease import leasing
from tasks.snapshot.snapshot import reading, snapshots

logger = logging.getLogger(__name__)
_DEFAULT = {"csv": "export/csv", "duckdb": "export/hoarfrost.duckdb", "delta": "export/delta"}


def export_snapshot(
    lake: Path,
    sink: Sink,
    *,
    table: str | None = None,
    into: str | None = None,
    snapshot: str | None = None,
    compression: Compression = "none",
) -> ExportResult:
    """Copy tables of a snapshot; a killed export leaves what was there before.

    Args:
        lake: where the snapshots lie.
        sink: what to write.
        table: the only table to copy; by default all.
        into: a folder (csv, delta), a file (duckdb), or ``${NAME}`` of an environment variable
            with the URI (postgres); by default inside the lake, or HOARFROST_POSTGRES_URI.
        snapshot: id of a published snapshot; by default the latest.
        compression: of the CSV files.

    Raises:
        NoSnapshotError: nothing has been published.
        ConfigError: no such snapshot or table, a target that is not ours to replace, or a
            package that is not installed.
    """
    started = time.monotonic()
    if compression != "none" and sink != "csv":
        raise ConfigError(f"compression is for csv, got {compression} for {sink}")
    with _opened(lake, snapshot) as (folder, manifest):
        tables = open_tables(folder, manifest, table)
        target = into or str(lake / _DEFAULT[sink]) if sink != "postgres" else into
        match sink:
            case "csv":
                place = write_csv(tables, manifest, Path(str(target)), compression)
            case "duckdb":
                place = write_duckdb(tables, manifest, Path(str(target)))
            case "delta":
                place = write_delta(tables, manifest, str(target))
            case "postgres":
                place = write_postgres(tables, manifest, target)
    seconds = round(time.monotonic() - started, 3)
    logger.info("export: %s to %s in %.1f s", manifest.snapshot_id, place, seconds)
    rows = {each.name: each.rows for each in tables}
    return ExportResult(
        sink=sink, into=place, snapshot_id=manifest.snapshot_id, rows=rows, seconds=seconds
    )


@contextlib.contextmanager
def _opened(lake: Path, snapshot: str | None) -> Iterator[tuple[Path, SnapshotManifest]]:
    if snapshot is None:
        with reading(lake) as latest:
            yield latest
        return
    known = {each.snapshot_id: each for each in snapshots(lake)}
    if snapshot not in known:
        raise ConfigError(
            f"snapshot must be one of {', '.join(known) or 'none published yet'}, got {snapshot}"
        )
    with leasing(lake, snapshot):
        yield lake / "snapshots" / snapshot, known[snapshot]
