"""The temporal hold-out, against a slow one written user by user."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.split.split import temporal_holdout

ENTRY = st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.booleans(), st.integers(0, 5))
USERS = st.lists(st.lists(ENTRY, max_size=7), min_size=1, max_size=8)


def slow(user, share):
    """What one user is shown and asked."""
    before = [k for k, (weight, is_before, _) in enumerate(user) if is_before and weight > 0]
    after = [k for k, (weight, is_before, _) in enumerate(user) if weight > 0 and not is_before]
    if before:
        return (before, after) if after else ([], [])
    if len(after) < 2:
        return [], []
    n_asked = max(1, int((1 - share) * len(after) + 1e-9))
    in_time = sorted(after, key=lambda k: (user[k][2], k))
    return in_time[:-n_asked], in_time[-n_asked:]


@given(users=USERS, share=st.sampled_from([0.3, 0.5, 0.8]))
def test_agrees_with_the_slow_one(users, share):
    """Old users are asked what they met after the cut, new ones their last items."""
    flat = [entry for user in users for entry in user]
    weight = np.array([entry[0] for entry in flat])
    before = np.array([entry[0] * entry[1] for entry in flat])
    seen = np.array([entry[2] for entry in flat], dtype=np.int64)
    indptr = np.cumsum([0, *map(len, users)])
    shown, asked = temporal_holdout(indptr, weight, before, seen, fold_in_share=share)
    assert not (shown & asked).any()
    for n, user in enumerate(users):
        rows = slice(indptr[n], indptr[n + 1])
        got = [set(np.flatnonzero(mask[rows])) for mask in (shown, asked)]
        assert got == [set(places) for places in slow(user, share)]
