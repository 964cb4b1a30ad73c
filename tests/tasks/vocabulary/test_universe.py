"""Which items a night may list: those of its log, and those that the catalogue has by then."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.vocabulary.universe import item_universe
from tests.tiny_lake import DAY, good_rows, night, write_day

DAYS = {"i0": 9, "old": -30, "tonight": 0, "tomorrow": 1, "undated": None}  # from the run date on


@pytest.mark.parametrize("dated", [True, False])
def test_a_night_does_not_list_what_the_catalogue_adds_later(tmp_path, dated):
    """An item that was met belongs to it whatever the catalogue says; without a date all do."""
    start = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
    added = [None if n is None else start + timedelta(days=n) for n in DAYS.values()]
    items = pl.DataFrame({"item_id": list(DAYS), "added": added})
    (tmp_path / "items").mkdir()
    items.drop([] if dated else ["added"]).write_parquet(tmp_path / "items" / "items.parquet")
    write_day(tmp_path, good_rows())
    tonight = night(tmp_path)
    matrices = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    found = item_universe(tonight, matrices).to_list()
    new = ["old", "tonight", *([] if dated else ["tomorrow"]), "undated"]
    assert found == ["i0", "i1", "i2", "i3", *sorted(new)]
