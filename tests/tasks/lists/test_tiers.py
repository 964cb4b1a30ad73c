"""Fallback tiers: what is popular, here or everywhere, and what is new."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.history.matrix_shard import load_shard
from tasks.ingest.ingest import ingest
from tasks.lists.tiers import MIN_SEGMENT_USERS, load_tiers
from tests.tiny_lake import DAY, at, night, write_day

N = MIN_SEGMENT_USERS


def built(lake, rows_by_day, **sections):
    """Return the last of the nights and its matrices."""
    for day, rows in sorted(rows_by_day.items()):
        write_day(lake, rows, day=day)
        tonight = night(lake, day, **{"history": {"n_user_shards": 3}} | sections)
        history = build_history(tonight, ingest(tonight))
    return tonight, build_matrices(tonight, history)


def views(users, item, day=DAY):
    """One view of an item by each of some users."""
    return [(user, item, "view", at(9, day)) for user in users]


def of_prefix(shard, users):
    """Group of every user by the letter the id begins with; 0 for others."""
    letters = users.str.slice(0, 1).to_list()
    return np.array([{"a": 1, "b": 2}.get(letter, 0) for letter in letters], np.int32)


def named(ranked, item_ids, row):
    """Ids and scores of the list a row takes."""
    mine = ranked.row_order[row]
    kept = ranked.order[mine] >= 0
    assert (kept == np.sort(kept)[::-1]).all()
    assert np.isnan(ranked.scores[mine][~kept]).all()
    ids = item_ids.gather(ranked.order[mine][kept]).to_list()
    return list(zip(ids, ranked.scores[mine][kept].tolist(), strict=True))


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """Segment a is large and likes x, segment b is small and likes y, others like z."""
    a, b, rest = ([f"{letter}{n}" for n in range(N)] for letter in "abc")
    rows = views(a, "x") + views(a[:1], "y") + views(b[1:], "y") + views(rest, "z")
    tonight, matrices = built(
        tmp_path_factory.mktemp("lake"), {DAY: rows}, history={"half_life_days": None}
    )
    return tonight, matrices, pl.Series(["x", "y", "z", "w"])


def test_popular_in_segment(segments):
    """A large segment has its own list; a small one and users of none take everybody's."""
    tonight, matrices, ids = segments
    tiers = load_tiers(tonight, matrices, ids, n_groups=3, group_of_shard=of_prefix)
    ranked = tiers.of("popular_in_segment", np.array([0, 1, 2, 1]))
    everybody = [("x", float(N)), ("y", float(N)), ("z", float(N))]
    assert named(ranked, ids, 0) == named(ranked, ids, 2) == everybody
    assert named(ranked, ids, 1) == named(ranked, ids, 3) == [("x", float(N)), ("y", 1.0)]
    assert ranked.order.dtype == ranked.row_order.dtype == np.int32
    assert ranked.scores.dtype == np.float32
    assert len(ranked.order) == 2


def test_popular_is_everybodys_for_all(segments):
    """Whatever the group, and without segments at all; nobody met w, so it is not popular."""
    tonight, matrices, ids = segments
    with_groups = load_tiers(tonight, matrices, ids, n_groups=3, group_of_shard=of_prefix)
    without = load_tiers(tonight, matrices, ids)
    expected = [("x", float(N)), ("y", float(N)), ("z", float(N))]
    for ranked in (
        with_groups.of("popular", np.array([2, 1])),
        without.of("popular", np.array([0])),
        without.of("popular_in_segment", np.array([0])),
    ):
        assert named(ranked, ids, 0) == expected


def test_one_user_more_makes_a_segment_large(tmp_path):
    """Users count who have a history; the boundary belongs to the large ones."""
    b = [f"b{n}" for n in range(N)]
    tonight, matrices = built(tmp_path, {DAY: views(b, "y") + views(["c"], "x")})
    ids = pl.Series(["x", "y"])
    tiers = load_tiers(tonight, matrices, ids, n_groups=3, group_of_shard=of_prefix)
    assert [name for name, _ in named(tiers.of("popular_in_segment", np.array([2])), ids, 0)] == [
        "y"
    ]


def test_popularity_is_the_decayed_weight_of_all_shards(tmp_path):
    """Against the matrices themselves; last week counts half."""
    before = DAY - timedelta(days=7)
    rows = {before: views("abcd", "x", before), DAY: views("abc", "y")}
    tonight, matrices = built(tmp_path, rows, history={"half_life_days": 7.0, "n_user_shards": 3})
    shards = [load_shard(tonight.step("matrices"), n).full for n in range(matrices.n_shards)]
    expected = sum(X.toarray().astype(np.float64).sum(axis=0) for X in shards)
    ids = pl.Series(["x", "y"])
    popular = named(load_tiers(tonight, matrices, ids).of("popular", np.array([0])), ids, 0)
    assert [name for name, _ in popular] == ["y", "x"]
    np.testing.assert_allclose([weight for _, weight in popular], sorted(expected)[::-1], rtol=1e-6)


def test_newest_by_first_event(tmp_path):
    """The day of the first event, not of the last; equal days by place; without a day last."""
    days = [DAY - timedelta(days=age) for age in (3, 1, 0)]
    rows = {
        days[0]: views("a", "old", days[0]),
        days[1]: views("ab", "y", days[1]) + views("b", "old", days[1]),
        days[2]: views("ab", "x") + views("a", "z"),
    }
    tonight, matrices = built(tmp_path, rows)
    ids = pl.Series(["old", "x", "y", "z", "unmet"])
    ranked = load_tiers(tonight, matrices, ids).of("newest", np.array([0, 0]))
    expected = [("x", 0.0), ("z", 0.0), ("y", -1.0), ("old", -3.0), ("unmet", -4.0)]
    assert named(ranked, ids, 0) == named(ranked, ids, 1) == expected


def test_days_are_those_of_the_log(tmp_path):
    """An event just after midnight in UTC was made the day before in New York."""
    zone = {"interactions": {"time_zone": "America/New_York"}}
    before = DAY - timedelta(days=1)
    rows = {
        before: [("a", "x", "view", at(5, before))],  # 01:00 in New York
        DAY: [("a", "y", "view", at(2)), ("a", "z", "view", at(5))],  # 22:00 and 01:00
    }
    tonight, matrices = built(tmp_path, rows, **zone)
    ids = pl.Series(["x", "y", "z"])
    ranked = load_tiers(tonight, matrices, ids).of("newest", np.array([0]))
    assert named(ranked, ids, 0) == [("z", 0.0), ("x", -1.0), ("y", -1.0)]


def test_newest_knows_items_nobody_met(tmp_path):
    """What the catalogue says comes before the first event; what is still to come counts as new."""
    catalogue = pl.DataFrame(
        {
            "item_id": ["c", "b", "a", "future"],
            "added": [date(2026, 9, 8), None, date(2026, 9, 9), date(2027, 1, 1)],
        }
    )
    (tmp_path / "items").mkdir()
    catalogue.write_parquet(tmp_path / "items" / "items.parquet")
    tonight, matrices = built(tmp_path, {DAY: views("uv", "a")})
    ids = pl.Series(["a", "b", "c", "future"])
    ranked = load_tiers(tonight, matrices, ids).of("newest", np.array([0]))
    expected = [("future", 0.0), ("a", -1.0), ("c", -2.0), ("b", -3.0)]
    assert named(ranked, ids, 0) == expected


def test_a_tier_that_ranks_nothing_is_refused(segments):
    """The content tier is the users' own."""
    tonight, matrices, ids = segments
    with pytest.raises(ValueError, match="tier must be popular_in_segment, popular or newest, got"):
        load_tiers(tonight, matrices, ids).of("content", np.array([0]))
