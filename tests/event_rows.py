"""Rows of user, item, kind and moment, drawn and as arrays."""

import numpy as np
from hypothesis import strategies as st

from models.event.event_log import Events

N_USERS, N_ITEMS = 4, 5
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
