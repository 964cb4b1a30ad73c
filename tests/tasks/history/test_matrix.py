"""Matrices against a dense computation, whatever the history holds."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import HoarfrostError, TooLittleDataError
from models.event.pair import Pairs
from models.split.split import temporal_holdout
from tasks.history.history import build_history
from tasks.history.history_shard import HistoryShard
from tasks.history.matrix import build_matrices, finished_matrices, write_shard
from tasks.history.matrix_shard import load_shard, save_shard
from tasks.history.row_values import all_rows, training_rows
from tasks.ingest.ingest import ingest
from tasks.lake import shard_name
from tests.tiny_lake import DAY, at, good_rows, night, write_day

MATRICES = ("full", "train", "fold_in", "target")
N_ITEMS = 6
# places in the vocabulary are not in the order of the ids, as after several nights
PLACE = {f"i{n}": place for place, n in enumerate((3, 0, 5, 1, 4, 2))}
ENTRY = st.tuples(
    st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0, 0.25, 1]), st.integers(0, 9)
)
HISTORIES = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(sorted(PLACE))), ENTRY, max_size=16
)


def last(is_before):
    """The last event of an entry: before the cut if all of its weight is of that time."""
    return -1 if is_before == 1 else 9


def history_of(entries):
    """A history shard with the vocabulary's indices; moments are hours from the cut."""
    users = sorted({user for user, _ in entries})
    pairs = sorted(entries.items(), key=lambda entry: (entry[0][0], PLACE[entry[0][1]]))
    sizes = [sum(user == each for (each, _), _ in pairs) for user in users]
    weight = np.array([weight for _, (weight, _, _) in pairs], np.float32)
    share = np.array([is_before for _, (_, is_before, _) in pairs], np.float32)
    return HistoryShard(
        pl.Series("user_id", users, dtype=pl.String),
        Pairs(
            indptr=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            item=np.array([PLACE[item] for (_, item), _ in pairs], np.int32),
            weight=weight,
            weight_before_cut=weight * share,
            first_seen=np.array([hour for _, (_, _, hour) in pairs], np.int64),
            last_seen=np.array([last(is_before) for _, (_, is_before, _) in pairs], np.int64),
            n_events=np.ones(len(pairs), np.uint32),
        ),
    )


def written(place, entries, share):
    """Write the matrices of a shard."""
    (place / shard_name(0)).mkdir()
    return write_shard(
        place / shard_name(0), history_of(entries), N_ITEMS, cut=0, fold_in_share=share
    )


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
    counts = written(place, entries, 0.5)
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
    assert shard.n_before.tolist() == (before > 0).sum(axis=1).tolist()
    back, judged = (weight > before).any(axis=1), asked.any(axis=1)
    sizes = len(users), np.count_nonzero(weight), judged.sum(), (back & ~judged).sum()
    assert counts == sizes


@settings(max_examples=15)
@given(HISTORIES)
def test_arrays_are_canonical(tmp_path_factory, entries):
    """Sorted, without zeros or repeats, float32, one index type: what every reader expects."""
    place = tmp_path_factory.mktemp("shards")
    written(place, entries, 0.8)
    shard = load_shard(place, 0)
    for X in (getattr(shard, name) for name in MATRICES):
        assert X.has_canonical_format
        assert (X.data > 0).all()
        assert X.data.dtype == np.float32
        assert X.indices.dtype == X.indptr.dtype
        assert X.shape == (len(shard.users), N_ITEMS)


@settings(max_examples=25)
@given(HISTORIES, st.sets(st.sampled_from("abcd")))
def test_some_users_have_the_rows_they_had(tmp_path_factory, entries, gone):
    """In all matrices, and once these are written and opened again."""
    place = tmp_path_factory.mktemp("shards")
    written(place, entries, 0.5)
    shard = load_shard(place, 0)
    kept = ~shard.users.is_in(gone).to_numpy()
    (place / shard_name(1)).mkdir()
    save_shard(place / shard_name(1), shard.of_users(kept))
    again = load_shard(place, 1)
    assert again.users.to_list() == shard.users.filter(pl.Series(kept)).to_list()
    for name in MATRICES:
        before, after = getattr(shard, name).toarray(), getattr(again, name).toarray()
        np.testing.assert_array_equal(after, before[kept], err_msg=name)
        assert getattr(again, name).indices.dtype == getattr(shard, name).indices.dtype


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


def test_what_has_too_little_support_teaches_nothing(tmp_path):
    """Its users keep their rows in the tables' matrices; a night without support says so."""
    rows = [("ann", "tea"), ("bob", "tea"), ("bob", "cup"), ("cid", "cup"), ("cid", "pot")]
    yesterday = DAY - timedelta(days=1)
    write_day(tmp_path, [(*row, "view", at(1, yesterday)) for row in rows], day=yesterday)
    write_day(tmp_path, [("dan", "tea", "view", at(1))])
    asked = {"training": {"min_users_per_item": 2, "min_items_per_user": 2}}
    tonight = night(tmp_path, **asked)
    matrices = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    assert training_rows(tonight, matrices).nnz == all_rows(tonight, matrices).nnz == 2
    assert (matrices.n_users, matrices.n_interactions) == (4, 6)
    lenient = night(tmp_path)
    assert (training_rows(lenient, matrices).nnz, all_rows(lenient, matrices).nnz) == (5, 6)
    strict = night(tmp_path, training={"min_users_per_item": 9})
    with pytest.raises(TooLittleDataError, match="min_users_per_item 9 and min_items_per_user 1"):
        training_rows(strict, matrices)
