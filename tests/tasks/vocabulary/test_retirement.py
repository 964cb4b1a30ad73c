"""Tombstones: who retires, who comes back, and that no table names the retired."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.manifests import HistoryManifest, Weighing
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.ingest.ingest import ingest
from tasks.lists.eligibility import available_mask
from tasks.lists.rules import load_rules
from tasks.vocabulary.retirement import retire_items, retired_mask, retired_since
from tasks.vocabulary.universe import item_universe
from tasks.vocabulary.vocabulary import extend_vocabulary, last_vocabulary, read_vocabulary
from tests.night_steps import leave
from tests.tiny_lake import DAY, at, night, write_day
from tests.tiny_night import run_night

WINDOW = 2  # days


def later(n):
    """The run date n days on."""
    return DAY + timedelta(days=n)


def build(lake, n, items, **sections):
    """Run the night of a day on which somebody met these items, up to its matrices."""
    rows = [("ann", item, "view", at(1 + k / 99, later(n))) for k, item in enumerate(items)]
    if not (lake / "interactions" / f"date={later(n)}").exists():
        write_day(lake, rows, day=later(n))
    tonight = night(lake, later(n), **({"history": {"window_days": WINDOW}} | sections))
    build_matrices(tonight, build_history(tonight, ingest(tonight)))
    return tonight


def retired(tonight):
    """Ids of the retired items and the day they retired on, counted from DAY."""
    words = read_vocabulary(tonight.lake)["item_id"]
    since = retired_since(tonight, len(words))
    days = (since - np.datetime64(DAY)).astype(int)
    return {words[int(k)]: int(days[k]) for k in np.flatnonzero(~np.isnat(since))}


def list_items(lake, ids):
    """Write the catalogue."""
    (lake / "items").mkdir(exist_ok=True)
    pl.DataFrame({"item_id": ids}).write_parquet(lake / "items" / "items.parquet")


def test_an_item_retires_with_its_last_event_and_comes_back_under_its_index(tmp_path):
    """Day by day, in a window of two days."""
    met = [["dead", "live"], ["live"], ["live"], ["live"], ["dead", "live"]]
    nights = [build(tmp_path, n, items) for n, items in enumerate(met)]
    assert [retired(each) for each in nights] == [{}, {}, {"dead": 2}, {"dead": 2}, {}]
    counts = [last_vocabulary(tmp_path, each.run_date) for each in nights]
    assert [(each.retired, each.newly_retired, each.revived) for each in counts] == [
        (0, 0, 0), (0, 0, 0), (1, 1, 0), (1, 0, 0), (0, 0, 1),
    ]  # fmt: skip
    assert read_vocabulary(tmp_path)["item_id"].to_list() == ["dead", "live"]


@settings(max_examples=15)
@given(data=st.data())
def test_retired_is_who_has_no_event_and_no_line_in_the_catalogue(tmp_path_factory, data):
    """Whatever is met and listed in five nights; since the first of which that is true."""
    lake, some = tmp_path_factory.mktemp("lake"), st.sets(st.sampled_from("abcde"), min_size=1)
    since, known = {}, set()
    for n in range(5):
        met, catalogue = data.draw(some), data.draw(some)
        list_items(lake, sorted(catalogue))
        tonight, known = night(lake, later(n)), known | met
        leave(tonight, HistoryManifest(
            step="history", run_date=later(n), key=str(n), parts=(), time_zone="UTC",
            weighing=Weighing(events={}, max_weight=1.0, max_user_weight=None, half_life_days=None,
                              end=0, cut=0),
            duplicates=0, user_id_type="string", item_id_type="string", n_user_shards=1,
        ))  # fmt: skip
        n_items = extend_vocabulary(lake, pl.Series(sorted(met))).height
        retire_items(tonight, n_items, pl.Series(sorted(met)))
        since = {item: since.get(item, n) for item in known - met - catalogue}
        assert retired(tonight) == since
        assert last_vocabulary(lake).retired == len(since)


def test_a_night_that_is_run_again_says_the_same(tmp_path):
    """In place, and with its files gone; later nights play no part."""
    for n, items in enumerate([["dead", "live"], ["live"], ["live"], ["dead"]]):
        tonight = build(tmp_path, n, items)
    assert retired(tonight) == {}
    old = night(tmp_path, later(2), history={"window_days": WINDOW})
    before = last_vocabulary(tmp_path, later(2))
    assert retired(old) == {"dead": 2}
    (old.step("vocabulary") / "changes.parquet").unlink()
    assert retire_items(old, 2) == before
    assert retired(old) == {"dead": 2}
    build(tmp_path, 2, ["live"])
    assert last_vocabulary(tmp_path, later(2)) == before


def test_a_catalogue_that_changed_since_the_matrices_counts(tmp_path):
    """What it lists now is not retired, what it dropped is."""
    list_items(tmp_path, ["dead"])
    for n in range(3):
        tonight = build(tmp_path, n, ["live", *(["dead"] if n == 0 else [])])
    assert retired(tonight) == {}
    list_items(tmp_path, ["live"])
    assert retire_items(tonight, 2).newly_retired == 1
    assert retired(tonight) == {"dead": 2}
    list_items(tmp_path, ["dead"])
    assert retire_items(tonight, 2).retired == 0
    assert retired(tonight) == {}


def test_integer_ids_retire_alike(tmp_path):
    """With a catalogue of integers."""
    list_items(tmp_path, [2])
    for n, items in enumerate([[1, 2, 3], [3], [3]]):
        rows = [("ann", item, "view", at(1, later(n))) for item in items]
        schema = {"user_id": pl.String, "item_id": pl.Int64, "event_type": pl.String,
                  "timestamp": pl.Datetime("us", "UTC")}  # fmt: skip
        write_day(tmp_path, rows, day=later(n), schema=schema)
        tonight = night(tmp_path, later(n), history={"window_days": WINDOW})
        build_matrices(tonight, build_history(tonight, ingest(tonight)))
    assert retired(tonight) == {1: 2}


def test_a_retired_item_is_neither_eligible_nor_available(tmp_path):
    """An item that only the catalogue knows is both."""
    list_items(tmp_path, ["live", "new"])
    for n, items in enumerate([["dead", "live"], ["live"], ["live"]]):
        tonight = build(tmp_path, n, items)
    matrices = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    ids = item_universe(tonight, matrices)
    assert ids.to_list() == ["dead", "live", "new"]
    assert retired_mask(tonight, 2).tolist() == [True, False]
    assert available_mask(tonight, ids).tolist() == [False, True, True]
    surface = next(iter(tonight.config.surfaces))
    assert load_rules(tonight, surface, ids).eligible.tolist() == [[False, True, True]]


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory):
    """The first night's model knows items that nobody meets in the window of the second."""
    lake = tmp_path_factory.mktemp("shop")
    rng, users = np.random.default_rng(3), [f"u{k:02d}" for k in range(40)]
    for n, items in ((0, range(12)), (1, range(12)), (5, range(8)), (6, range(8))):
        rows = [
            (user, f"i{item:02d}", "view", at(1 + n_th, later(n)))
            for user in users
            for n_th, item in enumerate(rng.choice(items, 5, replace=False))
        ]
        write_day(lake, rows, day=later(n))
    sections = {
        "history": {"window_days": WINDOW}, "model": {"n_factors": 4, "n_epochs": 2},
        "surfaces": {"home": {"n_top": 12}}, "interactions": {"look_back_days": 9},
    }  # fmt: skip
    promoting = night(lake, later(1), gate={"unjudged": "promote"}, **sections)
    holding = night(lake, later(6), **sections)
    first = run_night(promoting)
    return run_night(holding), holding, first


def names(tonight, table, *columns):
    """Every item that a table names."""
    rows = pl.scan_parquet(tonight.step("materialise") / table / "**" / "*.parquet")
    return set(pl.concat(rows.select(pl.col(c)).collect()[c].rename("i") for c in columns))


@pytest.mark.slow
def test_no_table_names_a_retired_item(two_nights):
    """Though the champion is the model of the first night, which knows them all."""
    report, tonight, first = two_nights
    assert report.champion_version == first.champion_version
    gone = {f"i{k:02d}" for k in range(8, 12)}
    assert set(retired(tonight)) == gone
    assert names(tonight, "similar_items", "item_id", "similar_item_id") == {
        f"i{k:02d}" for k in range(8)
    }
    assert not gone & names(tonight, "item_embeddings", "item_id")
    listed = names(tonight, "top_n", "item_id", "because_item_id")
    assert listed
    assert not gone & listed
    before = tonight.model_copy(update={"run_date": later(1)})
    assert gone <= names(before, "similar_items", "item_id", "similar_item_id")
    assert gone <= names(before, "top_n", "item_id")
