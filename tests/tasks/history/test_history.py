"""History and matrices of a few rows, against a computation by hand."""

import mmap
from collections import defaultdict
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tasks.history.history import build_history
from tasks.history.history_shard import read_history as read_table
from tasks.history.matrix import build_matrices
from tasks.history.matrix_shard import load_shard
from tasks.ingest.ingest import ingest
from tasks.lake import shard_name
from tasks.vocabulary.vocabulary import read_vocabulary
from tests.tiny_lake import DAY, at, good_rows, night, write_day

EVENTS = {"view": 1.0, "purchase": 4.0, "search": 0.0}
SETTINGS = {
    "events": EVENTS,
    "history": {"half_life_days": 2.0, "max_weight": 6.0, "window_days": 30, "n_user_shards": 2},
}
YESTERDAY = DAY - timedelta(days=1)
ROWS = {
    YESTERDAY: [
        ("ann", "tea", "view", at(-20)),
        ("ann", "tea", "purchase", at(-19)),
        ("ann", "cup", "view", at(-60)),
        ("bob", "cup", "view", at(-1)),
        ("dan", "pot", "search", at(-2)),
    ],
    DAY: [
        ("ann", "pot", "view", at(1)),
        ("ann", "tea", "purchase", at(2)),
        ("ann", "tea", "purchase", at(3)),
        ("cid", "cup", "view", at(4)),
        ("cid", "pot", "view", at(5)),
        ("cid", "tea", "view", at(6)),
    ],
}


@pytest.fixture
def lake(tmp_path):
    """Two days of log."""
    for day, rows in ROWS.items():
        write_day(tmp_path, rows, day=day)
    return tmp_path


def by_hand(cut_hours=None):
    """Weight of every pair: each event halves in two days from the end of the run date."""
    weights = defaultdict(float)
    for user, item, event, moment in (row for rows in ROWS.values() for row in rows):
        if cut_hours is None or moment < at(cut_hours):
            age_days = (at(24) - moment).total_seconds() / 86_400
            weights[user, item] += EVENTS[event] * 0.5 ** (age_days / 2.0)
    return {pair: min(weight, 6.0) for pair, weight in weights.items()}


def read_history(tonight):
    """All shards in one frame."""
    return read_table(tonight.step("history"))


def is_mapped(array):
    """The array shows a file, whatever views lie between."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def test_weights_decay_from_the_run_date_and_are_capped(lake):
    """Pairs, weights, first event and number of events are those of a computation by hand."""
    tonight = night(lake, **SETTINGS)
    manifest = build_history(tonight, ingest(tonight))
    history = read_history(tonight)
    got = {(row["user_id"], row["item_id"]): row for row in history.iter_rows(named=True)}
    expected, before = by_hand(), by_hand(cut_hours=0)
    assert set(got) == set(expected)
    for pair, row in got.items():
        assert row["weight"] == pytest.approx(expected[pair], rel=1e-6)
        assert row["weight_before_cut"] == pytest.approx(before.get(pair, 0.0), rel=1e-6)
    assert got["ann", "tea"]["weight"] == 6.0
    assert got["ann", "tea"]["n_events"] == 4
    assert got["ann", "tea"]["first_seen"] == at(-20)
    assert got["ann", "tea"]["last_seen"] == at(3)
    matrices = build_matrices(tonight, manifest)
    assert (matrices.n_users, matrices.n_interactions) == (4, len(expected) - 1)


def test_user_of_weightless_events_is_known(lake):
    """Dan has searched only: he has a row of weight 0, and no entry in any matrix."""
    tonight = night(lake, **SETTINGS)
    build_history(tonight, ingest(tonight))
    dan = read_history(tonight).filter(pl.col("user_id") == "dan")
    assert dan["weight"].to_list() == [0.0]


def test_old_event_never_falls_to_nothing(tmp_path):
    """After forty half-lives and more, what was met is still told from what was not."""
    long_ago = DAY - timedelta(days=300)
    write_day(tmp_path, [("ann", "tea", "view", at(1, long_ago))], day=long_ago)
    write_day(tmp_path, [("ann", "cup", "search", at(1))])
    settings = {"events": EVENTS, "history": {"half_life_days": 0.1}}
    tonight = night(tmp_path, **settings)
    manifest = build_history(tonight, ingest(tonight))
    weights = dict(read_history(tonight).select("item_id", "weight").iter_rows())
    assert weights["cup"] == 0.0
    assert 0.0 < weights["tea"] < 1e-9
    assert build_matrices(tonight, manifest).n_interactions == 1


@pytest.mark.parametrize(("weight", "expected"), [(1e300, 10.0), (30.0, 10.0), (12.0, 6.0)])
def test_cap_comes_after_the_decay(tmp_path, weight, expected):
    """An event above the cap is first halved by its day; no weight is too large to be summed."""
    write_day(tmp_path, [("ann", "tea", "view", at(0))])
    tonight = night(tmp_path, events={"view": weight}, history={"half_life_days": 1.0})
    build_history(tonight, ingest(tonight))
    assert read_history(tonight)["weight"].to_list() == [expected]


def test_many_heavy_events_are_cut_at_the_cap(tmp_path):
    """Their sum must not leave the range of the integers it is made of."""
    write_day(tmp_path, [("ann", "tea", "view", at(k / 10)) for k in range(220)])
    tonight = night(tmp_path, events={"view": 1e7}, history={"half_life_days": None})
    build_history(tonight, ingest(tonight))
    assert read_history(tonight)["weight"].to_list() == [10.0]


def test_events_outside_the_window_are_forgotten(lake):
    """A window of one day holds the run date alone."""
    settings = SETTINGS | {"history": SETTINGS["history"] | {"window_days": 1}}
    tonight = night(lake, **settings)
    build_history(tonight, ingest(tonight))
    assert read_history(tonight)["first_seen"].min() >= at(0)


def test_event_told_again_by_a_later_file_counts_once(lake):
    """The next night's late file repeats rows; weights do not grow, and the repeats are counted."""
    tonight = night(lake, **SETTINGS)
    build_history(tonight, ingest(tonight))
    tomorrow = DAY + timedelta(days=1)
    write_day(lake, ROWS[DAY][:3], day=DAY, name="again")
    write_day(lake, [("eve", "tea", "view", at(30))], day=tomorrow)
    next_night = night(lake, tomorrow, **SETTINGS)
    manifest = build_history(next_night, ingest(next_night))
    assert manifest.duplicates == 3
    ann = read_history(next_night).filter(pl.col("user_id") == "ann", pl.col("item_id") == "tea")
    assert ann["n_events"].to_list() == [4]


def test_matrices_hold_what_the_history_says(lake):
    """Every entry, of every matrix, by user and item, sorted; what is read is memory-mapped."""
    tonight = night(lake, **SETTINGS)
    manifest = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    items = read_vocabulary(lake)["item_id"].to_list()
    assert items == ["cup", "pot", "tea"]
    found = {name: {} for name in ("full", "train", "fold_in", "target")}
    for shard in range(manifest.n_shards):
        arrays = load_shard(tonight.step("matrices"), shard)
        assert arrays.users.is_sorted()
        X = arrays.full
        read = (X.data, X.indices, X.indptr, arrays.changed, arrays.before, arrays.asked)
        assert all(is_mapped(part) for part in read if part.size)
        for name in found:
            X = getattr(arrays, name)
            assert X.has_sorted_indices
            for user, item in zip(*X.nonzero(), strict=True):
                found[name][arrays.users[int(user)], items[item]] = X[user, item]
    assert found["full"] == pytest.approx({p: w for p, w in by_hand().items() if w}, rel=1e-6)
    before = {pair: weight for pair, weight in by_hand(cut_hours=0).items() if weight}
    assert found["train"] == pytest.approx(before, rel=1e-6)
    assert set(found["target"]) == {("ann", "pot"), ("cid", "tea")}
    assert set(found["fold_in"]) == {("ann", "tea"), ("ann", "cup"), ("cid", "cup"), ("cid", "pot")}
    assert manifest.n_heldout_users == 2


def test_vocabulary_grows_at_its_end_only(tmp_path):
    """A new item sorts before the old ones and still comes last; an old night keeps its items."""
    write_day(tmp_path, [("ann", "m", "view", at(1)), ("ann", "z", "view", at(2))])
    tonight = night(tmp_path)
    first = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    tomorrow = DAY + timedelta(days=1)
    write_day(tmp_path, [("ann", "a", "view", at(30))], day=tomorrow)
    later = night(tmp_path, tomorrow)
    assert build_matrices(later, build_history(later, ingest(later))).n_items == 3
    assert read_vocabulary(tmp_path)["item_id"].to_list() == ["m", "z", "a"]
    (tonight.step("matrices") / shard_name(0) / "users.parquet").unlink()
    again = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    assert again == first


def test_integer_ids_stay_integers(tmp_path):
    """From an int32 column of the log to the history."""
    schema = {"user_id": pl.Int32(), "item_id": pl.Int32(), "event_type": pl.String()}
    rows = [(7, 1, "view", at(1)), (-3, 2, "view", at(2))]
    write_day(tmp_path, rows, schema=schema | {"timestamp": pl.Datetime("ms")})
    tonight = night(tmp_path)
    manifest = ingest(tonight)
    assert (manifest.user_id_type, manifest.item_id_type) == ("integer", "integer")
    build_history(tonight, manifest)
    history = read_history(tonight)
    assert history.schema["user_id"] == history.schema["item_id"] == pl.Int64
    assert sorted(history["user_id"].to_list()) == [-3, 7]
    write_day(tmp_path, good_rows(3), name="text")
    with pytest.raises(Exception, match="user_id must be integer as in the rest of the log"):
        ingest(tonight)
