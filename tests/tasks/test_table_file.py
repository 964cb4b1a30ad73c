"""One Parquet file under a contract: what goes in comes out, described, in any tool."""

import json

import duckdb
import numpy as np
import pandera.polars as pandera
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ContractViolationError
from data_contracts.item_embeddings import item_embeddings_schema
from data_contracts.table_column import id_column
from tasks.table_file import TableWriter, arrow_schema, check_table

SCHEMA = item_embeddings_schema("string", 4)


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
