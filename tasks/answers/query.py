"""SQL over the latest snapshot."""

import contextlib

import duckdb

from data_contracts.answer import QueryResult
from data_contracts.errors import ConfigError
from tasks.lake import Night
from tasks.snapshot.lease import leasing
from tasks.snapshot.snapshot import reading
from tasks.tables.datasets import side_datasets, snapshot_before, snapshot_datasets

# no table name may mean a variable of ours
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"python_enable_replacements": False}
# a question reads the views and nothing else, and writes no file
_LOCKS = ("SET enable_external_access = false", "SET lock_configuration = true")


def run_query(night: Night, sql: str) -> QueryResult:
    """Return the answer of SQL over views of the latest snapshot.

    The views are top_n and short_lists (with the column surface), similar_items and
    item_embeddings; where there are any, rating_predictions, top_n_before (of the last run date
    before), items and segments. Snapshots are resolved once, so a publication meanwhile changes
    nothing. No statement can write or read a file.

    Raises:
        NoSnapshotError: nothing has been published.
        ConfigError: DuckDB refuses the statement, or the statement asks for another file.
    """
    with contextlib.ExitStack() as held:
        folder, manifest = held.enter_context(reading(night.lake))
        connection = held.enter_context(duckdb.connect(config=_SETTINGS))
        views = snapshot_datasets(folder, manifest) | side_datasets(night)
        before = snapshot_before(night.lake, manifest)
        if before is not None:
            held.enter_context(leasing(night.lake, before.snapshot_id))
            tables = snapshot_datasets(night.lake / "snapshots" / before.snapshot_id, before)
            views["top_n_before"] = tables["top_n"]
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
