"""Lists by sorting float64 scores, for comparison."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.models.strategies import integer_factors, masks


@dataclass
class Night:
    """Factors of users and items, and every rule there is."""

    H: np.ndarray
    D: np.ndarray
    hidden: np.ndarray
    eligible: np.ndarray
    group: np.ndarray
    allowed: np.ndarray | None
    boost: np.ndarray | None
    min_score: float | None
    own: np.ndarray  # to be subtracted

    def scores(self) -> np.ndarray:
        """Return float32 scores of all items, -inf where one may not be listed."""
        exact = self.H.astype(np.float64) @ self.D.T.astype(np.float64) - self.own
        scores = exact.astype(np.float32)
        if self.boost is not None:
            scores = scores + (self.boost - 1).astype(np.float32) * np.abs(scores)
        refused = self.hidden | ~self.eligible[self.group]
        if self.allowed is not None:
            refused |= ~self.allowed & self.allowed.any(axis=1, keepdims=True)
        if self.min_score is not None:
            refused |= scores.astype(np.float64) < self.min_score
        return np.where(refused, np.float32(-np.inf), scores)

    def rules(self) -> dict[str, np.ndarray | sp.csr_array | float | None]:
        """Return the rules as the engine takes them."""
        return {
            "eligible": self.eligible,
            "group": self.group,
            "allowed": None if self.allowed is None else sp.csr_array(self.allowed),
            "boost": self.boost,
            "min_score": self.min_score,
        }


@st.composite
def nights(draw: st.DrawFn, max_items: int = 40) -> Night:
    """Draw small nights; scores are whole or half numbers, so that many are equal."""
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(1, max_items))
    n_factors, n_groups = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    shape = n_users, n_items
    own = arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.0, 1.0, -2.0]))
    boost = arrays(np.float32, n_items, elements=st.sampled_from([0.0, 0.5, 1.0, 1.0, 3.0]))
    minimum = st.sampled_from([-1.0, 0.0, 0.5, 1.0 + 1e-12])
    return Night(
        H=draw(integer_factors(n_users, n_factors)),
        D=draw(integer_factors(n_items, n_factors)),
        hidden=draw(masks(n_users * n_items)).reshape(shape),
        eligible=draw(masks(n_groups * n_items)).reshape(n_groups, n_items),
        group=draw(arrays(np.int32, n_users, elements=st.integers(0, n_groups - 1))),
        allowed=draw(st.none() | masks(n_users * n_items).map(lambda mask: mask.reshape(shape))),
        boost=draw(st.none() | boost),
        min_score=draw(st.none() | minimum),
        own=draw(own),
    )


def brute_force(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lists by sorting each row by falling score, then index."""
    items = np.full((len(scores), k), -1, dtype=np.int32)
    values = np.full((len(scores), k), np.nan, dtype=np.float32)
    for row, line in enumerate(scores):
        listed = np.flatnonzero(line > -np.inf)
        best = listed[np.argsort(-line[listed], kind="stable")][:k]
        items[row, : len(best)], values[row, : len(best)] = best, line[best]
    return items, values
