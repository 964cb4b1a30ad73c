"""Logs drawn by Hypothesis, as columns."""

import numpy as np
from hypothesis import strategies as st

EVENT = st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 9))
EVENTS = st.lists(EVENT, max_size=40)


def columns(events: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return user, item and time of the events."""
    table = np.array(events, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def pairs(mask: np.ndarray, user: np.ndarray, item: np.ndarray) -> list[tuple[int, int]]:
    """Return the distinct pairs of the events that a mask takes."""
    return sorted(set(zip(user[mask].tolist(), item[mask].tolist(), strict=True)))
