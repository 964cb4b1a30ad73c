"""The tables of real nights, opened by everybody's reader, and the page that tells how."""

import hashlib
import math
import os
import re
import shutil
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from data_contracts.report import NightReport
from tasks.answers.query import run_query
from tasks.lake import Night
from tests.tiny_night import run_night, tiny_shop

PAGE = Path(__file__).parents[2] / "deploy" / "analysts.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
QUESTIONS = [text for language, text in BLOCKS if language == "sql"]
OPENERS = {
    text.splitlines()[0].removeprefix("# "): text
    for language, text in BLOCKS
    if language == "python"
}
TABLES = ("top_n", "short_lists", "similar_items", "item_embeddings")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]
Checksums = dict[str, str]  # column -> digest of its values in the order of the rows' keys


class Shop(NamedTuple):
    """A lake after two nights."""

    lake: Path
    night: Night
    reports: list[NightReport]

    @property
    def snapshot(self) -> Path:
        """The latest one, resolved."""
        return (self.lake / "latest").resolve()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Two nights of a small shop, run once."""
    lake = tmp_path_factory.mktemp("readers") / "lake"
    nights = tiny_shop(lake)
    return Shop(lake, nights[-1], [run_night(night) for night in nights])


@pytest.fixture(scope="module")
def spark():
    """Spark on two threads of this machine."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none here")
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    session = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    yield session
    session.stop()


def plain(value: object) -> object:
    """A value as every reader would print it."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, np.ndarray | list | tuple):
        return tuple(plain(each) for each in value)
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    if isinstance(value, float | np.floating):
        return float(np.float32(value))
    return int(value) if isinstance(value, int | np.integer) else str(value)


def checksums(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> tuple[int, Checksums]:
    """Number of rows, and a digest per column; rows are put in one order first."""
    names = list(columns)
    order = sorted(range(len(names)), key=names.__getitem__)
    values = sorted(
        ([plain(row[place]) for place in order] for row in (tuple(each) for each in rows)), key=repr
    )
    digests = (
        hashlib.sha256(repr(column).encode()).hexdigest() for column in zip(*values, strict=True)
    )
    return len(values), dict(zip((names[place] for place in order), digests, strict=True))


def by_duckdb(folder, table, spark):
    """DuckDB reads the folders of surfaces as a column."""
    answer = duckdb.sql(
        f"FROM read_parquet('{folder}/{table}/**/*.parquet', hive_partitioning=true)"
    )
    return answer.columns, answer.fetchall()


def by_polars(folder, table, spark):
    """Polars does so too."""
    frame = pl.read_parquet(
        folder / table, hive_partitioning=(folder / table).joinpath("surface=home").is_dir()
    )
    return frame.columns, frame.rows()


def by_pandas(folder, table, spark):
    """Pandas through pyarrow."""
    frame = pd.read_parquet(folder / table)
    return frame.columns, frame.itertuples(index=False, name=None)


def by_spark(folder, table, spark):
    """Spark discovers partitions by itself."""
    frame = spark.read.parquet(f"file://{folder}/{table}")
    return frame.columns, frame.collect()


@pytest.fixture(scope="module")
def expected(shop):
    """What the files hold, read one by one with the surface taken from the path."""
    found = {}
    for table in TABLES:
        parts = []
        for path in sorted((shop.snapshot / table).rglob("*.parquet")):
            frame = pl.read_parquet(path, hive_partitioning=False)
            if path.parent.name.startswith("surface="):
                surface = path.parent.name.partition("=")[2]
                frame = frame.with_columns(surface=pl.lit(surface))
            parts.append(frame)
        rows = pl.concat(parts)
        found[table] = checksums(rows.columns, rows.rows())
    return found


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("reader", [by_duckdb, by_polars, by_pandas, by_spark])
def test_readers_agree_on_every_column(request, shop, expected, reader, table):
    """The same rows and the same values, to the last vector."""
    spark = request.getfixturevalue("spark") if reader is by_spark else None
    count, digests = checksums(*reader(shop.snapshot, table, spark))
    assert count > 0
    assert (count, digests) == expected[table]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_describes_itself(shop, table):
    """In the metadata of its field, which pyarrow shows, and of the file, which others show."""
    for path in (shop.snapshot / table).rglob("*.parquet"):
        schema = pq.read_schema(path)
        assert schema.metadata[b"description"]
        for field in schema:
            assert field.metadata[b"description"], field.name
        sql = (
            f"SELECT decode(value) FROM parquet_kv_metadata('{path}') WHERE decode(key) = 'columns'"
        )
        (row,) = duckdb.sql(sql).fetchall()
        assert all(name in row[0] for name in schema.names)


def test_page_asks_twelve_questions():
    """No more are promised, and none is left out of the test below."""
    numbers = re.findall(r"^\*\*(\d+)\. ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(QUESTIONS) + 1))
    assert len(QUESTIONS) == 12


@pytest.mark.parametrize("number", range(1, len(QUESTIONS) + 1))
def test_question_of_the_page_is_answered(shop, number):
    """As it stands there, with rows and without a column of nothing."""
    answer = run_query(shop.night, QUESTIONS[number - 1])
    assert answer.rows
    for name, column in zip(answer.columns, zip(*answer.rows, strict=True), strict=True):
        assert any(value is not None for value in column), name


@pytest.mark.parametrize("reader", OPENERS)
def test_way_to_open_the_tables_works(request, shop, reader, monkeypatch, capfd):
    """Run as it stands there, from the folder that holds the lake."""
    if reader == "Spark":
        request.getfixturevalue("spark")
    monkeypatch.chdir(shop.lake.parent)
    exec(OPENERS[reader], {})
    shown = capfd.readouterr().out
    assert "home" in shown
    assert "mail" in shown


def test_answers_are_about_the_night(shop):
    """Some of them can be checked against the report."""
    drift = shop.reports[-1].drift
    changed = dict(row[::2] for row in run_query(shop.night, QUESTIONS[3]).rows)
    assert changed["home"] == pytest.approx(drift.surfaces["home"].overlap, abs=0.002)
    sources = run_query(shop.night, QUESTIONS[6]).rows
    assert sum(row[3] for row in sources) == shop.reports[-1].table_rows["top_n"]
    short = run_query(shop.night, QUESTIONS[5]).rows
    assert sum(row[2] for row in short) == shop.reports[-1].short_lists


def test_plan_is_compared_with_the_night(shop):
    """Of both nights; the second one is scaled from what the first one took."""
    for report in shop.reports:
        assert {"ingest", "train", "materialise", "top_n"} <= {each.what for each in report.plan}
        counts = [each for each in report.plan if each.unit in ("rows", "users", "items")]
        assert len(counts) == 3
        assert all(each.inside for each in counts)
    text = (shop.night.folder / "report.md").read_text(encoding="utf-8")
    assert "figures inside their ranges" in text
    assert "## Lists against" in text
