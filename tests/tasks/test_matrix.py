"""Matrices against a dense computation, whatever the history holds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import HoarfrostError
from models.split import temporal_holdout
from tasks.history import build_history
from tasks.ingest import ingest
from tasks.lake import shard_name
from tasks.matrix import (
    MATRICES,
    build_matrices,
    finished_matrices,
    load_shard,
    write_shard,
)
from tests.tiny_lake import DAY, at, good_rows, night, write_day

N_ITEMS = 6
# places in the vocabulary are not in the order of the ids, as after several nights
VOCABULARY = pl.DataFrame(
    {"item_id": [f"i{n}" for n in (3, 0, 5, 1, 4, 2)], "item": range(N_ITEMS)},
    schema_overrides={"item": pl.Int32},
)
PLACE = dict(VOCABULARY.iter_rows())
START = datetime(2026, 9, 1, tzinfo=UTC)
ENTRY = st.tuples(
    st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0, 0.25, 1]), st.integers(0, 9)
)
HISTORIES = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(sorted(PLACE))), ENTRY, max_size=16
)


def last(is_before):
    """The last event of an entry: before the cut if all of its weight is of that time."""
    return START - timedelta(hours=1) if is_before == 1 else START + timedelta(hours=9)


def history_of(entries):
    """A history shard, sorted as histories are."""
    rows = [
        (user, item, weight, weight * is_before, START + timedelta(hours=hour), last(is_before), 1)
        for (user, item), (weight, is_before, hour) in sorted(entries.items())
    ]
    schema = {
        "user_id": pl.String, "item_id": pl.String, "weight": pl.Float32,
        "weight_before_cut": pl.Float32, "first_seen": pl.Datetime("us", "UTC"),
        "last_seen": pl.Datetime("us", "UTC"), "n_events": pl.UInt32,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def dense(entries, users, column):
    """Users x items of one column: weight, weight before the cut, or hour."""
    X = np.zeros((len(users), N_ITEMS))
    for (user, item), entry in entries.items():
        values = (entry[0], entry[0] * entry[1], entry[2])
        X[users.index(user), PLACE[item]] = values[column]
    return X


@settings(max_examples=25)
@given(HISTORIES)
def test_every_matrix_is_that_of_a_dense_computation(tmp_path_factory, entries):
    """Weights at their places, the held-out items by the split, nothing else."""
    place = tmp_path_factory.mktemp("shards")
    (place / shard_name(0)).mkdir()
    counts = write_shard(place / shard_name(0), history_of(entries), VOCABULARY, START, 0.5)
    shard = load_shard(place, 0)
    users = sorted({user for user, _ in entries})
    assert shard.users.to_list() == users
    weight, before, hour = (dense(entries, users, column) for column in range(3))
    indptr = np.arange(len(users) + 1) * N_ITEMS
    shown, asked = (
        mask.reshape(weight.shape)
        for mask in temporal_holdout(
            indptr, weight.ravel(), before.ravel(), hour.ravel().astype(np.int64), fold_in_share=0.5
        )
    )
    expected = {
        "full": weight,
        "train": before,
        "fold_in": np.where(shown, np.where(before > 0, before, weight), 0.0),
        "target": np.where(asked, weight, 0.0),
    }
    for name in MATRICES:
        np.testing.assert_array_equal(getattr(shard, name).toarray(), expected[name], err_msg=name)
    back, judged = (weight > before).any(axis=1), asked.any(axis=1)
    sizes = len(users), np.count_nonzero(weight), judged.sum(), (back & ~judged).sum()
    assert counts == sizes


@settings(max_examples=15)
@given(HISTORIES)
def test_arrays_are_canonical(tmp_path_factory, entries):
    """Sorted, without zeros or repeats, float32, one index type: what every reader expects."""
    place = tmp_path_factory.mktemp("shards")
    (place / shard_name(0)).mkdir()
    write_shard(place / shard_name(0), history_of(entries), VOCABULARY, START, 0.8)
    shard = load_shard(place, 0)
    for X in (getattr(shard, name) for name in MATRICES):
        assert X.has_canonical_format
        assert (X.data > 0).all()
        assert X.data.dtype == np.float32
        assert X.indices.dtype == X.indptr.dtype
        assert X.shape == (len(shard.users), N_ITEMS)


def test_arrays_cannot_be_written_to(tmp_path):
    """They are the files; a careless reader must not change them."""
    write_day(tmp_path, good_rows())
    tonight = night(tmp_path, history={"n_user_shards": 1})
    build_matrices(tonight, build_history(tonight, ingest(tonight)))
    X = load_shard(tonight.step("matrices"), 0).full
    with pytest.raises(ValueError, match="read-only"):
        X.data[0] = 9.0


def test_shards_hold_every_user_once(tmp_path):
    """However many there are, more than users included: then some are empty."""
    for n_shards in (1, 3, 11):
        lake = tmp_path / str(n_shards)
        write_day(lake, [(f"u{n}", f"i{n % 3}", "view", at(n)) for n in range(7)])
        tonight = night(lake, history={"n_user_shards": n_shards})
        manifest = build_matrices(tonight, build_history(tonight, ingest(tonight)))
        shards = [load_shard(tonight.step("matrices"), n) for n in range(manifest.n_shards)]
        users = [user for shard in shards for user in shard.users]
        assert sorted(users) == [f"u{n}" for n in range(7)]
        assert (manifest.n_shards, manifest.n_users, manifest.n_items) == (n_shards, 7, 3)
        assert sum(shard.full.nnz for shard in shards) == manifest.n_interactions == 7
        assert all(shard.full.shape == (len(shard.users), 3) for shard in shards)


def test_night_without_matrices_says_so(tmp_path):
    """Training alone on a lake without a night gets a sentence."""
    with pytest.raises(HoarfrostError, match=f"the night of {DAY} has no matrices"):
        finished_matrices(night(tmp_path))


def test_finished_matrices_are_those_that_were_built(tmp_path):
    """The manifest is read back as it was."""
    write_day(tmp_path, good_rows())
    tonight = night(tmp_path)
    manifest = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    assert finished_matrices(tonight) == manifest
