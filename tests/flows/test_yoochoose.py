"""Five consecutive nights of real clicks: YOOCHOOSE as prepared for ADER, a session is a user.

Of the sessions every fourth is taken; ``HOARFROST_EVERY=1`` takes all.
"""

import os
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from data_contracts.config import (
    ELSAConfig,
    HistoryConfig,
    InteractionColumns,
    InteractionsConfig,
    NightlyConfig,
)
from data_contracts.surface import SurfaceConfig
from flows.nightly import nightly
from tasks.files import empty_folder
from tasks.history.history import build_history
from tasks.ingest.ingest import ingest
from tasks.lake import Night
from tasks.snapshot.snapshot import latest_snapshot
from tests.history_bytes import history_bytes
from tests.snapshot_bytes import snapshot_bytes

DAY_0 = date(2014, 4, 1)
EVERY = int(os.environ.get("HOARFROST_EVERY", "4"))
NIGHTS = [DAY_0 + timedelta(days=n) for n in range(3, 8)]
MADE_ANEW = ("ingest", "history", "matrices", "materialise", "check", "publish")  # all but the fit


def write_log(lake: Path, clicks: Path) -> None:
    """Write one file per period; the order of the clicks becomes seconds of their day."""
    log = pl.read_parquet(clicks).filter(pl.col("user_id") % EVERY == 0)
    start = datetime.combine(DAY_0, time())
    for (period,), day in log.filter(pl.col("period") < 8).group_by("period", maintain_order=True):
        folder = lake / "interactions" / f"date={DAY_0 + timedelta(days=int(period))}"
        folder.mkdir(parents=True)
        second = pl.int_range(pl.len()) * 86_399 // pl.len()
        moment = pl.lit(start) + pl.duration(days=int(period), seconds=second)
        day.select("user_id", "item_id", timestamp=moment).write_parquet(folder / "clicks.parquet")


def configuration(lake: Path) -> NightlyConfig:
    """Sessions are short-lived: three days of them are enough to recommend from."""
    return NightlyConfig(
        lake=str(lake),
        interactions=InteractionsConfig(columns=InteractionColumns(event_type="")),
        history=HistoryConfig(window_days=3, half_life_days=None),
        model=ELSAConfig(n_factors=32, n_epochs=3),
        surfaces={"home": SurfaceConfig(n_top=10)},
    )


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.usefixtures("prefect_api")
def test_five_nights(tmp_path, realdata):
    """Each night publishes and beats popularity; made anew from its fit the last is the same bytes.

    And what five nights have made of the log, one does that reads all of it.
    """
    lake = tmp_path / "nightly"
    write_log(lake, realdata / "yoochoose-ader" / "interactions.parquet")
    config = configuration(lake)
    for run_date in NIGHTS:
        report = nightly(config, run_date)
        folder, manifest = latest_snapshot(lake)
        assert manifest.run_date == run_date
        assert report.is_latest
        assert report.gain_over_popularity["ndcg@100"].low > 0
        assert pl.read_parquet(folder / "top_n" / "**" / "*.parquet").height > 0
    assert_same_as_at_once(lake, tmp_path / "at_once")
    before = snapshot_bytes(lake)
    for step in MADE_ANEW:
        empty_folder(lake / "state" / "nights" / f"run_date={NIGHTS[-1]}" / step)
    empty_folder(folder)
    nightly(config, NIGHTS[-1])
    assert snapshot_bytes(lake) == before


def assert_same_as_at_once(lake: Path, other: Path) -> None:
    """The history of the last night is that of a new lake with the same log, byte for byte."""
    other.mkdir()
    (other / "interactions").symlink_to(lake / "interactions")
    last = Night(config=configuration(other), run_date=NIGHTS[-1])
    rebuilt = build_history(last, ingest(last))
    nightly_night = Night(config=configuration(lake), run_date=NIGHTS[-1])
    found = (history_bytes(each.step("history")) for each in (last, nightly_night))
    assert next(found) == next(found)
    assert sum(file.history for file in rebuilt.log_files) > 100_000 / EVERY
