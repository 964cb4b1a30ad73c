"""Compiled greedy choice from pools of candidates; it releases the interpreter lock."""

from collections.abc import Callable
from inspect import unwrap
from typing import Any, TypeVar

import numpy as np
from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(loop: _Loop) -> _Loop:
    """Return the loop in machine code, kept on disk; sums stay in the order written."""
    return njit(unwrap(loop), nogil=True, error_model="numpy", cache=True)


@compiled
def choose(
    items: np.ndarray,
    values: np.ndarray,
    category: np.ndarray,
    caps: np.ndarray,
    diversity: float,
    vectors: np.ndarray,
    places: np.ndarray,
) -> None:
    """Write the places that each list takes from its pool, best first.

    Args:
        items: shape (n_users, pool), int32, -1 for no candidate.
        values: shape (n_users, pool), float64, finite for candidates.
        category: of every item, int32, -1 for none.
        caps: most items of a category in one list, int32.
        diversity: weight of unlikeness, from 0 to 1.
        vectors: of items, float32; not read without diversity.
        places: shape (n_users, n), int32, full of -1; changed.
    """
    pool = items.shape[1]
    value, near, free = np.empty(pool), np.empty(pool), np.empty(pool, np.bool_)
    room = np.empty(len(caps), np.int32)
    unit = np.empty((vectors.shape[1] if diversity > 0.0 else 0, pool), np.float32)
    for user in range(len(items)):
        room[:] = caps
        near[:] = 0.0
        for place in range(pool):
            free[place], value[place] = items[user, place] >= 0, values[user, place]
        if diversity > 0.0:
            _scale(value, free, 1.0 - diversity)
            _gather(items[user], vectors, unit)
        for k in range(places.shape[1]):
            best = _best(items[user], value, near, free, category, room, diversity)
            if best < 0:
                break
            places[user, k] = best
            free[best] = False
            group = category[items[user, best]]
            if group >= 0:
                room[group] -= 1
            if diversity > 0.0:
                _approach(unit, best, near, k)


@compiled
def _best(
    items: np.ndarray,
    value: np.ndarray,
    near: np.ndarray,
    free: np.ndarray,
    category: np.ndarray,
    room: np.ndarray,
    diversity: float,
) -> int:
    best, most = -1, 0.0
    for place in range(len(items)):
        if not free[place]:
            continue
        worth = value[place] - diversity * near[place]
        if best >= 0 and worth <= most:
            continue
        group = category[items[place]]
        if group >= 0 and room[group] <= 0:
            free[place] = False  # a full category stays full
            continue
        best, most = place, worth
    return best


@compiled
def _scale(value: np.ndarray, free: np.ndarray, factor: float) -> None:
    """Scale the values of candidates to [0, factor]."""
    low, high = np.inf, -np.inf
    for place in range(len(value)):
        if free[place]:
            low, high = min(low, value[place]), max(high, value[place])
    for place in range(len(value)):
        spread = high - low
        value[place] = factor * (value[place] - low) / spread if spread > 0.0 else 0.0


@compiled
def _gather(items: np.ndarray, vectors: np.ndarray, unit: np.ndarray) -> None:
    """Write the candidates' vectors into columns, scaled to length 1; zeros stay zeros."""
    for place in range(len(items)):
        if items[place] < 0:
            unit[:, place] = 0.0
            continue
        vector = vectors[items[place]]
        square = 0.0
        for factor in range(len(vector)):
            square += np.float64(vector[factor]) * np.float64(vector[factor])
        scale = 1.0 / np.sqrt(square) if square > 0.0 else 0.0
        for factor in range(len(vector)):
            unit[factor, place] = vector[factor] * scale


@compiled
def _approach(unit: np.ndarray, chosen: int, near: np.ndarray, n_before: int) -> None:
    """Raise near to the cosines to a chosen candidate; the first sets it."""
    cosine = np.zeros(len(near), np.float32)
    for factor in range(len(unit)):
        weight = unit[factor, chosen]
        for place in range(len(near)):
            cosine[place] += weight * unit[factor, place]
    for place in range(len(near)):
        if n_before == 0 or cosine[place] > near[place]:
            near[place] = cosine[place]
