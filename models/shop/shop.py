"""A made-up shop: its goods, its customers, and what they do in a month.

Every customer has one to three tastes. A taste is a distribution over the items, mostly of
two categories, so the tastes can be found again in the events, and a popular list misses them.
"""

from typing import NamedTuple

import numpy as np

from models.shop.shop_title import name_items
from models.shop.shop_words import AISLES

EVENT_TYPES = ("view", "add_to_cart", "purchase", "search_click")
VIEW, ADD_TO_CART, PURCHASE, SEARCH_CLICK = range(len(EVENT_TYPES))
MAX_TASTES = 3  # of one user
DAY = 86_400_000_000  # microseconds

_SHARE_LATE_ITEMS, _SHARE_LATE_USERS, _SHARE_SEARCHERS, _SHARE_SOLD_OUT = 0.10, 0.15, 0.02, 0.02


class Shop(NamedTuple):
    """Goods and customers; rows of all arrays are item or user indices."""

    titles: list[str]
    texts: list[str]
    category: np.ndarray  # (n_items,) index into AISLES
    available: np.ndarray  # (n_items,) bool, false where sold out
    first_day_of_item: np.ndarray  # (n_items,) day it came into the shop, from 0
    popularity: np.ndarray  # (n_items,) share of the events of undecided customers
    tastes: np.ndarray  # (n_tastes, n_items) each row a distribution
    taste_of_item: np.ndarray  # (n_items,) the taste that likes it most
    first_day_of_user: np.ndarray  # (n_users,) day of the first visit, from 0
    sessions_per_day: np.ndarray  # (n_users,) on an average day
    searches_only: np.ndarray  # (n_users,) bool, never does more than click a search result
    user_tastes: np.ndarray  # (n_users, MAX_TASTES) indices, the main one first
    user_weights: np.ndarray  # (n_users, MAX_TASTES) shares of the sessions, zero beyond the last

    @property
    def taste_of_user(self) -> np.ndarray:
        """Tell which tastes a user has; shape (n_users, n_tastes), bool."""
        has = np.zeros((len(self.user_tastes), len(self.tastes)), dtype=bool)
        user, place = np.nonzero(self.user_weights)
        has[user, self.user_tastes[user, place]] = True
        return has


def open_shop(*, seed: int, n_users: int, n_items: int, n_days: int) -> Shop:
    """Return a shop with all that will be true of it for a month.

    Args:
        seed: decides everything.
        n_users: customers, those included who come during the month.
        n_items: items, those included that come during the month.
        n_days: days of the month.

    Returns:
        The shop; late items and late users are the last ones.

    Raises:
        ValueError: there are under 10 users, under 20 items or under 5 days.
    """
    if n_users < 10 or n_items < 20 or n_days < 5:
        raise ValueError(
            "a shop must have at least 10 users, 20 items and 5 days, "
            f"got {n_users}, {n_items} and {n_days}"
        )
    rng = np.random.default_rng([seed, 0])
    n_tastes = min(len(AISLES), max(3, n_items // 8))
    category = rng.permutation(np.arange(n_items) % n_tastes)
    titles, texts = name_items(category, seed=seed)
    popularity = _popularity(rng, n_items)
    tastes = _tastes(rng, category, popularity, n_tastes)
    user_tastes, user_weights = _customers(rng, n_users, n_tastes)
    return Shop(
        titles=titles, texts=texts, category=category,
        available=rng.random(n_items) >= _SHARE_SOLD_OUT,
        first_day_of_item=_first_days(rng, n_items, _SHARE_LATE_ITEMS, n_days),
        popularity=popularity, tastes=tastes,
        taste_of_item=(tastes / tastes.max(axis=1, keepdims=True)).argmax(axis=0),
        first_day_of_user=_first_days(rng, n_users, _SHARE_LATE_USERS, n_days),
        sessions_per_day=np.minimum(rng.lognormal(-1.05, 0.8, n_users), 4.0),
        searches_only=rng.random(n_users) < _SHARE_SEARCHERS,
        user_tastes=user_tastes, user_weights=user_weights,
    )  # fmt: skip


def _popularity(rng: np.random.Generator, n_items: int) -> np.ndarray:
    zipf = 1.0 / (np.arange(n_items) + 3.0) ** 0.9  # +3 keeps the very first from taking all
    return rng.permutation(zipf / zipf.sum())


def _tastes(
    rng: np.random.Generator, category: np.ndarray, popularity: np.ndarray, n_tastes: int
) -> np.ndarray:
    second = (np.arange(n_tastes) + rng.integers(1, n_tastes)) % n_tastes
    shares = np.full((n_tastes, n_tastes), 0.03 / n_tastes)  # of the categories in each taste
    shares[np.arange(n_tastes), np.arange(n_tastes)] += 0.75
    shares[np.arange(n_tastes), second] += 0.22
    liking = popularity**0.8 * rng.lognormal(0.0, 1.0, (n_tastes, len(category)))
    tastes = np.zeros_like(liking)
    for aisle in range(n_tastes):
        there = category == aisle
        within = liking[:, there] / liking[:, there].sum(axis=1, keepdims=True)
        tastes[:, there] = shares[:, [aisle]] * within
    return tastes / tastes.sum(axis=1, keepdims=True)


def _customers(
    rng: np.random.Generator, n_users: int, n_tastes: int
) -> tuple[np.ndarray, np.ndarray]:
    tastes = rng.random((n_users, n_tastes)).argsort(axis=1, kind="stable")[:, :MAX_TASTES]
    count = rng.choice([1, 2, 3], size=n_users, p=[0.35, 0.45, 0.20])
    weights = np.array([[1.0, 0.0, 0.0], [0.65, 0.35, 0.0], [0.55, 0.28, 0.17]])[count - 1]
    return tastes, weights


def _first_days(rng: np.random.Generator, n: int, share: float, n_days: int) -> np.ndarray:
    late = round(n * share)
    days = np.zeros(n, dtype=np.int64)
    days[n - late :] = np.sort(rng.integers(1, n_days, size=late))
    return days
