"""One Parquet file under a contract: what goes in comes out, described, in any tool."""

import itertools
import json
import multiprocessing
import resource
import threading
from datetime import date

import duckdb
import numpy as np
import pandera.polars as pandera
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ContractViolationError
from data_contracts.item_embeddings import item_embeddings_schema
from data_contracts.short_lists import short_lists_schema
from data_contracts.table_column import id_column
from tasks.tables.table_file import TableWriter, arrow_schema, check_table

SCHEMA = item_embeddings_schema("string", 4)
SHORT = short_lists_schema("string")


def embeddings(n: int, n_factors: int = 4) -> pl.DataFrame:
    """Return n items with random unit vectors."""
    vectors = np.random.default_rng(n).normal(size=(n, n_factors)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return pl.DataFrame(
        {
            "item_id": [f"sku-{item}" for item in range(n)],
            "vector": pl.Series(vectors, dtype=pl.Array(pl.Float32, n_factors)),
            "n_interactions": np.arange(1, n + 1),
            "model_version": "1",
        }
    )


def short_lists(users) -> pl.DataFrame:
    """Return one row per user."""
    return pl.DataFrame({"user_id": users}, schema={"user_id": pl.String}).with_columns(
        n_items=pl.lit(3, pl.Int32),
        short_reason=pl.lit("seen"),
        run_date=pl.lit(date(2026, 9, 28)),
        model_version=pl.lit("1"),
        snapshot_id=pl.lit("s1"),
    )


def write_all(path, blocks, schema=SCHEMA):
    """Write blocks; return the rows counted."""
    with TableWriter(path, schema) as writer:
        for block in blocks:
            writer.write(block)
    return writer.rows


def write(path, frame, block, schema=SCHEMA):
    """Write a frame in blocks of some rows; return the rows counted."""
    return write_all(path, frame.iter_slices(block), schema)


def test_round_trip_in_polars_and_duckdb(tmp_path):
    """Both read the rows as they were written, with the types of the contract."""
    path, frame = tmp_path / "items" / "part.parquet", embeddings(50)
    assert write(path, frame, block=7) == 50
    assert pl.read_parquet(path).equals(frame)
    rows = duckdb.sql(f"SELECT item_id, vector, n_interactions FROM '{path}'").fetchall()
    assert rows[3][0] == "sku-3"
    np.testing.assert_allclose(rows[3][1], frame["vector"][3].to_numpy())
    assert [row[2] for row in rows] == list(range(1, 51))


def test_descriptions_reach_the_file(tmp_path):
    """Each field carries its description, and the table carries them all."""
    path = tmp_path / "part.parquet"
    write(path, embeddings(2), block=2)
    schema = pq.read_schema(path)
    assert schema.field("vector").metadata[b"description"].startswith(b"Embedding of unit length")
    assert all(field.metadata[b"description"] for field in schema)
    assert schema.metadata[b"description"] == SCHEMA.description.encode()
    assert set(json.loads(schema.metadata[b"columns"])) == set(SCHEMA.columns)
    seen = duckdb.sql(f"SELECT key FROM parquet_kv_metadata('{path}')").fetchall()
    assert (b"columns",) in seen


def test_arrow_schema_has_plain_types_and_required_columns():
    """Strings are plain Arrow strings; only nullable columns are optional."""
    schema = arrow_schema(SCHEMA)
    assert schema.field("item_id").type == pa.string()
    assert schema.field("vector").type == pa.list_(pa.float32(), 4)
    assert not any(field.nullable for field in schema)


def test_a_column_without_description_is_refused():
    """No table is published undescribed."""
    schema = pandera.DataFrameSchema(
        {"a": id_column("string", "An id."), "b": pandera.Column(pl.Int64)}, description="A table."
    )
    with pytest.raises(ValueError, match=r"must be described, got nothing for \['b'\]"):
        arrow_schema(schema)


def test_bytes_depend_on_rows_and_not_on_blocks(tmp_path):
    """Row groups are cut by the contract, also where many blocks make one and one makes many."""
    schema, frame = item_embeddings_schema("string", 512), embeddings(20_000, 512)
    one, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    write(one, frame, block=20_000, schema=schema)
    write(many, frame, block=333, schema=schema)
    assert one.read_bytes() == many.read_bytes()
    assert pq.ParquetFile(one).num_row_groups > 1
    assert pl.read_parquet(many).equals(frame)


def test_arrow_blocks_are_taken(tmp_path):
    """An Arrow table is as good as a frame."""
    write_all(tmp_path / "part.parquet", [embeddings(3).to_arrow()])
    assert pl.read_parquet(tmp_path / "part.parquet").equals(embeddings(3))


def test_no_rows_make_an_empty_table(tmp_path):
    """A table without rows can still be read, with its columns."""
    assert write(tmp_path / "part.parquet", embeddings(0), block=1) == 0
    assert pl.read_parquet(tmp_path / "part.parquet").schema == embeddings(1).schema


def test_a_broken_row_leaves_no_file(tmp_path):
    """The rule and the value are named; nothing half-written stays."""
    path = tmp_path / "part.parquet"
    frame = embeddings(3).with_columns(n_interactions=pl.Series([1, 0, 2]))
    with pytest.raises(ContractViolationError, match="n_interactions breaks at_least_one, got 0"):
        write(path, frame, block=3)
    assert not path.exists()


def test_an_error_between_blocks_leaves_no_file(tmp_path):
    """A writer that fails halfway leaves no table that looks whole."""
    path = tmp_path / "part.parquet"

    def blocks():
        yield embeddings(3)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_all(path, blocks())
    assert not path.exists()


def test_another_type_is_refused_at_once(tmp_path):
    """A column of another type is named, not cast."""
    frame = embeddings(3).cast({"n_interactions": pl.Int32})
    with pytest.raises(ContractViolationError, match="n_interactions breaks dtype"):
        write(tmp_path / "part.parquet", frame, block=3)


def test_lazy_frames_are_refused(tmp_path):
    """A contract does not look at the values of a lazy frame, so it must never get one."""
    bad = embeddings(3).with_columns(n_interactions=pl.lit(0, pl.Int64)).lazy()
    with pytest.raises(TypeError, match="only eager frames can be checked, got LazyFrame"):
        check_table(SCHEMA, bad)
    with pytest.raises(TypeError, match="must be an eager frame, got LazyFrame"):
        write_all(tmp_path / "part.parquet", [bad])


def test_nothing_lies_in_its_place_before_all_is_written(tmp_path):
    """A file under its name is whole; what is being written is hidden beside it."""
    path = tmp_path / "part.parquet"
    with TableWriter(path, SCHEMA) as writer:
        writer.write(embeddings(3))
        assert [each.name for each in tmp_path.iterdir()] == [".part.parquet.new"]
    assert [each.name for each in tmp_path.iterdir()] == ["part.parquet"]


def test_a_user_is_found_without_reading_the_others(tmp_path):
    """DuckDB and the statistics of row groups and pages lead to one of many row groups."""
    path, n_users = tmp_path / "part.parquet", 400_000
    frame = short_lists([f"u-{user:07d}" for user in range(n_users)])
    write(path, frame, block=50_000, schema=SHORT)
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
    bounds = [group.column(0).statistics for group in groups]
    holding = [b for b in bounds if b.min <= "u-0200000" <= b.max]
    assert (len(groups), len(holding)) == (4, 1)
    assert all(a.max < b.min for a, b in itertools.pairwise(bounds))
    assert all(group.column(0).has_offset_index for group in groups)
    assert all(group.column(0).has_column_index for group in groups)
    assert groups[0].sorting_columns == (pq.SortingColumn(0),)
    one_user, everybody = (
        bytes_read(f"SELECT * FROM '{path}' WHERE {rows}")
        for rows in ("user_id = 'u-0200000'", "n_items = 3")
    )
    assert everybody > 0.9 * path.stat().st_size
    assert one_user < everybody / 2


def bytes_read(query: str) -> int:
    """Bytes that DuckDB took from files for a query."""
    with duckdb.connect() as connection:
        ((_, plan),) = connection.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}").fetchall()
    return json.loads(plan)["io"]["total_bytes_read"]


@pytest.mark.parametrize("block", [1, 2, 10])
def test_users_out_of_order_are_refused(tmp_path, block):
    """Inside a block and between blocks: statistics would not lead to a user."""
    frame = short_lists(["ann", "bob", "eve", "cat"])
    with pytest.raises(
        ContractViolationError,
        match="sorted by user_id, got 1 rows that come after a larger one, the first in",
    ):
        write(tmp_path / "part.parquet", frame, block=block, schema=SHORT)


def test_order_is_kept_between_row_groups(tmp_path, monkeypatch):
    """The first row of a group follows the last one of the group before."""
    monkeypatch.setattr("tasks.tables.table_file._GROUP_ROWS", 1)
    frame = short_lists(["ann", "bob", "cat", "dan", "eve", "bea"])
    with pytest.raises(
        ContractViolationError,
        match="sorted by user_id, got 1 rows that come after a larger one, the first in",
    ):
        write(tmp_path / "part.parquet", frame, block=1, schema=SHORT)


def test_writing_overlaps_with_making_and_waits_when_behind(tmp_path, monkeypatch):
    """Two blocks wait at most; the third is taken only when one of them is done."""
    free, taken, path = threading.Event(), [], tmp_path / "part.parquet"
    take = TableWriter._take

    def slow(self, block):
        free.wait(timeout=30)
        take(self, block)

    def make(writer):
        for block in embeddings(8).iter_slices(2):
            writer.write(block)
            taken.append(writer.rows)

    monkeypatch.setattr(TableWriter, "_take", slow)
    with TableWriter(path, SCHEMA) as writer:
        maker = threading.Thread(target=make, args=(writer,))
        maker.start()
        maker.join(timeout=0.5)
        assert taken == [2, 4]
        assert maker.is_alive()
        free.set()
        maker.join(timeout=30)
    assert pl.read_parquet(path).equals(embeddings(8))


def test_a_broken_block_is_told_while_later_ones_come(tmp_path, monkeypatch):
    """Whoever goes on making blocks hears of it, long before the end."""
    monkeypatch.setattr("tasks.tables.table_file._GROUP_ROWS", 1)
    broken = embeddings(8).with_columns(n_interactions=pl.lit(0, pl.Int64))
    asked = iter(range(1000))

    def blocks():
        for _ in asked:
            yield broken

    with pytest.raises(ContractViolationError, match="at_least_one"):
        write_all(tmp_path / "part.parquet", blocks())
    assert next(asked) < 5
    assert list(tmp_path.iterdir()) == []


def write_within(path, limit, said):
    """Write a table in a process whose files may not grow over a limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        write(path, embeddings(50_000), block=1000)
    except Exception as error:
        said.put((type(error).__name__, str(error)))


def test_a_full_disk_leaves_no_file_and_a_sentence(tmp_path):
    """The kernel refuses the write, as it does where a disk or a quota is full."""
    path, context = tmp_path / "part.parquet", multiprocessing.get_context("spawn")
    said = context.Queue()
    child = context.Process(target=write_within, args=(path, 100_000, said))
    child.start()
    kind, sentence = said.get(timeout=60)
    child.join()
    assert kind == "StorageError"
    assert "part.parquet must be writable, got: file too large" in sentence
    assert "the last snapshot is untouched" in sentence
    assert list(tmp_path.iterdir()) == []
