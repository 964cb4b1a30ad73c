"""What the customers of a sample shop do on one day."""

from typing import NamedTuple

import numpy as np

from models.shop.shop import ADD_TO_CART, DAY, PURCHASE, SEARCH_CLICK, VIEW, Shop

SECOND = 1_000_000  # microseconds
_BY_WEEKDAY = np.array([0.98, 0.94, 0.92, 0.95, 1.00, 1.13, 1.18])  # Monday first
_BY_HOUR = np.array(
    [1.2, 0.6, 0.3, 0.2, 0.2, 0.5, 1.5, 3, 4, 4.5, 5, 5.2, 6, 5.5, 5, 5, 5.2, 5.8, 6.5, 8, 9, 8.5,
     5.5, 2.8]
)  # fmt: skip
_VIEWS, _MAX_VIEWS = 2.6, 25  # of a session: on average, at most
_UNDECIDED, _CART, _BUY, _SEARCH = (
    0.12,
    0.16,
    0.40,
    0.12,
)  # shares: of views, views, carts, sessions
_NOVELTY_DAYS, _NOVELTY = 5, 2.0  # new items are looked at more


class Events(NamedTuple):
    """The events of one day in the order of time; no two at the same moment."""

    user: np.ndarray  # (n_events,) int64
    item: np.ndarray  # (n_events,) int64
    event: np.ndarray  # (n_events,) int64, index into EVENT_TYPES
    time: np.ndarray  # (n_events,) int64, microseconds since midnight


def day_events(shop: Shop, *, day: int, weekday: int, seed: int) -> Events:
    """Return what happens in the shop on one day.

    A session follows one taste of its user and views some items; some views lead into the
    cart and some of these to a purchase. Some sessions begin with a click in the search.

    Args:
        shop: goods and customers.
        day: from 0.
        weekday: 0 for Monday.
        seed: decides all that the shop leaves open; days do not depend on each other.
    """
    rng = np.random.default_rng([seed, 1, day])
    rate = shop.sessions_per_day * (shop.first_day_of_user <= day) * _BY_WEEKDAY[weekday]
    user = np.repeat(np.arange(len(rate)), rng.poisson(rate))  # of every session
    n_views = np.minimum(rng.geometric(1.0 / _VIEWS, len(user)), _MAX_VIEWS)
    session = np.repeat(np.arange(len(user)), n_views)  # of every view
    item = _items(rng, shop, day, _session_tastes(rng, shop, user)[session])
    time = _times(rng, session, n_views)
    first = np.diff(session, prepend=-1) > 0
    return _in_order(*_funnel(rng, shop, user[session], item, time, first))


def _session_tastes(rng: np.random.Generator, shop: Shop, user: np.ndarray) -> np.ndarray:
    reached = shop.user_weights[user].cumsum(axis=1)[:, :-1]  # (n_sessions, MAX_TASTES - 1)
    place = (rng.random((len(user), 1)) >= reached).sum(axis=1)
    return shop.user_tastes[user, place]


def _items(rng: np.random.Generator, shop: Shop, day: int, taste: np.ndarray) -> np.ndarray:
    n_tastes, n_items = shop.tastes.shape
    age = day - shop.first_day_of_item
    new = (shop.first_day_of_item > 0) & (age < _NOVELTY_DAYS)
    weights = np.vstack([shop.tastes, shop.popularity]) * np.where(new, _NOVELTY, 1.0) * (age >= 0)
    reached = weights.cumsum(axis=1)
    reached /= reached[:, [-1]]
    # One search for all rows: row r lies between r and r + 1.
    line = (reached + np.arange(n_tastes + 1)[:, None]).ravel()
    row = np.where(rng.random(len(taste)) < _UNDECIDED, n_tastes, taste)
    place = np.searchsorted(line, row + rng.random(len(row)) * (1 - 1e-9), side="right")
    return place - row * n_items


def _times(rng: np.random.Generator, session: np.ndarray, n_views: np.ndarray) -> np.ndarray:
    gap = (rng.exponential(45.0, len(session)) + 4.0) * SECOND
    passed = np.cumsum(gap)
    start_of = np.cumsum(n_views) - n_views  # first view of every session
    passed -= passed[start_of][session]
    duration = passed[start_of + n_views - 1]
    hour = rng.choice(24, size=len(n_views), p=_BY_HOUR / _BY_HOUR.sum())
    start = (hour * 3600 + rng.random(len(n_views)) * 3600) * SECOND
    # A minute on both sides for the search before and the purchase after.
    start = np.clip(start, 60 * SECOND, np.maximum(DAY - duration - 60 * SECOND, 60 * SECOND))
    return (start[session] + passed).astype(np.int64)


def _funnel(
    rng: np.random.Generator,
    shop: Shop,
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    first: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    searching = shop.searches_only[user]
    cart = (rng.random(len(user)) < _CART) & ~searching
    bought = cart & (rng.random(len(user)) < _BUY)
    searched = first & (rng.random(len(user)) < _SEARCH) & ~searching
    steps = (  # event, which views have it, seconds after the view
        (np.where(searching, SEARCH_CLICK, VIEW), np.ones(len(user), dtype=bool), 0),
        (np.full(len(user), ADD_TO_CART), cart, 2),
        (np.full(len(user), PURCHASE), bought, 3),
        (np.full(len(user), SEARCH_CLICK), searched, -2),
    )
    chosen = np.concatenate([np.flatnonzero(which) for _, which, _ in steps])
    event = np.concatenate([kind[which] for kind, which, _ in steps])
    shift = np.concatenate([np.full(which.sum(), delay * SECOND) for _, which, delay in steps])
    return user[chosen], item[chosen], event, time[chosen] + shift


def _in_order(user: np.ndarray, item: np.ndarray, event: np.ndarray, time: np.ndarray) -> Events:
    order = np.argsort(time, kind="stable")
    apart = np.arange(len(order))
    time = np.maximum.accumulate(time[order] - apart) + apart  # no two at the same moment
    return Events(user[order], item[order], event[order], time)
