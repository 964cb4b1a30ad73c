"""SQL over the latest snapshot."""

import duckdb

from data_contracts.answer import QueryResult
from data_contracts.errors import ConfigError
from tasks.datasets import side_datasets, snapshot_datasets
from tasks.lake import Night
from tasks.snapshot import reading

# no table name may mean a variable of ours
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"python_enable_replacements": False}
# a question reads the views and nothing else, and writes no file
_LOCKS = ("SET enable_external_access = false", "SET lock_configuration = true")


def run_query(night: Night, sql: str) -> QueryResult:
    """Return the answer of SQL over views of the latest snapshot.

    The views are top_n and short_lists (with the column surface), similar_items,
    item_embeddings and, where there are such files, items and segments. The snapshot is
    resolved once, so a publication meanwhile changes nothing. No statement can write or
    read a file: what is larger than memory is a matter for the export.

    Raises:
        NoSnapshotError: nothing has been published.
        ConfigError: DuckDB refuses the statement, or the statement asks for another file.
    """
    with (
        reading(night.lake) as (folder, manifest),
        duckdb.connect(config=_SETTINGS) as connection,
    ):
        views = snapshot_datasets(folder, manifest) | side_datasets(night)
        for name, dataset in views.items():
            connection.register(name, dataset)
        for lock in _LOCKS:
            connection.execute(lock)
        try:
            relation = connection.sql(sql)
            if relation is None:  # a statement without an answer
                return QueryResult(columns=(), rows=())
            return QueryResult(columns=tuple(relation.columns), rows=tuple(relation.fetchall()))
        except duckdb.PermissionException as error:
            raise ConfigError(
                f"a query reads the views {', '.join(sorted(views))} and no file; write files "
                f"with 'hoarfrost export' ({error})"
            ) from error
        except duckdb.Error as error:
            raise ConfigError(f"the query must be valid DuckDB SQL: {error}") from error
