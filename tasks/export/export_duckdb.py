"""Export to one DuckDB file, with a comment on every table and column."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from data_contracts.errors import ConfigError
from data_contracts.manifests import SnapshotManifest
from tasks.export.export_source import TableSource
from tasks.export.export_target import sibling
from tasks.files import sync

_MEMORY = "1GB"  # beyond it DuckDB writes beside the file
_EXPORT = "hoarfrost_export"  # says what the file is and where it comes from


def write_duckdb(tables: Sequence[TableSource], manifest: SnapshotManifest, into: Path) -> str:
    """Write a database file and move it over the former one; return its path."""
    _refuse_foreign(into)
    staged = sibling(into)
    for left_over in (staged, staged.with_name(f"{staged.name}.wal")):
        left_over.unlink(missing_ok=True)
    shutil.rmtree(staged.with_name(f"{staged.name}.tmp"), ignore_errors=True)
    with duckdb.connect(str(staged), config={"memory_limit": _MEMORY}) as connection:
        for table in tables:
            _write(connection, table)
        connection.execute(
            f"CREATE TABLE {_EXPORT} AS SELECT ? AS snapshot_id, ? AS run_date, ? AS model_version",
            [manifest.snapshot_id, manifest.run_date, manifest.model_version],
        )
    sync(staged)
    staged.replace(into)
    sync(into.parent)
    return str(into)


def _write(connection: duckdb.DuckDBPyConnection, table: TableSource) -> None:
    connection.register("_source", table.reader())
    connection.execute(f'CREATE TABLE "{table.name}" AS SELECT * FROM _source')
    connection.unregister("_source")
    connection.execute(f'COMMENT ON TABLE "{table.name}" IS {_literal(table.description)}')
    for column, meaning in table.columns.items():
        connection.execute(f'COMMENT ON COLUMN "{table.name}"."{column}" IS {_literal(meaning)}')


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _refuse_foreign(into: Path) -> None:
    if not into.exists():
        return
    try:
        with duckdb.connect(str(into), read_only=True) as connection:
            connection.execute(f"SELECT snapshot_id FROM {_EXPORT}")
    except duckdb.Error as error:
        raise ConfigError(
            f"{into} must be absent or the target of an earlier export, and not in use by another "
            f"program: name another file ({type(error).__name__})"
        ) from error
