"""Events in order, repeats, and what they add up to, against the same in plain Python."""

from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from models.event.event_key import keys_of_integers, keys_of_strings
from models.event.event_log import (
    Decay,
    Events,
    Files,
    add_up,
    csr_of,
    fates_by_file,
    in_order,
    last_values,
    marked_by_user,
    relabelled,
    repeats,
    rows_that_stand,
    users_of,
)

N_USERS, N_ITEMS, HALF_LIFE = 4, 5, 10.0
DECAY = Decay(np.array([0.0, 0.1, 0.4]), 10.0, end=100, half_life=HALF_LIFE, cut=60)
ROW = st.tuples(
    st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 2), st.integers(0, 99)
)
ROWS = st.one_of(
    st.lists(ROW, max_size=40),
    st.lists(st.tuples(st.just(1), st.integers(0, 1), st.integers(0, 2), st.integers(0, 99)),
             min_size=30, max_size=90),
)  # fmt: skip


def events_of(rows):
    """Arrays of the types that ingest writes."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    user, item, kind, moment = columns
    return Events(user.astype(np.uint32), item.astype(np.uint32), kind.astype(np.uint8), moment)


def everything(rows):
    """One mark per row."""
    return np.ones(len(rows), bool)


@settings(max_examples=60)
@given(ROWS)
def test_rows_come_by_user_item_moment_and_kind(rows):
    """As a stable sort has them, however many one user has."""
    order = in_order(events_of(rows), N_USERS)
    expected = sorted(
        range(len(rows)), key=lambda k: (rows[k][0], rows[k][1], rows[k][3], rows[k][2])
    )
    assert order.row.tolist() == expected
    assert users_of(order).tolist() == [rows[k][0] for k in expected]
    assert order.moment.tolist() == [rows[k][3] for k in expected]


@settings(max_examples=60)
@given(ROWS, st.data())
def test_of_equal_rows_the_first_taken_one_counts(rows, data):
    """A row that takes no part repeats nothing and is repeated by nothing."""
    taken = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), bool
    )
    order = in_order(events_of(rows), N_USERS)
    repeated = repeats(order, taken[order.row] if len(rows) else taken)
    seen, expected = set(), set()
    for k, row in enumerate(rows):
        if taken[k] and row in seen:
            expected.add(k)
        elif taken[k]:
            seen.add(row)
    assert {int(order.row[place]) for place in np.flatnonzero(repeated)} == expected


@settings(max_examples=60)
@given(ROWS, st.data())
def test_every_row_has_one_fate_and_it_is_counted_by_file(rows, data):
    """Replaced before old, repeated before a bot's; what is none of these is kept."""
    n_files, start, order = 3, 40, in_order(events_of(rows), N_USERS)
    marks = st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))
    sources = st.lists(st.integers(0, n_files - 1), min_size=len(rows), max_size=len(rows))
    source, is_bot = data.draw(sources), data.draw(marks)
    files = Files(np.array(source, np.uint32), np.array([False, True, False]))
    taken = rows_that_stand(order, files, start)
    stands = [source[k] != 1 and rows[k][3] >= start for k in order.row]
    assert taken.tolist() == stands
    repeated = repeats(order, taken)
    bots = np.array(is_bot, bool)[order.row] & taken & ~repeated if rows else taken
    kept, counts = fates_by_file(order, files, taken, repeated, bots)
    expected = np.zeros((n_files, 4), int)
    for place, k in enumerate(order.row):
        if source[k] == 1:
            fate = 0
        elif not stands[place] or bots[place]:
            fate = 1
        else:
            fate = 2 if repeated[place] else 3
        expected[source[k], fate] += 1
        assert kept[place] == (fate == 3)
    assert counts.tolist() == expected.tolist()


@settings(max_examples=60)
@given(ROWS, st.data())
def test_some_entries_as_arrays_of_a_matrix(rows, data):
    """What scipy makes of the same entries, and how many of them each user has."""
    order = in_order(events_of(rows), N_USERS)
    pairs = add_up(order, everything(rows), DECAY)
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


@settings(max_examples=60)
@given(ROWS, st.data())
def test_rows_with_a_key_are_told_apart_by_it_alone(rows, data):
    """Of a user's rows with one key the earliest counts; no key means the row itself."""
    keys = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    order = in_order(events_of(rows), N_USERS)
    repeated = repeats(order, everything(rows), np.array(keys, np.uint64)[order.row])
    left = defaultdict(list)
    for place in np.flatnonzero(~repeated):
        k = int(order.row[place])
        left[rows[k][0], keys[k] or rows[k]].append(rows[k][3])
    assert all(len(moments) == 1 for moments in left.values())
    wanted = {(row[0], key or row) for row, key in zip(rows, keys, strict=True)}
    assert set(left) == wanted
    for (user, key), (moment,) in left.items():
        if not isinstance(key, tuple):
            assert moment == min(
                r[3] for r, k in zip(rows, keys, strict=True) if (r[0], k) == (user, key)
            )


def test_a_key_tells_one_event_if_it_comes_again_soon_enough():
    """After the one before, and not after the first."""
    rows = [(0, item, 0, moment) for item, moment in enumerate((10, 14, 18, 30))]
    order, key = in_order(events_of(rows), 1), np.full(4, 7, np.uint64)
    for within, repeated in ((None, 3), (12, 3), (11, 2), (4, 2), (3, 0)):
        found = repeats(order, everything(rows), key, within=within)
        assert (found.sum(), found[0]) == (repeated, False)


@settings(max_examples=60)
@given(ROWS, st.randoms())
def test_sums_are_those_of_a_loop_and_do_not_depend_on_order(rows, draw):
    """Weights, first, last, number; bit for bit in any order."""
    order = in_order(events_of(rows), N_USERS)
    pairs = add_up(order, everything(rows), DECAY)
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
    again = add_up(in_order(events_of(shuffled), N_USERS), everything(rows), DECAY)
    for one, other in zip(pairs[:7], again[:7], strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_user_of_too_much_weight_is_scaled_down():
    """All their weights alike, so that they sum to the cap; others are left alone."""
    rows = [(0, 0, 2, 99), (0, 1, 1, 99), (1, 0, 1, 99)]
    free = add_up(in_order(events_of(rows), 2), everything(rows), DECAY)
    capped = add_up(in_order(events_of(rows), 2), everything(rows), DECAY._replace(user_cap=2.0))
    assert capped.weight[:2].sum() == pytest.approx(2.0)
    assert capped.weight[0] / capped.weight[1] == pytest.approx(free.weight[0] / free.weight[1])
    assert capped.weight[2] == free.weight[2]
    assert capped.weight_before_cut.tolist() == [0.0, 0.0, 0.0]


def test_the_last_value_of_a_pair_is_kept():
    """By time, whatever the order of rows."""
    rows = [(0, 1, 1, 50), (0, 1, 1, 20), (0, 0, 1, 70), (1, 1, 1, 5)]
    order = in_order(events_of(rows), 2)
    value = np.array([5.0, 1.0, 3.0, 2.0], np.float32)[order.row]
    assert last_values(order, everything(rows), value).tolist() == [3.0, 5.0, 2.0]
    kept = order.row != 0
    assert last_values(order, kept, value).tolist() == [3.0, 1.0, 2.0]


def test_items_get_other_labels_and_rows_their_order():
    """Every column moves along."""
    rows = [(0, 0, 1, 10), (0, 1, 2, 20), (0, 2, 1, 30), (1, 2, 1, 40)]
    order = in_order(events_of(rows), 2)
    pairs = add_up(order, everything(rows), DECAY)._replace(value=np.arange(4, dtype=np.float32))
    moved = relabelled(pairs, np.array([7, 3, 5], np.int32))
    assert moved.item.tolist() == [3, 5, 7, 5]
    assert moved.first_seen.tolist() == [20, 30, 10, 40]
    assert moved.value is not None
    assert moved.value.tolist() == [1.0, 2.0, 0.0, 3.0]


def test_keys_are_the_same_for_ever_and_never_zero():
    """They lie in the state of lakes: another value would tell every event again."""
    text = "".join(["a", "", "event-1"]).encode()
    keys = keys_of_strings(np.frombuffer(text, np.uint8), np.array([0, 1, 1, 8]))
    assert keys.tolist() == [198367012849983736, 17665956581633026203, 9583959872545368098]
    numbers = keys_of_integers(np.array([0, 1, -1]))
    assert numbers.tolist() == [16294208416658607535, 10451216379200822465, 16490336266968443936]
    assert len({*keys.tolist(), *numbers.tolist()}) == 6
