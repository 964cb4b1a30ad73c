"""SQL over the latest snapshot: its views, what lies beside them, and what is refused."""

from datetime import date, timedelta

import polars as pl
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError
from tasks.answers.query import run_query
from tasks.lake import Night
from tasks.snapshot.snapshot import NoSnapshotError
from tests.published_lake import publish, write_catalogue
from tests.tiny_lake import DAY, night

LISTS = {"home": {"u0": ["i1", "i2"], "u1": ["i2"]}, "mail": {"u0": ["i3"]}}


@pytest.fixture
def made(tmp_path):
    """A lake with one snapshot of two surfaces."""
    made = night(tmp_path)
    publish(made, LISTS)
    return made


def test_lake_without_a_snapshot_says_so(tmp_path):
    """Before the first night there is nothing to ask."""
    made = Night(config=NightlyConfig(lake=str(tmp_path)), run_date=date(2026, 9, 10))
    with pytest.raises(NoSnapshotError, match="nothing has been published"):
        run_query(made, "SELECT 1")


def test_surfaces_are_a_column_of_text(made):
    """It stands in no file, only in the folders."""
    answer = run_query(made, "SELECT surface, user_id, rank, item_id FROM top_n ORDER BY ALL")
    assert answer.columns == ("surface", "user_id", "rank", "item_id")
    assert answer.rows == (
        ("home", "u0", 1, "i1"),
        ("home", "u0", 2, "i2"),
        ("home", "u1", 1, "i2"),
        ("mail", "u0", 1, "i3"),
    )
    short = run_query(made, "SELECT surface, user_id, n_items FROM short_lists")
    assert short.rows == (("home", "u1", 1),)
    described = run_query(made, "DESCRIBE top_n").rows
    assert dict(row[:2] for row in described)["surface"] == "VARCHAR"


def test_item_tables_are_views_too(made):
    """Vectors are arrays that DuckDB can measure."""
    sql = """SELECT item_id, round(array_inner_product(vector, vector), 3) AS length
             FROM item_embeddings JOIN similar_items USING (item_id) WHERE rank = 1 ORDER BY 1"""
    assert run_query(made, sql).rows == (("i1", 1.0), ("i2", 1.0), ("i3", 1.0))


def test_catalogue_and_segments_join_where_there_are_any(made):
    """Their files are the configured ones; without any, there is no such view."""
    for name in ("items", "segments"):
        with pytest.raises(ConfigError, match=f"{name} does not exist"):
            run_query(made, f"SELECT * FROM {name}")  # nor any other of that name
    write_catalogue(made.lake)
    (made.lake / "segments").mkdir()
    for k, segment in enumerate(["Žába", "b"]):  # a view is over all files
        frame = pl.DataFrame({"user_id": [f"u{k}"], "segment": [segment]})
        frame.write_parquet(made.lake / "segments" / f"part-{k}.parquet")
    sql = """SELECT title, segment FROM top_n JOIN items USING (item_id)
             JOIN segments USING (user_id) WHERE surface = 'home' ORDER BY ALL"""
    assert run_query(made, sql).rows == (
        ("Title of i1", "Žába"),
        ("Title of i2", "b"),
        ("Title of i2", "Žába"),
    )


def test_side_files_that_do_not_fit_together_are_refused(made):
    """A number here and a text there is no column."""
    (made.lake / "items").mkdir()
    for k, value in enumerate(["a", 1]):
        frame = pl.DataFrame({"item_id": [value]})
        frame.write_parquet(made.lake / "items" / f"{k}.parquet")
    with pytest.raises(ConfigError, match="files of items must be Parquet with columns of the"):
        run_query(made, "SELECT 1")


def test_views_show_the_latest_snapshot_only(made):
    """The one before is still there, and is not mixed in."""
    later = night(made.lake, DAY + timedelta(days=1))
    publish(later, {"home": {"u9": ["i4"]}})
    assert run_query(made, "SELECT user_id, item_id FROM top_n").rows == (("u9", "i4"),)
    before = run_query(made, "SELECT surface, user_id, item_id FROM top_n_before WHERE rank = 2")
    assert before.rows == (("home", "u0", "i2"),)


def test_answer_may_be_empty(made):
    """No rows, with the columns; or a statement that answers with no row at all."""
    nothing = run_query(made, "SELECT item_id FROM top_n WHERE item_id = 'z'")
    assert (nothing.columns, nothing.rows) == (("item_id",), ())
    assert run_query(made, "CREATE TEMP TABLE t (x INT)").rows == ()
    assert run_query(made, "").columns == ()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM top_n", "nothing"),
        ("SELECT * FROM elsewhere", "elsewhere does not exist"),
        ("SELECT CAST(item_id AS INT) FROM top_n", "Could not convert"),
        ("SET enable_external_access = true", "configuration has been locked"),
        ("DELETE FROM top_n", "delete"),
    ],
)
def test_bad_sql_is_refused_with_its_reason(made, sql, reason):
    """Whether DuckDB finds it while reading the statement or while answering it."""
    with pytest.raises(ConfigError, match=rf"(?i)the query must be valid DuckDB SQL: .*{reason}"):
        run_query(made, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{lake}/new.csv'",
        "WITH written AS (COPY (SELECT 1) TO '{lake}/new.csv') SELECT 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/new.csv'",
        "SELECT * FROM read_parquet('{lake}/snapshots/*/top_n/*/*.parquet')",
        "SELECT * FROM read_text('/etc/hostname')",
        "ATTACH '{lake}/new.db'",
    ],
)
def test_query_touches_no_file(made, sql):
    """Not even a file of the snapshot, by its name."""
    before = outside_of_state(made.lake)
    with pytest.raises(ConfigError, match="no file; write files with 'hoarfrost export'"):
        run_query(made, sql.format(lake=made.lake))
    assert outside_of_state(made.lake) == before


def outside_of_state(lake):
    """All paths but those of leases and the like."""
    return sorted(path for path in lake.rglob("*") if lake / "state" not in path.parents)


def test_quote_in_the_path_is_no_sql(tmp_path):
    """A lake in a folder with an apostrophe is a lake like others."""
    lake = tmp_path / "anna's; lake=1 %20"
    lake.mkdir()
    made = night(lake)
    publish(made, LISTS)
    assert run_query(made, "SELECT surface FROM top_n WHERE user_id = 'u1'").rows == (("home",),)
