"""Choosing lists from pools, against greedy choices made one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ranking.rerank import rerank, rotation_noise

GOLDEN = [0.0132346, 0.1317229, 0.8260273]  # of user 1 on items 0 to 2
SEEDS = st.integers(0, 2**32 - 1)
CAPS = np.array([1, 2, 0], dtype=np.int32)
NO_CATEGORY = {"category": np.full(9, -1, dtype=np.int32), "caps": np.zeros(0, dtype=np.int32)}


def random_pool(rng, n_users=3, pool=7, n_items=9):
    """Pools of different lengths, best first, with equal scores; padded as rankings are."""
    items = np.argsort(rng.random((n_users, n_items)), axis=1)[:, :pool].astype(np.int32)
    scores = -np.sort(rng.integers(-4, 5, items.shape), axis=1).astype(np.float32)
    for row, length in enumerate(rng.integers(0, pool + 1, n_users)):
        items[row, length:], scores[row, length:] = -1, np.nan
    return items, scores


def random_caps(rng, n_items=9):
    """Categories, some items of none, and caps from none to many."""
    category = rng.integers(-1, 3, n_items).astype(np.int32)
    return {"category": category, "caps": rng.integers(0, 4, 3).astype(np.int32)}


def cosine(a, b):
    """Of two vectors; 0 where one has no length."""
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b) / length if length else 0.0


def greedy(items, values, n, category, caps, diversity=0.0, vectors=None):
    """One list, by the words of the definition."""
    left = [place for place in range(len(items)) if items[place] >= 0]
    if diversity and left:
        low, high = min(values[left]), max(values[left])
        values = (values - low) / (high - low) if high > low else values * 0.0
    chosen = []
    while len(chosen) < n:
        held = [category[items[place]] for place in chosen]
        fits = [p for p in left if category[items[p]] < 0
                or held.count(category[items[p]]) < caps[category[items[p]]]]  # fmt: skip
        if not fits:
            break
        worth = {}
        for place in fits:
            near = [cosine(vectors[items[place]], vectors[items[c]]) for c in chosen if diversity]
            worth[place] = (1 - diversity) * values[place] - diversity * max(near, default=0.0)
        best = max(fits, key=lambda place: (worth[place], -place))
        chosen.append(best)
        left.remove(best)
    return chosen + [-1] * (n - len(chosen))


@given(seed=SEEDS, n=st.integers(1, 9), share=st.sampled_from([0.0, 0.5]))
def test_lists_are_the_greedy_ones(seed, n, share):
    """With caps and noise, ties by the order of the pool."""
    rng = np.random.default_rng(seed)
    items, scores = random_pool(rng)
    rules = random_caps(rng)
    noise = rng.integers(0, 3, items.shape).astype(np.float32) * share
    places = rerank(items, scores, n=n, noise=noise, **rules)
    values = scores.astype(np.float64) - noise
    expected = [greedy(row, value, n, **rules) for row, value in zip(items, values, strict=True)]
    assert places.dtype == np.int32
    assert places.tolist() == expected


@given(seed=SEEDS, diversity=st.sampled_from([0.25, 0.5, 1.0]))
def test_diverse_lists_are_those_of_maximal_marginal_relevance(seed, diversity):
    """Vectors of any length, some of none; caps hold as well."""
    rng = np.random.default_rng(seed)
    items, scores = random_pool(rng)
    rules = random_caps(rng)
    vectors = rng.standard_normal((9, 5)).astype(np.float32) * rng.integers(0, 3, (9, 1))
    vectors = vectors.astype(np.float32)
    places = rerank(items, scores, n=5, diversity=diversity, vectors=vectors, **rules)
    for row, got in enumerate(places.tolist()):
        expected = greedy(items[row], scores[row], 5, **rules, diversity=diversity, vectors=vectors)
        assert got == expected


@given(seed=SEEDS, n=st.integers(1, 9))
def test_nothing_asked_changes_nothing(seed, n):
    """The list is the head of the pool."""
    items, scores = random_pool(np.random.default_rng(seed))
    places = rerank(items, scores, n=n, **NO_CATEGORY)
    head = np.where(np.arange(n) < (items >= 0).sum(axis=1)[:, None], np.arange(n), -1)
    np.testing.assert_array_equal(places, head)


@given(seed=SEEDS, share=st.sampled_from([0.01, 0.1, 0.7, 1.0]), n=st.integers(1, 7))
def test_rotation_loses_no_more_than_its_share_at_any_place(seed, share, n):
    """Nor with caps: the item at every place scores at least what was there, less the share."""
    rng = np.random.default_rng(seed)
    items, _ = random_pool(rng, pool=9)
    scores = -np.sort(-rng.normal(0.3, 1.0, items.shape), axis=1).astype(np.float32)
    rules = random_caps(rng)
    noise = rotation_noise(
        items, scores, users_hash=rng.integers(0, 2**31, 3), item_hash=np.arange(9) * 7,
        day=int(rng.integers(700_000, 800_000)), share=share,
    )  # fmt: skip
    before = rerank(items, scores, n=n, **rules)
    after = rerank(items, scores, n=n, noise=noise, **rules)
    np.testing.assert_array_equal(after < 0, before < 0)
    row, place = np.nonzero(before >= 0)
    old = scores[row, before[row, place]].astype(np.float64)
    new = scores[row, after[row, place]].astype(np.float64)
    assert (new >= old - share * np.abs(old)).all()


def noise_of(day, users=(1, 2), items_hash=None):
    """Noise of two users over 200 items of score -2."""
    items = np.tile(np.arange(200, dtype=np.int32), (len(users), 1))
    scores = np.full(items.shape, -2.0, dtype=np.float32)
    item_hash = np.arange(200) if items_hash is None else items_hash
    return rotation_noise(
        items, scores, users_hash=np.array(users), item_hash=item_hash, day=day, share=0.5
    )


def test_rotation_is_the_same_on_a_day_and_another_on_another():
    """Users and days are independent, values spread over the whole range."""
    monday, tuesday = noise_of(739_000), noise_of(739_001)
    np.testing.assert_array_equal(monday, noise_of(739_000))
    streams = [*monday, *tuesday]
    correlation = np.corrcoef(streams)
    assert np.abs(correlation[~np.eye(4, dtype=bool)]).max() < 0.25
    for stream in streams:
        assert 0.0 <= stream.min() < 0.05
        assert 0.95 < stream.max() < 1.0  # share 0.5 of a score of 2
        assert stream.mean() == pytest.approx(0.5, abs=0.08)


def test_rotation_follows_the_item_not_its_index():
    """When the item universe grows, an item's noise stays."""
    moved = noise_of(739_000, items_hash=np.arange(200)[::-1])
    np.testing.assert_array_equal(moved, noise_of(739_000)[:, ::-1])


def test_rotation_is_the_same_on_every_machine():
    """Golden values: other ones would be another list on the same day."""
    values = noise_of(739_000)[0, :3]
    np.testing.assert_allclose(values, GOLDEN, atol=1e-6)


def test_padding_has_no_noise():
    """Its score is nan, its noise 0."""
    noise = rotation_noise(
        np.array([[-1]], dtype=np.int32), np.array([[np.nan]], dtype=np.float32),
        users_hash=np.array([1]), item_hash=np.array([1]), day=1, share=0.5,
    )  # fmt: skip
    assert noise.tolist() == [[0.0]]


def test_empty_pools_give_empty_lists():
    """No users, or no candidates."""
    for shape in ((0, 4), (2, 0)):
        items, scores = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        assert rerank(items, scores, n=3, **NO_CATEGORY).tolist() == [[-1] * 3] * shape[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, r"n must be positive, .* got 0, 0.0"),
        ({"diversity": 1.5}, r"diversity in \[0, 1\], got 1, 1.5"),
        ({"diversity": 0.5}, "vectors must be given for diversity, got none"),
        (
            {"diversity": 0.5, "vectors": np.ones((1, 2), np.float32)},
            "items must be below 1, got 1",
        ),
        ({"category": np.array([-1], dtype=np.int32)}, "items must be below 1, got 1"),
        ({"category": np.array([0, 3], dtype=np.int32)}, "category must be below 3, got 3"),
        ({"noise": np.full((1, 2), np.nan)}, "must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    """Before any compiled loop reads beside an array."""
    given_ = {"n": 1, "category": np.array([0, 1], dtype=np.int32), "caps": CAPS}
    items, scores = np.array([[0, 1]], dtype=np.int32), np.array([[2.0, 1.0]], dtype=np.float32)
    with pytest.raises(ValueError, match=message):
        rerank(items, scores, **(given_ | change))


def test_a_share_beyond_one_is_refused():
    """It would make scores change their sign."""
    items, scores = np.array([[0]], dtype=np.int32), np.array([[1.0]], dtype=np.float32)
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 1.5"):
        rotation_noise(items, scores, users_hash=items[0], item_hash=items[0], day=1, share=1.5)
