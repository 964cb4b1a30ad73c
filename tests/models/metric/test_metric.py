"""Metrics: golden values, the definition user by user, and the whole evaluation."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa import ELSA
from models.metric.metric import estimate, evaluate, hit_matrix, ndcg, plain_recall, recall
from models.popularity import Popularity
from tests.models.strategies import histories, integer_factors


def targets(*rows: set[int], n_items: int = 9) -> sp.csr_array:
    """Return the asked items as a matrix."""
    dense = np.zeros((len(rows), n_items), np.float32)
    for user, items in enumerate(rows):
        dense[user, sorted(items)] = 1.0
    return sp.csr_array(dense)


def test_golden_values():
    """Three listed, four asked, two hits at places 1 and 3."""
    hit = hit_matrix(np.array([[0, 1, 2]]), targets({0, 2, 3, 4}))
    assert hit.tolist() == [[True, False, True]]
    n_targets = np.array([4])
    assert recall(hit, n_targets, k=3) == pytest.approx(2 / 3)
    assert plain_recall(hit, n_targets, k=3) == pytest.approx(1 / 2)
    assert ndcg(hit, n_targets, k=3) == pytest.approx(0.70391809, abs=1e-8)


@pytest.mark.parametrize(("place", "discount"), [(1, 1.0), (2, 0.63092975), (3, 0.5)])
def test_golden_discounts(place, discount):
    """One asked item at a place is worth its discount."""
    hit = np.arange(1, 4)[None] == place
    assert ndcg(hit, np.array([1]), k=3) == pytest.approx(discount, abs=1e-8)


def test_padding_is_no_hit():
    """A list that ran out of items hits nothing, also where the last item is asked for."""
    hit = hit_matrix(np.array([[8, -1, -1], [-1, -1, -1]]), targets({8}, {8}))
    assert hit.tolist() == [[True, False, False], [False, False, False]]


def naive(listed: list[int], asked: set[int], k: int) -> tuple[float, float, float]:
    """Return recall, plain recall and nDCG by their definitions."""
    places = [place for place, item in enumerate(listed[:k], start=1) if item in asked]
    gain = sum(1 / math.log2(place + 1) for place in places)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(asked)) + 1))
    return len(places) / min(k, len(asked)), len(places) / len(asked), gain / ideal


@given(
    listed=st.lists(st.permutations(range(9)), min_size=1, max_size=5),
    asked=st.lists(st.sets(st.integers(0, 8), min_size=1), min_size=5, max_size=5),
    depth=st.integers(1, 9),
    k=st.integers(1, 9),
)
def test_metrics_follow_their_definitions(listed, asked, depth, k):
    """Every user, also where the list is shorter than k."""
    asked, lists = asked[: len(listed)], [row[:depth] for row in listed]
    target = targets(*asked)
    hit, n_targets = hit_matrix(np.array(lists), target), np.diff(target.indptr)
    got = [measure(hit, n_targets, k=k) for measure in (recall, plain_recall, ndcg)]
    expected = [naive(row, wanted, k) for row, wanted in zip(lists, asked, strict=True)]
    np.testing.assert_allclose(np.transpose(got), expected, rtol=1e-12)


@given(X=histories(max_items=40), data=st.data(), block_size=st.integers(1, 4))
def test_evaluation_is_the_definition_of_sorted_scores(X, data, block_size):
    """Shown items and those not eligible never count, whatever the blocks."""
    n_users, n_items = X.shape
    asked = {user: {int(np.flatnonzero(X[user])[-1])} for user in range(n_users)}
    shown = X.copy()
    for user, items in asked.items():
        shown[user, sorted(items)] = 0.0
    model = ELSA(data.draw(integer_factors(n_items, 2)))
    eligible = np.arange(n_items) != 0
    got = evaluate(
        model,
        fold_in=sp.csr_array(shown),
        target=targets(*asked.values(), n_items=n_items),
        eligible=eligible,
        block_size=block_size,
    )
    scores = (shown.astype(np.float32) @ model.A) @ model.A.T
    ranked = [
        sorted(np.flatnonzero((shown[user] == 0) & eligible), key=lambda i: (-scores[user, i], i))
        for user in range(n_users)
    ]
    for name, k, column in (("recall@20", 20, 0), ("recall@50", 50, 0), ("ndcg@100", 100, 2)):
        expected = [naive(ranked[user], asked[user], k)[column] for user in range(n_users)]
        np.testing.assert_allclose(got[name], expected, rtol=1e-12, err_msg=name)
    covered = {item for row in ranked for item in row[:20]}
    assert float(got["coverage@20"]) == pytest.approx(len(covered) / n_items)


def test_popular_list_covers_little():
    """Twenty of eighty items for everybody is a quarter of the catalogue."""
    nothing = sp.csr_array((3, 80), dtype=np.float32)
    asked = targets({79}, {0}, {19, 20}, n_items=80)
    model = Popularity(np.arange(80)[::-1])
    everything = np.ones(80, dtype=bool)
    values = evaluate(model, fold_in=nothing, target=asked, eligible=everything)
    assert float(values["coverage@20"]) == 0.25
    assert values["recall@20"].tolist() == [0.0, 1.0, 0.5]
    assert values["recall@50"].tolist() == [0.0, 1.0, 1.0]


def test_user_without_a_target_is_refused():
    """An average over users who were asked nothing would be nan, or wrong."""
    shown, asked = targets({1}, {2}), targets({3}, set())
    everything = np.ones(9, dtype=bool)
    with pytest.raises(ValueError, match="every row of target must hold an item, got 1 without"):
        evaluate(Popularity(np.arange(9)), fold_in=shown, target=asked, eligible=everything)


def test_nobody_to_judge_gives_empty_arrays():
    """No users, no values, and nothing covered."""
    nobody = sp.csr_array((0, 9), dtype=np.float32)
    everything = np.ones(9, dtype=bool)
    values = evaluate(Popularity(np.arange(9)), fold_in=nobody, target=nobody, eligible=everything)
    assert [len(values[name]) for name in ("recall@20", "recall@50", "ndcg@100")] == [0, 0, 0]
    assert float(values["coverage@20"]) == 0.0


def test_golden_estimate_of_two_users():
    """By hand: of three asked, one unknown, two stand at places 1 and 3; the other has no hit."""
    shown = targets({0}, {1}, n_items=4)
    asked = targets({1, 2}, set(), n_items=4)
    model = Popularity(np.array([9, 8, 1, 5]))  # lists 1 3 2, then 0 3 2
    got = estimate(model, fold_in=shown, target=asked, n_targets=np.array([3, 1]))
    gain, ideal = 1 + 1 / 2, 1 + 1 / math.log2(3) + 1 / 2
    for name in ("recall@20", "recall@50", "plain_recall@20", "plain_recall@50"):
        assert got[name] == pytest.approx((1 / 3, 1 / 3)), name
    for name in ("ndcg@20", "ndcg@100"):
        assert got[name] == pytest.approx((gain / ideal / 2, gain / ideal / 2)), name
    # all four are listed; without the first user 1 is missing, without the second 0: no spread
    assert got["coverage@20"] == (1.0, 0.0)


def test_conventions_of_recall_part_where_more_is_asked_than_listed():
    """Of 40 asked the first 20 listed hit 20: all that a list can, and half of what was asked."""
    nothing = sp.csr_array((1, 60), dtype=np.float32)
    asked = targets(set(range(40)), n_items=60)
    model = Popularity(np.arange(60)[::-1])
    got = estimate(model, fold_in=nothing, target=asked, n_targets=np.array([40]))
    assert got["recall@20"][0] == 1.0
    assert got["plain_recall@20"][0] == 0.5
    assert got["recall@50"][0] == got["plain_recall@50"][0] == 1.0
    assert math.isnan(got["recall@20"][1])


def test_error_of_coverage_is_the_jackknife():
    """Leaving out one user at a time, computed the long way."""
    rng = np.random.default_rng(3)
    shown = sp.csr_array((rng.random((6, 200)) < 0.3).astype(np.float32))
    model = ELSA(rng.normal(size=(200, 3)).astype(np.float32))
    asked = sp.csr_array(shown.shape, dtype=np.float32)

    def coverage(users: np.ndarray) -> tuple[float, float]:
        n_targets = np.ones(len(users), dtype=np.int64)
        rows = {"fold_in": shown[users], "target": asked[users], "n_targets": n_targets}
        return estimate(model, **rows, block_size=2)["coverage@20"]

    everybody = np.arange(6)
    without = np.array([coverage(np.delete(everybody, user))[0] for user in everybody])
    expected = np.sqrt(5 / 6 * np.square(without - without.mean()).sum())
    assert coverage(everybody)[1] == pytest.approx(expected, rel=1e-9)
    assert expected > 0


@pytest.mark.parametrize("n_targets", [[], [1, 0]])
def test_estimate_without_a_question_is_refused(n_targets):
    """No mean of nothing."""
    nothing = sp.csr_array((len(n_targets), 9), dtype=np.float32)
    asked = np.array(n_targets, dtype=np.int64)
    with pytest.raises(ValueError, match="every user must be asked an item"):
        estimate(Popularity(np.arange(9)), fold_in=nothing, target=nothing, n_targets=asked)
