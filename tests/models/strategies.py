"""Hypothesis strategies shared by the tests of models."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

WEIGHTS = st.sampled_from([0.0, 0.0, 1.0, 0.5, 3.0])


@st.composite
def histories(draw: st.DrawFn, max_users: int = 6, max_items: int = 8) -> np.ndarray:
    """Draw dense weights (n_users, n_items), about half of them zero, every row with an item."""
    n_users, n_items = draw(st.integers(1, max_users)), draw(st.integers(2, max_items))
    X = draw(arrays(np.float64, (n_users, n_items), elements=WEIGHTS))
    X[np.arange(n_users), draw(arrays(np.int64, n_users, elements=st.integers(0, n_items - 1)))] = 1
    return X


def integer_factors(n_rows: int, n_factors: int) -> st.SearchStrategy[np.ndarray]:
    """Draw small integers as float32: products are exact in any order, and ties are common."""
    elements = st.integers(-2, 2).map(float)
    return arrays(np.float32, (n_rows, n_factors), elements=elements)


def masks(n: int) -> st.SearchStrategy[np.ndarray]:
    """Draw which of n things are taken."""
    return arrays(np.bool_, n)
