"""SQL over the latest snapshot: its views, the catalogue beside them, and what is refused."""

from datetime import date

import polars as pl
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError
from data_contracts.manifests import CheckManifest, SnapshotManifest
from tasks.lake import Night
from tasks.query import run_query
from tasks.snapshot import TABLES, NoSnapshotError, publish_snapshot
from tasks.steps import commit, entries

RUN_DATE = date(2026, 9, 10)


def publish(lake, items, version="1"):
    """Publish a snapshot whose tables hold these items, one row each."""
    night = Night(config=NightlyConfig(lake=str(lake)), run_date=RUN_DATE)
    staging = lake / "staged"
    rows = {}
    for table in TABLES:
        for number, item in enumerate(items):  # one file per row: a view reads all files
            path = staging / table / f"part-{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame({"item_id": [item], "score": [number + 0.5]}).write_parquet(path)
            rows[str(path.relative_to(staging))] = 1
    snapshot = SnapshotManifest(
        step="materialise", run_date=RUN_DATE, key=version, snapshot_id=f"{RUN_DATE}-v{version}",
        files=entries(staging, rows), model_version=version, config_digest="", code_version="",
        inputs={}, rows={}, fallback_share=0.0, short_lists=0,
    )  # fmt: skip
    commit(staging, night.step("materialise"), snapshot)
    check = CheckManifest(step="check", run_date=RUN_DATE, key=version, rules={}, users=1)
    publish_snapshot(night, snapshot, check)
    return night


def test_lake_without_a_snapshot_says_so(tmp_path):
    """Before the first night there is nothing to ask."""
    night = Night(config=NightlyConfig(lake=str(tmp_path)), run_date=RUN_DATE)
    with pytest.raises(NoSnapshotError, match="nothing has been published"):
        run_query(night, "SELECT 1")


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_view_of_all_its_files(tmp_path, table):
    """Columns have their names, rows their order and types."""
    night = publish(tmp_path, ["b", "a"])
    answer = run_query(night, f"SELECT item_id, score FROM {table} ORDER BY item_id")
    assert answer.columns == ("item_id", "score")
    assert answer.rows == (("a", 1.5), ("b", 0.5))


def test_catalogue_joins_where_there_is_one(tmp_path):
    """Its files are the configured ones; without any, there is no such view."""
    night = publish(tmp_path, ["a", "b"])
    with pytest.raises(ConfigError, match="items does not exist"):
        run_query(night, "SELECT * FROM items")  # nor any other of that name
    (tmp_path / "items").mkdir()
    titles = pl.DataFrame({"item_id": ["a", "c"], "title": ["Žába", "C"]})
    titles.write_parquet(tmp_path / "items" / "one.parquet")
    answer = run_query(night, "SELECT title FROM top_n JOIN items USING (item_id)")
    assert answer.rows == (("Žába",),)


def test_views_show_the_latest_snapshot_only(tmp_path):
    """The one before is still there, and is not mixed in."""
    publish(tmp_path, ["old", "older"])
    night = publish(tmp_path, ["new"], version="2")
    assert run_query(night, "SELECT item_id FROM top_n").rows == (("new",),)


def test_answer_may_be_empty(tmp_path):
    """No rows, with the columns; or a statement that answers with no row at all."""
    night = publish(tmp_path, ["a"])
    nothing = run_query(night, "SELECT item_id FROM top_n WHERE item_id = 'z'")
    assert (nothing.columns, nothing.rows) == (("item_id",), ())
    assert run_query(night, "CREATE TEMP TABLE t (x INT)").rows == ()
    assert run_query(night, "").columns == ()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM top_n", "nothing"),
        ("SELECT * FROM elsewhere", "elsewhere does not exist"),
        ("SELECT CAST(item_id AS INT) FROM top_n", "Could not convert"),
    ],
)
def test_bad_sql_is_refused_with_its_reason(tmp_path, sql, reason):
    """Whether DuckDB finds it while reading the statement or while answering it."""
    night = publish(tmp_path, ["a"])
    with pytest.raises(ConfigError, match=rf"the query must be valid DuckDB SQL: .*{reason}"):
        run_query(night, sql)


def test_quote_in_the_path_is_no_sql(tmp_path):
    """A lake in a folder with an apostrophe is a lake like others."""
    lake = tmp_path / "anna's; lake"
    lake.mkdir()
    night = publish(lake, ["a"])
    assert run_query(night, "SELECT item_id FROM top_n").rows == (("a",),)
