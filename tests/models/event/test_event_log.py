"""Events in order, repeats and fates, against the same in plain Python."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.event.event_key import keys_of_integers, keys_of_strings
from models.event.event_log import (
    Files,
    fates_by_file,
    in_order,
    repeats,
    rows_that_stand,
    users_of,
)
from tests.event_rows import N_USERS, ROWS, events_of


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


def test_keys_are_the_same_for_ever_and_never_zero():
    """They lie in the state of lakes: another value would tell every event again."""
    text = "".join(["a", "", "event-1"]).encode()
    keys = keys_of_strings(np.frombuffer(text, np.uint8), np.array([0, 1, 1, 8]))
    assert keys.tolist() == [198367012849983736, 17665956581633026203, 9583959872545368098]
    numbers = keys_of_integers(np.array([0, 1, -1]))
    assert numbers.tolist() == [16294208416658607535, 10451216379200822465, 16490336266968443936]
    assert len({*keys.tolist(), *numbers.tolist()}) == 6
