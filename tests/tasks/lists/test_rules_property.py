"""Random rules on random catalogues and histories, against a naive reading of the same words."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ranking.rerank import rerank
from tests.tasks.rules_lake import EVENTS, all_rules, items_of, listable_by, make_history, put
from tests.tasks.rules_lake import rules_night as night_of
from tests.tiny_lake import at

USERS, ITEMS = range(1, 7), range(11, 19)  # of the log; others only the files know
STRANGERS, NEW_ITEMS, UNKNOWN = (98, 99), (21, 22), (77,)
SEGMENTS, CATEGORIES = ("a", "b"), ("x", "y", "z")
HISTORIES = range(4)  # each drawn once
IDS = {"string": pl.String(), "integer": pl.Int64()}


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    """Lakes with random logs of the last ten days, and their events with ages in days."""
    made = []
    for seed in HISTORIES:
        rng, lake = np.random.default_rng(seed), tmp_path_factory.mktemp("history")
        ids = "integer" if seed % 2 else "string"
        ages = [0, *rng.integers(0, 10, 29)]  # one at least on the run date
        events = [
            (as_id(rng.choice(USERS), ids), as_id(rng.choice(ITEMS), ids),
             str(rng.choice(list(EVENTS))), int(age))
            for age in ages
        ]  # fmt: skip
        rows = [(*event, at(k / 10 - 24 * age)) for k, (*event, age) in enumerate(events)]
        schema = {"user_id": IDS[ids], "item_id": IDS[ids], "event_type": pl.String()}
        make_history(night_of(lake), rows, schema=schema | {"timestamp": pl.Datetime("us", "UTC")})
        made.append((lake, ids, events))
    return made


def as_id(number, ids):
    """The same number as an id of either type."""
    return int(number) if ids == "integer" else f"n{number}"


def subsets(values):
    """Some of the values, in any order."""
    return st.lists(st.sampled_from(values), unique=True, max_size=len(values))


LIST_ROW = st.one_of(
    st.tuples(st.sampled_from([*ITEMS, *NEW_ITEMS, *UNKNOWN]), st.none(), st.none()),
    st.tuples(
        st.sampled_from([*ITEMS, *NEW_ITEMS, *UNKNOWN]),
        st.sampled_from([*USERS, *STRANGERS]), st.none(),
    ),
    st.tuples(
        st.sampled_from([*ITEMS, *NEW_ITEMS, *UNKNOWN]),
        st.none(), st.sampled_from([*SEGMENTS, "c"]),
    ),
)  # fmt: skip
LISTS = st.one_of(st.none(), st.lists(LIST_ROW, max_size=25))
CATALOGUE = st.dictionaries(
    st.sampled_from([*ITEMS, *NEW_ITEMS]),
    st.tuples(st.sampled_from([*CATEGORIES, None]), st.sampled_from([True, True, False, None])),
)
SURFACE = st.fixed_dictionaries(
    {
        "n_top": st.integers(1, 6),
        "seen": st.dictionaries(
            st.sampled_from(list(EVENTS)),
            st.one_of(st.sampled_from(["always", "never"]), st.integers(1, 11)),
        ),
        "categories": subsets([*CATEGORIES, "w"]),
        "max_per_category": st.one_of(st.none(), st.integers(1, 3)),
        "category_caps": st.dictionaries(st.sampled_from([*CATEGORIES, "w"]), st.integers(0, 3)),
    }
)
SEGMENT_OF = st.dictionaries(st.sampled_from([*USERS, *STRANGERS]), st.sampled_from(SEGMENTS))
CASE = st.fixed_dictionaries(
    {
        "history": st.sampled_from(HISTORIES), "catalogue": CATALOGUE, "surface": SURFACE,
        "segment_of": SEGMENT_OF, "allow": LISTS, "block": LISTS, "seed": st.integers(0, 99),
    }
)  # fmt: skip


def write(lake, ids, case):
    """Put the files of a case where the night looks for them; return the night."""

    def column(values):
        found = [None if value is None else as_id(value, ids) for value in values]
        return pl.Series(found, dtype=IDS[ids])

    items, segments = case["catalogue"], case["segment_of"]
    categories, available = (
        pl.Series([row[k] for row in items.values()], dtype=dtype)
        for k, dtype in enumerate((pl.String, pl.Boolean))
    )
    put(
        lake, "items/a.parquet",
        item_id=column(items), category=categories, available=available,
    )  # fmt: skip
    names = pl.Series(list(segments.values()), dtype=pl.String)
    put(lake, "segments/a.parquet", user_id=column(segments), segment=names)
    surface = dict(case["surface"])
    for kind in ("allow", "block"):
        if (rows := case[kind]) is not None:
            surface[kind] = f"lists/{kind}.parquet"
            put(
                lake, surface[kind], item_id=column(row[0] for row in rows),
                user_id=column(row[1] for row in rows),
                segment=pl.Series([row[2] for row in rows], dtype=pl.String),
            )  # fmt: skip
    return night_of(lake, surface)


def naive(case, ids, events):
    """What every user of the log may be shown, item by item, from the words of the rules."""
    surface, may = case["surface"], {}
    for user in {event[0] for event in events}:
        own = {n for n in (*USERS, *STRANGERS) if as_id(n, ids) == user}.pop()
        segment = case["segment_of"].get(own)
        found = set()
        for item in [*ITEMS, *NEW_ITEMS]:
            category, available = case["catalogue"].get(item, (None, True))
            in_log = as_id(item, ids) in {event[1] for event in events}
            if (
                (in_log or item in case["catalogue"])
                and available is not False
                and (not surface["categories"] or category in surface["categories"])
                and surface["category_caps"].get(category) != 0
                and not holds(case["block"], item, own, segment)
                and holds(case["allow"], item, own, segment) is not False
                and not any(hides(surface, event, user, as_id(item, ids)) for event in events)
            ):
                found.add(as_id(item, ids))
        may[user] = found
    return may


def holds(rows, item, user, segment):
    """Whether the rows that concern a user name an item, None if there are no such rows."""
    mine = [
        row for row in rows or []
        if row[1] == user or (row[2] is not None and row[2] == segment)
        or (row[1] is None and row[2] is None)
    ]  # fmt: skip
    return any(row[0] == item for row in mine) if mine else None


def hides(surface, event, user, item):
    """Whether an event hides an item from a user."""
    default = "always" if EVENTS[event[2]] else "never"
    how = surface["seen"].get(event[2], default)
    hiding = how == "always" or (how != "never" and event[3] < how)
    return hiding and event[:2] == (user, item)


@given(case=CASE)
def test_random_rules_are_what_their_words_say(histories, case):
    """Every user may be shown exactly what a naive reading allows, and lists keep the caps."""
    lake, ids, events = histories[case["history"]]
    tonight = write(lake, ids, case)
    item_ids = items_of(tonight)
    expected = naive(case, ids, events)
    rules, shards = all_rules(tonight, item_ids)
    assert listable_by(rules, shards, item_ids) == expected
    for user, listed in lists_of(rules, item_ids, expected, case["seed"]).items():
        check(listed, expected[user], case, ids)


def lists_of(rules, item_ids, may, seed):
    """Lists that are chosen from everything a user may be shown, by random scores."""
    rng, place = np.random.default_rng(seed), {item: k for k, item in enumerate(item_ids)}
    found = {}
    for user, items in may.items():
        pool = np.array([[place[item] for item in sorted(items)]], dtype=np.int32)
        scores = rng.random(pool.shape).astype(np.float32)
        places = rerank(
            pool, scores, n=rules.surface.n_top, category=rules.category, caps=rules.caps
        )
        found[user] = [item_ids[int(pool[0, k])] for k in places[0] if k >= 0]
    return found


def check(listed, may, case, ids):
    """No rule is broken, nothing stands twice, and no list could be longer."""
    surface = case["surface"]
    category = {as_id(item, ids): row[0] for item, row in case["catalogue"].items()}

    def cap(name):
        usual = surface["max_per_category"] or surface["n_top"]
        return surface["n_top"] if name is None else surface["category_caps"].get(name, usual)

    held = Counter(category.get(item) for item in listed)
    assert all(count <= cap(name) for name, count in held.items())
    assert len(set(listed)) == len(listed)
    assert set(listed) <= may
    there = Counter(category.get(item) for item in may)
    most = sum(min(count, cap(name)) if name else count for name, count in there.items())
    assert len(listed) == min(surface["n_top"], most)
