"""The made-up shop: believable, repeatable, and with tastes that can be found again."""

import numpy as np
import pytest
import scipy.sparse as sp

from models.shop.shop import ADD_TO_CART, DAY, PURCHASE, SEARCH_CLICK, VIEW, Shop, open_shop
from models.shop.shop_event import Events, day_events
from models.shop.shop_title import name_items
from models.shop.shop_words import AISLES

TUESDAY = 1


def month(shop: Shop, n_days: int, seed: int = 1) -> tuple[Events, np.ndarray]:
    """Return the events of all days in one, and the day of each."""
    days = [
        day_events(shop, day=day, weekday=(TUESDAY + day) % 7, seed=seed) for day in range(n_days)
    ]
    day = np.repeat(np.arange(n_days), [len(events.user) for events in days])
    return Events(*(np.concatenate(parts) for parts in zip(*days, strict=True))), day


@pytest.fixture(scope="module")
def shop() -> Shop:
    """The shop in its usual size."""
    return open_shop(seed=1, n_users=5000, n_items=2000, n_days=30)


@pytest.fixture(scope="module")
def log(shop) -> tuple[Events, np.ndarray]:
    """Its whole month."""
    return month(shop, 30)


def test_the_seed_decides_everything():
    """The same seed gives the same shop and the same day, another seed another."""
    one, same, other = (open_shop(seed=s, n_users=50, n_items=40, n_days=6) for s in (3, 3, 4))
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)
    assert one.titles != other.titles
    first, again, another = (
        day_events(one, day=2, weekday=0, seed=seed).time for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, another)


@pytest.mark.parametrize(("n_users", "n_items", "n_days"), [(10, 20, 5), (60, 40, 5), (300, 25, 9)])
def test_small_shops_work(n_users, n_items, n_days):
    """All indices stay inside, also where there is hardly anything."""
    shop = open_shop(seed=5, n_users=n_users, n_items=n_items, n_days=n_days)
    events, _ = month(shop, n_days)
    assert 0 <= events.user.min() <= events.user.max() < n_users
    assert 0 <= events.item.min() <= events.item.max() < n_items
    assert shop.taste_of_user.shape == (n_users, len(shop.tastes))
    np.testing.assert_allclose(shop.tastes.sum(axis=1), 1.0)


@pytest.mark.parametrize(("n_users", "n_items", "n_days"), [(9, 20, 5), (10, 19, 5), (10, 20, 4)])
def test_shops_that_are_too_small_are_refused(n_users, n_items, n_days):
    """The limits are told."""
    with pytest.raises(ValueError, match=f"got {n_users}, {n_items} and {n_days}"):
        open_shop(seed=1, n_users=n_users, n_items=n_items, n_days=n_days)


def test_titles_are_unique_and_fit_their_category(shop):
    """A title names a thing of its own aisle."""
    assert len(set(shop.titles)) == 2000
    assert set(shop.category) == set(range(20))
    for title, text, aisle in zip(shop.titles, shop.texts, shop.category, strict=True):
        assert any(noun in title for noun in AISLES[aisle].nouns)
        assert text.startswith(("A ", "An "))
        assert text.endswith(f"{AISLES[aisle].purpose}.")


def test_titles_stay_unique_where_words_run_out():
    """One aisle with more items than names gets further series."""
    titles, _ = name_items(np.zeros(4000, dtype=int), seed=1)
    assert len(set(titles)) == 4000
    assert sum("series 2" in title for title in titles) == 4000 - 16 * 6 * 6 * 4


def test_new_items_and_new_users_come_over_the_month(shop, log):
    """A tenth of the items and some users are late, and nothing happens before they come."""
    events, day = log
    assert (shop.first_day_of_item > 0).mean() == pytest.approx(0.10)
    assert (shop.first_day_of_user > 0).mean() == pytest.approx(0.15)
    assert (day >= shop.first_day_of_item[events.item]).all()
    assert (day >= shop.first_day_of_user[events.user]).all()
    assert 0.005 < (~shop.available).mean() < 0.05


def test_volume_follows_the_week(log):
    """Some thousand events a day, most of them at the weekend."""
    events, day = log
    per_day = np.bincount(day)
    weekday = (TUESDAY + np.arange(30)) % 7
    assert 200_000 < len(events.user) < 250_000
    assert 5_500 < per_day.min() < per_day.max() < 10_500
    assert per_day[weekday >= 5].mean() > 1.1 * per_day[weekday < 4].mean()


def test_popularity_is_like_zipf(log):
    """On double logarithmic axes the counts fall on a line, with a slope near -1."""
    counts = np.sort(np.bincount(log[0].item, minlength=2000))[::-1].astype(float)
    ranks = np.arange(5, 500)
    slope, _ = np.polyfit(np.log(ranks + 1), np.log(counts[ranks]), 1)
    fit = np.corrcoef(np.log(ranks + 1), np.log(counts[ranks]))[0, 1]
    assert -1.3 < slope < -0.6
    assert fit < -0.97
    assert 0.3 < counts[:100].sum() / counts.sum() < 0.7


def test_no_two_events_of_a_day_share_a_moment(log):
    """Times lie in their day and are distinct, so an exact repeat can only be a fault."""
    events, day = log
    assert 0 <= events.time.min() <= events.time.max() < DAY
    moment = day * DAY + events.time
    assert (np.diff(moment) > 0).all()


def test_the_night_is_quiet(log):
    """People sleep."""
    hour = np.bincount(log[0].time // (DAY // 24), minlength=24)
    assert hour[2:5].mean() < 0.2 * hour[18:22].mean()


def test_no_purchase_without_cart_and_view(log):
    """Whoever buys on a day has put the item into the cart, and has seen it before that."""
    events, day = log
    key = (day * 5000 + events.user) * 2000 + events.item

    def earliest(kind):
        found, first = np.unique(key[events.event == kind], return_index=True)
        return dict(zip(found, events.time[events.event == kind][first], strict=True))

    viewed, carted, bought = earliest(VIEW), earliest(ADD_TO_CART), earliest(PURCHASE)
    assert len(bought) > 5_000
    assert all(viewed[pair] < carted[pair] for pair in carted)
    assert all(carted[pair] < bought[pair] for pair in bought)


def test_some_users_only_search(shop, log):
    """They are known and have no usable history."""
    events, _ = log
    by_searcher = shop.searches_only[events.user]
    assert (events.event[by_searcher] == SEARCH_CLICK).all()
    assert len(np.unique(events.user[by_searcher])) > 50
    assert 0.02 < (events.event == SEARCH_CLICK).mean() < 0.10


def test_tastes_are_found_again_far_above_popularity():
    """Item-item cosine, told nothing of tastes, recommends by taste; a popular list cannot."""
    shop = open_shop(seed=2, n_users=800, n_items=600, n_days=20)
    events, _ = month(shop, 20, seed=2)
    X = sp.csr_array((np.ones(len(events.user)), (events.user, events.item)), shape=(800, 600))
    X.sum_duplicates()
    X.data[:] = 1.0
    counts = np.asarray(X.sum(axis=0))
    unit = (X / np.sqrt(np.maximum(counts, 1.0))).tocsr()
    cosine = (unit.T @ unit).toarray()
    np.fill_diagonal(cosine, 0.0)
    by_cosine, by_count = (
        recovered(shop, X, scores) for scores in (X @ cosine, counts + 0 * X.toarray())
    )
    assert by_cosine > 0.6
    assert by_cosine > 5 * by_count


def recovered(shop: Shop, X: sp.csr_array, scores: np.ndarray) -> float:
    """Return the share of ten new items that lie in a taste of their user."""
    top = np.argsort(np.where(X.toarray() > 0, np.inf, -scores), axis=1)[:, :10]
    active = np.diff(X.indptr) >= 5
    users = np.arange(len(top))[:, None]
    return float(shop.taste_of_user[users, shop.taste_of_item[top]][active].mean())
