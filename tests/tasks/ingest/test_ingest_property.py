"""The history depends on what the log's files hold, and on nothing else; no row is ever lost.

Not on the order of rows, how they are spread over files, the night on which a file arrives or
changes inside the look-back window, nor on what it held before.
"""

import json
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.interactions import EVENT
from tasks.history.history import build_history
from tasks.ingest.ingest import ingest
from tests.history_bytes import history_bytes
from tests.tiny_lake import DAY, at, night, quarantined, write_day

N_DAYS = 4  # the run date and as many days before it as may be late
SETTINGS = {
    "history": {"n_user_shards": 2},
    "validation": {"max_bad_share": 1.0, "min_share_of_usual": 0.0, "max_events_per_user_day": 2},
}
ROWS = st.tuples(
    st.sampled_from(["u1", "u2", "", None, "u" * 1_025]),
    st.sampled_from(["i1", "i2", "i3", None]),
    st.sampled_from(["view", "purchase", "stare"]),
    st.sampled_from([None, *(at(hours) for hours in (1, 2, 3, -23, -49, -80, -150, 30))]),
)
BITS = st.lists(ROWS, max_size=6)


@st.composite
def files(draw):
    """Files of one log: day, the night on which it is as it will stay, and what it held before.

    A file that arrives on time has held nothing before.
    """
    found = []
    for ago in draw(st.lists(st.integers(0, N_DAYS - 1), max_size=5)):
        settled = draw(st.integers(0, ago))
        first = draw(st.integers(settled, ago))
        found.append((ago, settled, draw(BITS), first, draw(BITS)))
    return found


def anchor(ago):
    """A good row that is there on time, so that no day is missing."""
    return ("anchor", f"i{ago}", "view", at(12, DAY - timedelta(days=ago)))


def run(lake, last=DAY):
    """Ingest and build; the bytes of the history, and the manifests of both."""
    tonight = night(lake, last, **SETTINGS)
    ingested = ingest(tonight)
    history = build_history(tonight, ingested)
    return history_bytes(tonight.step("history")), ingested, history


def written(ago, rows, *, lake, name):
    """Write one file of the day so long ago."""
    write_day(lake, rows, day=DAY - timedelta(days=ago), name=name)


def at_once(lake, log):
    """All days in one file each, read in one night."""
    for ago in range(N_DAYS):
        rows = [row for day, _, rows, *_ in log if day == ago for row in rows]
        written(ago, [anchor(ago), *rows], lake=lake, name="all")
    return run(lake)


def night_by_night(lake, log, draw):
    """Every file on its night, its rows in any order."""
    for tonight in reversed(range(N_DAYS)):
        written(tonight, [anchor(tonight)], lake=lake, name="anchor")
        for number, (ago, settled, rows, first, before) in enumerate(log):
            if tonight in (settled, first):
                held = draw.sample(rows, len(rows)) if tonight == settled else before
                written(ago, held, lake=lake, name=f"part-{number}")
        found = run(lake, DAY - timedelta(days=tonight))
        assert_accounted(lake, found[1])
    return found


def assert_accounted(lake, ingested):
    """Rows of every file are accepted or quarantined, and quarantine holds as many."""
    for file in ingested.log_files:
        assert file.rows == pl.read_parquet(lake / file.path).height
        assert file.rows == file.accepted + file.quarantined
        assert file.quarantined == sum(file.by_rule.values())
    assert ingested.rows == sum(file.rows for file in ingested.log_files)
    assert len(quarantined(lake, ingested.run_date)) == sum(ingested.quarantined.values())


def assert_balanced(history):
    """Every row of every file became part of the history, or is counted once for why not."""
    for file in history.log_files:
        fates = file.model_dump(exclude={"path", "run_date", "rows"})
        assert sum(fates.values()) == file.rows, json.dumps(fates)
        assert min(fates.values()) >= file.removed == 0


@pytest.mark.slow
@settings(max_examples=12)
@given(log=files(), draw=st.randoms())
def test_history_depends_on_the_rows_only(tmp_path_factory, log, draw):
    """Byte for byte, between one file a day in one night and any other way to the same files."""
    lake, other = tmp_path_factory.mktemp("once"), tmp_path_factory.mktemp("nightly")
    parts, _, once = at_once(lake, log)
    assert_balanced(once)
    again, _, nightly = night_by_night(other, log, draw)
    assert_balanced(nightly)
    assert again == parts
    assert sum(file.history for file in once.log_files) == sum(
        file.history for file in nightly.log_files
    )


@settings(max_examples=12)
@given(rows=BITS, more=BITS, cut=st.integers(0, 12), draw=st.randoms())
def test_order_of_rows_and_their_split_into_files_do_not_matter(
    tmp_path_factory, rows, more, cut, draw
):
    """One night; and what is in the history is told from the rows without any code of ours."""
    rows = [*rows, *more, anchor(0)]
    histories = []
    for shuffled in (rows, draw.sample(rows, len(rows))):
        lake = tmp_path_factory.mktemp("lake")
        written(0, shuffled[:cut], lake=lake, name="a")
        written(0, shuffled[cut:], lake=lake, name="b")
        parts, ingested, history = run(lake)
        assert_accounted(lake, ingested)
        assert_balanced(history)
        histories.append(parts)
    assert histories[0] == histories[1]
    assert sum(file.history for file in history.log_files) == len(expected(rows))


def expected(rows):
    """The events of a day's file that are good, each once and none of a bot."""
    good = {
        row
        for row in rows
        if row[0] in ("u1", "u2", "anchor") and row[1] and row[2] != "stare" and row[3]
        and at(-72) <= row[3] < at(24)
    }  # fmt: skip
    frame = pl.DataFrame(sorted(good), schema=list(EVENT), orient="row")
    most = SETTINGS["validation"]["max_events_per_user_day"]
    return frame.filter(pl.len().over("user_id", pl.col("timestamp").dt.date()) <= most).rows()
