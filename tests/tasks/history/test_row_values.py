"""What a night's rows hold for models of ratings and of ordered histories, event by event."""

from datetime import timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.forgetting.forgetting import forget_people
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices, finished_matrices
from tasks.history.matrix_shard import load_shard
from tasks.history.row_values import RowValues
from tasks.ingest.ingest import ingest
from tasks.vocabulary.vocabulary import read_vocabulary
from tests.tiny_lake import DAY, SCHEMA, at, night, write_day

TOMORROW = DAY + timedelta(days=1)
SETTINGS = {
    "history": {"n_user_shards": 2},
    "interactions": {"columns": {"value": "stars"}},
    "evaluation": {"fold_in_share": 0.5},
}
EVENT = st.tuples(
    st.sampled_from("abcd"), st.sampled_from("uvwxyz"), st.integers(0, 47), st.integers(-1, 5)
)
EVENTS = st.lists(EVENT, min_size=1, max_size=25, unique_by=lambda event: event[:3])


def matrices_of(lake, events):
    """Two days of a log with ratings; the second is held out."""
    for number, day in enumerate((DAY, TOMORROW)):
        rows = [
            (user, item, "view", at(hour), float(value))
            for user, item, hour, value in events if hour // 24 == number
        ] or [("eve", "nil", "view", at(24 * number), 1.0)]  # fmt: skip
        write_day(lake, rows, day=day, schema=SCHEMA | {"stars": pl.Float64()})
        tonight = night(lake, day, **SETTINGS)
        ingested = ingest(tonight)
    return tonight, build_matrices(tonight, build_history(tonight, ingested))


def told(tonight, matrices, consumes, name):
    """Entries of a matrix by user and item."""
    items = read_vocabulary(tonight.lake)["item_id"].to_list()
    rows, found = RowValues(tonight, matrices, consumes), {}
    for shard in range(matrices.n_shards):
        users = load_shard(tonight.step("matrices"), shard).users
        X = rows.of(shard, name)
        for user, item, value in zip(
            np.repeat(users.to_numpy(), np.diff(X.indptr)), X.indices, X.data, strict=True
        ):
            found[user, items[item]] = float(value)
    return found


def expected(events, pairs, past, items):
    """Last rating and place in the order of every pair, by a plain walk over the events."""
    ratings, moments = {}, {}
    for user, item in pairs:
        own = sorted((hour, value) for u, i, hour, value in events if (u, i) == (user, item))
        hour, value = own[-1]
        if (user in past) and hour >= 24:
            moments[user, item] = own[0][0]
        else:
            ratings[user, item], moments[user, item] = float(value), hour
    order = {}
    for user in {user for user, _ in pairs}:
        own = sorted(
            (moments[pair], items.index(pair[1]), pair) for pair in pairs if pair[0] == user
        )
        order |= {pair: float(place) for place, (*_, pair) in enumerate(own, start=1)}
    return ratings, order


@settings(max_examples=8, deadline=None)
@given(EVENTS)
def test_values_line_up_with_their_items(tmp_path_factory, events):
    """The last rating, zero and below included; places in the order; nothing of the future."""
    tonight, matrices = matrices_of(tmp_path_factory.mktemp("lake"), events)
    items = read_vocabulary(tonight.lake)["item_id"].to_list()
    known = {user for user, _, hour, _ in events if hour < 24}
    for name in ("full", "train", "fold_in"):
        pairs = [pair for pair in told(tonight, matrices, "weights", name) if pair[0] != "eve"]
        past = set() if name == "full" else known
        ratings, order = expected(events, pairs, past, items)
        for consumes, values in (("ratings", ratings), ("order", order)):
            found = told(tonight, matrices, consumes, name)
            found = {pair: value for pair, value in found.items() if pair[0] != "eve"}
            assert found == values


def test_a_rating_of_the_held_out_days_is_not_known_in_training(tmp_path):
    """A pair rated anew has its rating in full only."""
    events = [("a", "u", 1, 2), ("a", "u", 30, 5), ("a", "v", 2, 3), ("b", "u", 26, 4)]
    tonight, matrices = matrices_of(tmp_path, events)
    assert told(tonight, matrices, "ratings", "full") == {
        ("a", "u"): 5.0, ("a", "v"): 3.0, ("b", "u"): 4.0,
    }  # fmt: skip
    assert told(tonight, matrices, "ratings", "train") == {("a", "v"): 3.0}
    assert told(tonight, matrices, "order", "full")["a", "u"] == 2.0
    assert told(tonight, matrices, "order", "train") == {("a", "u"): 1.0, ("a", "v"): 2.0}


def test_people_who_are_forgotten_leave_rows_that_still_line_up(tmp_path):
    """History and matrices lose the same users; what is left has its values."""
    events = [
        ("ann", "u", 1, 2), ("bob", "v", 2, 5), ("bob", "u", 3, 0), ("cid", "v", 4, 3),
        ("dan", "w", 30, 1), ("dan", "u", 31, 4),
    ]  # fmt: skip
    tonight, matrices = matrices_of(tmp_path, events)
    before = {
        (consumes, name): told(tonight, matrices, consumes, name)
        for consumes in ("ratings", "order") for name in ("full", "train", "fold_in")
    }  # fmt: skip
    forget_people(tonight.config, ("bob",), reason="asked")
    left = finished_matrices(tonight)
    for (consumes, name), values in before.items():
        kept = {pair: value for pair, value in values.items() if pair[0] != "bob"}
        assert told(tonight, left, consumes, name) == kept
        assert name != "full" or len(kept) < len(values)
