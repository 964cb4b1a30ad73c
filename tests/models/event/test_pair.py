"""What events add up to, against the same in plain Python."""

from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from models.event.event_log import marked_by_user
from models.event.pair import Decay, add_up, csr_of, weighted
from tests.event_rows import N_ITEMS, N_USERS, ROWS, events_of

HALF_LIFE = 10.0
DECAY = Decay(np.array([0.0, 0.1, 0.4]), 10.0, end=100, half_life=HALF_LIFE, cut=60)


@settings(max_examples=60)
@given(ROWS, st.randoms())
def test_sums_are_those_of_a_loop_and_do_not_depend_on_order(rows, draw):
    """Weights, first, last, number; bit for bit in any order."""
    pairs = add_up(events_of(rows), N_USERS, DECAY)
    weights, before, moments = defaultdict(float), defaultdict(float), defaultdict(list)
    for user, item, kind, moment in rows:
        part = DECAY.shares[kind] * 0.5 ** ((100 - moment) / HALF_LIFE) * DECAY.cap
        weights[user, item] += part
        before[user, item] += part * (moment < DECAY.cut)
        moments[user, item].append(moment)
    keys = sorted(moments)
    users = np.repeat(np.arange(N_USERS), np.diff(pairs.indptr))
    assert list(zip(users.tolist(), pairs.item.tolist(), strict=True)) == keys
    assert pairs.weight == pytest.approx([min(weights[k], 10.0) for k in keys], abs=1e-6)
    assert pairs.weight_before_cut == pytest.approx([min(before[k], 10.0) for k in keys], abs=1e-6)
    assert pairs.first_seen.tolist() == [min(moments[k]) for k in keys]
    assert pairs.last_seen.tolist() == [max(moments[k]) for k in keys]
    assert pairs.n_events.tolist() == [len(moments[k]) for k in keys]
    shuffled = draw.sample(rows, len(rows))
    again = add_up(events_of(shuffled), N_USERS, DECAY)
    for one, other in zip(pairs[:7], again[:7], strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_user_of_too_much_weight_is_scaled_down():
    """All their weights alike, so that they sum to the cap; others are left alone."""
    rows = [(0, 0, 2, 99), (0, 1, 1, 99), (1, 0, 1, 99)]
    free = add_up(events_of(rows), 2, DECAY)
    capped = add_up(events_of(rows), 2, DECAY._replace(user_cap=2.0))
    assert capped.weight[:2].sum() == pytest.approx(2.0)
    assert capped.weight[0] / capped.weight[1] == pytest.approx(free.weight[0] / free.weight[1])
    assert capped.weight[2] == free.weight[2]
    assert capped.weight_before_cut.tolist() == [0.0, 0.0, 0.0]


@settings(max_examples=60)
@given(ROWS)
def test_the_value_of_the_last_event_is_that_of_the_pair(rows):
    """By moment and kind; of equal events the last given."""
    value = np.arange(len(rows), dtype=np.float32)
    pairs = add_up(events_of(rows), N_USERS, DECAY, value)
    last = {}
    for k in sorted(range(len(rows)), key=lambda k: (rows[k][3], rows[k][2])):
        last[rows[k][:2]] = float(k)
    assert pairs.value is not None
    assert pairs.value.tolist() == [last[pair] for pair in sorted(last)]


@settings(max_examples=60)
@given(ROWS)
def test_entries_without_a_weight_can_be_left_out(rows):
    """All of their columns, and of no other."""
    pairs = add_up(events_of(rows), N_USERS, DECAY, np.arange(len(rows), dtype=np.float32))
    some = weighted(pairs)
    taken = pairs.weight > 0
    user = np.repeat(np.arange(N_USERS), np.diff(pairs.indptr))[taken]
    assert np.repeat(np.arange(N_USERS), np.diff(some.indptr)).tolist() == user.tolist()
    for before, after in zip(pairs[1:], some[1:], strict=True):
        assert after.tolist() == before[taken].tolist()


@settings(max_examples=60)
@given(ROWS, st.data())
def test_some_entries_as_arrays_of_a_matrix(rows, data):
    """What scipy makes of the same entries, and how many of them each user has."""
    pairs = add_up(events_of(rows), N_USERS, DECAY)
    nnz = len(pairs.item)
    marks = data.draw(st.lists(st.booleans(), min_size=nnz, max_size=nnz))
    taken, user = np.array(marks, bool), np.repeat(np.arange(N_USERS), np.diff(pairs.indptr))
    some = pairs.n_events[taken].astype(np.float32), (user[taken], pairs.item[taken])
    expected = sp.csr_array(some, shape=(N_USERS, N_ITEMS))
    ends, indices, data_of = csr_of(
        pairs.indptr, pairs.item, pairs.n_events.astype(np.float32), taken
    )
    assert ends.dtype == indices.dtype == np.int32
    np.testing.assert_array_equal(ends, expected.indptr)
    np.testing.assert_array_equal(indices, expected.indices)
    np.testing.assert_array_equal(data_of, expected.data)
    np.testing.assert_array_equal(marked_by_user(pairs.indptr, taken), np.diff(expected.indptr))
