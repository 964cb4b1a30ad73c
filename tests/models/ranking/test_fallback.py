"""What fills lists up: no rule is broken, no place stays empty that could be filled."""

from inspect import unwrap

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.ranking.fallback import fill, short_reasons

CODE = 3


@st.composite
def rules(draw) -> dict:
    """Draw small worlds in which every rule binds now and then."""
    n_users, n_items = draw(st.integers(0, 5)), draw(st.integers(1, 9))
    n_groups, n_categories = draw(st.integers(1, 3)), draw(st.integers(0, 3))

    def entries():
        X = draw(arrays(np.float32, (n_users, n_items), elements=st.sampled_from([0.0, 0.0, 1.0])))
        X[draw(arrays(np.bool_, n_users))] = 0.0
        return sp.csr_array(X)

    return {
        "eligible": draw(
            arrays(np.bool_, (n_groups, n_items), elements=st.sampled_from([1, 1, 0]))
        ),
        "group": draw(arrays(np.int32, n_users, elements=st.integers(0, n_groups - 1))),
        "hidden": entries(),
        "allowed": draw(st.sampled_from([None, True])) and entries(),
        "category": draw(arrays(np.int32, n_items, elements=st.integers(-1, n_categories - 1))),
        "caps": draw(arrays(np.int32, n_categories, elements=st.integers(0, 3))),
    }


def may(world: dict, user: int) -> np.ndarray:
    """Return what a user may be shown, whatever else is listed."""
    listable = world["eligible"][world["group"][user]] & ~world["hidden"].toarray()[user].astype(
        bool
    )
    if world["allowed"] is not None and world["allowed"].toarray()[user].any():
        listable = listable & world["allowed"].toarray()[user].astype(bool)
    return listable


def greedy(world: dict, user: int, taken: list[int], offered, n: int) -> list[int]:
    """Append one offered item after another that no rule forbids."""
    listable, category = may(world, user), world["category"]
    row = list(taken)
    for item in offered:
        same = sum(category[other] == category[item] for other in row)
        room = category[item] < 0 or same < world["caps"][category[item]]
        if item >= 0 and listable[item] and item not in row and room and len(row) < n:
            row.append(int(item))
    return row


def begun(world: dict, draw, n: int) -> np.ndarray:
    """Return lists that a model began, keeping the rules, -1 where it knew no more."""
    n_users, n_items = world["hidden"].shape
    items = np.full((n_users, n), -1, np.int32)
    for user in range(n_users):
        offered = draw(st.permutations(range(n_items)))[: draw(st.integers(0, n))]
        row = greedy(world, user, [], offered, n)
        items[user, : len(row)] = row
    return items


@given(world=rules(), n=st.integers(0, 6), patience=st.sampled_from([0, 1, 100]), data=st.data())
def test_fills_as_one_item_after_another_would(world, n, patience, data):
    """Items, scores and sources are those of a plain loop; what was there stays."""
    n_users, n_items = world["hidden"].shape
    n_lists, m = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 12))
    order = data.draw(arrays(np.int32, (n_lists, m), elements=st.integers(-1, n_items - 1)))
    order_scores = np.arange(n_lists * m, dtype=np.float32).reshape(n_lists, m)
    row_order = data.draw(arrays(np.int32, n_users, elements=st.integers(0, n_lists - 1)))
    items = begun(world, data.draw, n)
    before = items.copy()
    scores = np.where(items >= 0, np.float32(0.5), np.float32(np.nan))
    source = np.zeros(items.shape, np.int8)
    fill(
        items, scores, source, order=order, order_scores=order_scores, code=CODE,
        row_order=row_order, patience=patience, **world,
    )  # fmt: skip
    for user in range(n_users):
        mine, length = order[row_order[user]], int((before[user] >= 0).sum())
        expected = greedy(world, user, before[user, :length].tolist(), mine, n)
        assert items[user].tolist() == expected + [-1] * (n - len(expected))
        first = [mine.tolist().index(item) for item in expected[length:]]
        np.testing.assert_array_equal(
            scores[user, length : len(expected)], order_scores[row_order[user], first]
        )
        assert (scores[user, :length] == 0.5).all()
        assert np.isnan(scores[user, len(expected) :]).all()
        assert (source[user] == np.where(np.arange(n) < length, 0, CODE))[: len(expected)].all()


@given(world=rules(), n=st.integers(1, 6), data=st.data())
def test_a_list_of_everything_leaves_only_true_reasons(world, n, data):
    """With all items offered a list is short only if no list could be whole."""
    n_users, n_items = world["hidden"].shape
    items = begun(world, data.draw, n)
    everything = np.arange(n_items, dtype=np.int32)[None]
    fill(
        items, np.zeros(items.shape, np.float32), np.zeros(items.shape, np.int8), order=everything,
        order_scores=np.zeros(everything.shape, np.float32), code=CODE,
        row_order=np.zeros(n_users, np.int32), **world,
    )  # fmt: skip
    reasons = short_reasons(items, **world)
    np.testing.assert_array_equal(reasons >= 0, items[:, -1] < 0)
    assert not (reasons == 4).any()


@given(world=rules(), n=st.integers(1, 6), data=st.data())
def test_reasons_are_the_first_that_is_true(world, n, data):
    """Counted afresh from dense matrices, one rule after the other."""
    items = begun(world, data.draw, n)
    expected = []
    for user in range(len(items)):
        if items[user, -1] >= 0:
            expected.append(-1)
            continue
        eligible = world["eligible"][world["group"][user]]
        own = eligible
        if world["allowed"] is not None and world["allowed"].toarray()[user].any():
            own = eligible & world["allowed"].toarray()[user].astype(bool)
        left = may(world, user)
        category = world["category"][left]
        under = sum(min((category == c).sum(), cap) for c, cap in enumerate(world["caps"]))
        counts = [eligible.sum(), own.sum(), left.sum(), under + (category < 0).sum(), -1]
        expected.append(next(place for place, count in enumerate(counts) if count < n))
    reasons = short_reasons(items, **world)
    assert reasons.tolist() == expected
    assert reasons.dtype == np.int8


def one_user(**changed) -> dict:
    """Return a world of one user and four items without rules, and what is filled into it."""
    return {
        "order": np.arange(4, dtype=np.int32)[None], "order_scores": np.ones((1, 4), np.float32),
        "code": CODE, "eligible": np.ones((1, 4), bool), "group": np.zeros(1, np.int32),
        "hidden": sp.csr_array((1, 4), dtype=np.float32), "allowed": None,
        "category": np.full(4, -1, np.int32), "caps": np.zeros(0, np.int32),
        "row_order": np.zeros(1, np.int32),
    } | changed  # fmt: skip


def test_entries_that_are_named_twice_count_once():
    """A block list may name an item in two files."""
    twice = sp.csr_array((np.ones(2), np.array([1, 1]), np.array([0, 2])), shape=(1, 4))
    world = one_user(hidden=twice)
    items = np.full((1, 3), -1, np.int32)
    fill(items, np.zeros((1, 3), np.float32), np.zeros((1, 3), np.int8), **world)
    assert items.tolist() == [[0, 2, 3]]
    rules = {name: world[name] for name in ("eligible", "group", "allowed", "category", "caps")}
    assert short_reasons(np.full((1, 3), -1, np.int32), hidden=twice, **rules).tolist() == [4]
    assert twice.nnz == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"row_order": np.ones(1, np.int32)}, r"row_order must be between 0 and 0, got 1 to 1"),
        ({"group": np.full(1, 2, np.int32)}, r"group must be between 0 and 0, got 2 to 2"),
        ({"group": np.zeros(2, np.int32)}, r"group must have shape \(1,\), got \(2,\)"),
        ({"category": np.zeros(4, np.int32)}, r"category must be below 0, got 0"),
        ({"category": np.zeros(3, np.int32)}, r"category must have shape \(4,\), got \(3,\)"),
        ({"order_scores": np.ones((1, 3), np.float32)}, r"order_scores must have shape \(1, 4\)"),
        ({"order": np.full((1, 4), 4, np.int32)}, r"order must hold items of eligible"),
        ({"hidden": sp.csr_array((1, 3))}, r"hidden must have shape \(1, 4\), got \(1, 3\)"),
        ({"allowed": sp.csr_array((2, 4))}, r"allowed must have shape \(1, 4\), got \(2, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    """Each argument that a compiled loop would read beyond its end."""
    items = np.full((1, 2), -1, np.int32)
    unchecked = unwrap(fill)  # outside of tests nothing looks at the annotations
    with pytest.raises(ValueError, match=message):
        unchecked(
            items, np.zeros((1, 2), np.float32), np.zeros((1, 2), np.int8), **one_user(**changed)
        )


def test_lists_of_another_type_are_refused():
    """They are changed in place, so they cannot be converted."""
    items = np.full((1, 2), -1, np.int32)
    with pytest.raises(
        ValueError, match=r"must be int32, float32 and int8 of one shape, got int64"
    ):
        fill(items, np.zeros((1, 2), np.float32), np.zeros((1, 2), np.int64), **one_user())
