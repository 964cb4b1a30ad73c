"""SQL over the latest snapshot."""

from pathlib import Path

import duckdb

from data_contracts.answer import QueryResult
from data_contracts.errors import ConfigError
from tasks.lake import Night
from tasks.snapshot import TABLES, latest_snapshot

# no table name may mean a variable of ours
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"python_enable_replacements": False}


def run_query(night: Night, sql: str) -> QueryResult:
    """Return the answer of one SQL statement over views of the latest snapshot.

    The views are top_n, similar_items, item_embeddings and, where there is a catalogue,
    items. The snapshot is resolved once, so a publication meanwhile changes nothing.

    Raises:
        NoSnapshotError: nothing has been published.
        ConfigError: DuckDB refuses the statement.
    """
    folder, _ = latest_snapshot(night.lake)
    with duckdb.connect(config=_SETTINGS) as connection:
        for table in TABLES:
            _view(connection, table, folder / table / "*.parquet")
        items = night.lake / night.config.items.files
        if any(items.parent.glob(items.name)):
            _view(connection, "items", items)
        try:
            relation = connection.sql(sql)
            if relation is None:  # a statement without an answer
                return QueryResult(columns=(), rows=())
            return QueryResult(columns=tuple(relation.columns), rows=tuple(relation.fetchall()))
        except duckdb.Error as error:
            raise ConfigError(f"the query must be valid DuckDB SQL: {error}") from error


def _view(connection: duckdb.DuckDBPyConnection, name: str, files: Path) -> None:
    path = str(files).replace("'", "''")
    connection.sql(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
