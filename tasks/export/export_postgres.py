"""Export to Postgres: the rows of a schema of our own, replaced in one transaction.

Swapping in tables that were filled elsewhere would be faster, but a reader whose transaction is
older than the swap would find the new tables empty, and one that reads two tables could come
to a deadlock with it. Rows that are deleted and copied anew are what Postgres keeps apart.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from data_contracts.environment import resolve
from data_contracts.errors import ConfigError, HoarfrostError
from data_contracts.manifests import SnapshotManifest
from tasks.export.export_source import TableSource
from tasks.extra import require

SCHEMA = "hoarfrost"
VARIABLE = "HOARFROST_POSTGRES_URI"
_OURS = "Tables of Hoarfrost, replaced by every export."
_KEYS = {
    "top_n": "surface, user_id, rank",
    "short_lists": "surface, user_id",
    "similar_items": "item_id, rank",
    "item_embeddings": "item_id",
    "rating_predictions": "user_id, item_id",
}


def write_postgres(
    tables: Sequence[TableSource], manifest: SnapshotManifest, into: str | None
) -> str:
    """Replace the tables of the schema hoarfrost in one transaction; return what was written to.

    Readers are never held up: they see the former rows of all tables until the commit, and the
    new ones after it. Rights, views and indexes of others on the tables stay.

    Args:
        tables: what to copy.
        manifest: of the snapshot.
        into: ``${NAME}`` of an environment variable with the URI; by default that of VARIABLE.

    Raises:
        ConfigError: the URI is not given by an environment variable, the schema belongs to
            somebody else, or a table has to change its columns and a view depends on it.
        HoarfrostError: Postgres cannot be reached or refuses the copy.
    """
    uri = _uri(into)
    driver = require("adbc_driver_postgresql.dbapi", "postgres")
    try:
        with driver.connect(uri) as connection, connection.cursor() as cursor:
            _refuse_foreign(cursor)
            _replace(cursor, tables, manifest)
            connection.commit()
    except driver.Error as error:
        raise _plain(error, uri) from None  # the cause could tell the password
    return f"postgres, schema {SCHEMA}"


def _uri(into: str | None) -> str:
    if into is None:
        into = "${" + VARIABLE + "}"
    if not re.fullmatch(r"\$\{\w+\}", into):
        raise ConfigError(
            "the URI of Postgres must come from the environment: name the variable as "
            f"'${{NAME}}', or set {VARIABLE}"
        )
    return resolve(into)


def _plain(error: Exception, uri: str) -> HoarfrostError:
    text = str(error).replace(uri, "the URI")
    try:
        password = urlsplit(uri).password
    except ValueError:
        password = None
    text = text.replace(password, "***") if password else text
    if "depend" in text and "drop" in text:
        return ConfigError(
            f"the tables of schema {SCHEMA} must get other columns, and nothing may depend on them "
            f"then: {text.strip()}. Drop it, export, and make it again"
        )
    return HoarfrostError(f"Postgres refused the export, nothing was changed: {text.strip()}")


def _refuse_foreign(cursor: Any) -> None:
    cursor.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1",
        (SCHEMA,),
    )
    found = cursor.fetchall()
    if found and found[0][0] != _OURS:
        raise ConfigError(
            f"schema {SCHEMA} of the database must be absent or made by an export: it belongs to "
            "somebody else, rename it or use another database"
        )


def _replace(cursor: Any, tables: Sequence[TableSource], manifest: SnapshotManifest) -> None:
    # a second export waits here for the first one's end
    cursor.execute(f"SELECT pg_advisory_xact_lock(hashtext('{SCHEMA}'))::text")
    cursor.fetchall()
    for statement in (
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
        f"COMMENT ON SCHEMA {SCHEMA} IS '{_OURS}'",
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.export (table_name text PRIMARY KEY, snapshot_id "
        "text NOT NULL, run_date date NOT NULL, model_version text NOT NULL)",
    ):
        cursor.execute(statement)
    for table in tables:
        _fill(cursor, table)
        _record(cursor, table.name, manifest)


def _fill(cursor: Any, table: TableSource) -> None:
    """Replace the rows of a table: deleted, not truncated, so that older readers keep theirs."""
    name = f"{SCHEMA}.{table.name}"
    there = _columns(cursor, table.name)
    if there == list(table.columns):
        cursor.execute(f"DELETE FROM {name}")
        cursor.adbc_ingest(table.name, table.reader(), mode="append", db_schema_name=SCHEMA)
        return
    cursor.execute(f"DROP TABLE IF EXISTS {name}")  # of another version of Hoarfrost
    cursor.adbc_ingest(table.name, table.reader(), mode="create", db_schema_name=SCHEMA)
    cursor.execute(f"CREATE INDEX ON {name} ({_KEYS[table.name]})")
    cursor.execute(f"COMMENT ON TABLE {name} IS {_literal(table.description)}")
    for column, meaning in table.columns.items():
        cursor.execute(f"COMMENT ON COLUMN {name}.{column} IS {_literal(meaning)}")


def _columns(cursor: Any, table: str) -> list[str]:
    cursor.execute(
        "SELECT column_name::text FROM information_schema.columns "
        "WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
        (SCHEMA, table),
    )
    return [row[0] for row in cursor.fetchall()]


def _record(cursor: Any, table: str, manifest: SnapshotManifest) -> None:
    cursor.execute(
        f"INSERT INTO {SCHEMA}.export VALUES ($1, $2, $3, $4) ON CONFLICT (table_name) DO UPDATE "
        "SET snapshot_id = excluded.snapshot_id, run_date = excluded.run_date, "
        "model_version = excluded.model_version",
        (table, manifest.snapshot_id, manifest.run_date, manifest.model_version),
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
