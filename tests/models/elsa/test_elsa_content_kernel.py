"""Squared likeness: its cosines, new items, what is not known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.content.content import unit_or_zero
from models.elsa.elsa_content_kernel import fit_squared_likeness


def unit(n, seed, n_dimensions=4):
    """Return random unit rows."""
    return unit_or_zero(
        np.random.default_rng(seed).normal(size=(n, n_dimensions)).astype(np.float32)
    )


@given(st.integers(0, 99), st.integers(2, 12))
def test_cosines_are_squares_where_every_item_is_a_landmark(seed, n):
    """With room for all axes."""
    V = np.abs(unit(n, seed))
    fitted = fit_squared_likeness(V, n_dimensions=n, n_landmarks=n, seed=0)
    made = fitted.vectors(V)
    np.testing.assert_allclose(made @ made.T, (V @ V.T) ** 2, atol=5e-3)


def test_opposite_items_are_not_alike():
    """Though the square of their cosine is large."""
    V = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], np.float32)
    made = fit_squared_likeness(V, n_dimensions=3, n_landmarks=3, seed=0).vectors(V)
    np.testing.assert_allclose(made @ made.T, np.eye(3), atol=1e-5)


def test_new_items_are_embedded_like_old_ones():
    """The same content, the same vector; more axes come nearer to the squares."""
    V = unit(300, 1)
    fitted = fit_squared_likeness(V, n_dimensions=6, n_landmarks=100, seed=0)
    made = fitted.vectors(V)
    assert made.shape == (300, 6)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(fitted.vectors(V[40:42]), made[40:42], atol=1e-6)
    again = fit_squared_likeness(V, n_dimensions=6, n_landmarks=100, seed=0)
    np.testing.assert_array_equal(again.vectors(V), made)
    wide = fit_squared_likeness(V, n_dimensions=10, n_landmarks=300, seed=0).vectors(V)
    squares = np.maximum(V @ V.T, 0.0) ** 2
    assert np.abs(wide @ wide.T - squares).mean() < np.abs(V @ V.T - squares).mean()


def test_unknown_items_stay_unknown():
    """Their rows are zero, and they are no landmarks."""
    V = unit(8, 2)
    V[3] = 0.0
    fitted = fit_squared_likeness(V, n_dimensions=8, n_landmarks=8, seed=0)
    assert len(fitted.landmarks) == 7
    np.testing.assert_array_equal(np.flatnonzero(~fitted.vectors(V).any(axis=1)), [3])
    with pytest.raises(ValueError, match=r"an item must be known.*got 0 items, 2 and 2"):
        fit_squared_likeness(np.zeros((3, 2), np.float32), n_dimensions=2, n_landmarks=2, seed=0)
