"""The scale of ratings, offsets, ridge regressions of rows: by hand and against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rating.rating_metric import mae, rmse
from models.rating.rating_model import rating_figures
from models.rating.rating_offset import rating_offset
from models.rating.rating_scale import RatingScale, rated_columns, rating_scale
from models.rating.ridge_kernel import ridge_rows
from tests.models.ratings import ratings_of

nan = np.nan
R = ratings_of(np.array([[5.0, nan, 3.0, 0.0], [nan, nan, 4.0, nan], [nan] * 4]))


def test_scale_comes_from_training():
    """Lowest, highest and mean; a stored 0 is a rating."""
    assert rating_scale(R) == RatingScale(0.0, 5.0, 3.0)
    assert rating_scale(R, lowest=-1.0, highest=10.0, fallback=2.0) == RatingScale(-1.0, 10.0, 2.0)
    np.testing.assert_array_equal(rated_columns(R), [True, False, True, True])


@pytest.mark.parametrize(
    ("cells", "settings", "message"),
    [
        ([[nan]], {}, "must be given ratings, got none"),
        ([[np.inf]], {}, "must be finite, got inf"),
        ([[1.0, 7.0]], {"highest": 5.0}, r"between 1\.0 and 5\.0, got 7\.0"),
        ([[1.0, 7.0]], {"lowest": 2.0}, r"between 2\.0 and 7\.0, got 1\.0"),
        ([[1.0, 7.0]], {"fallback": 9.0}, r"between 1\.0 and 7\.0, got 9\.0"),
    ],
)
def test_ratings_off_the_scale_are_refused(cells, settings, message):
    """What is wrong is named."""
    with pytest.raises(ValueError, match=message):
        rating_scale(ratings_of(np.array(cells)), **settings)


def test_predictions_are_kept_on_the_scale():
    """Clipped; the fallback where nothing is known, whatever was computed."""
    kept = RatingScale(1.0, 5.0, 3.0).kept(
        np.array([0.0, 4.5, 9.0, 2.0]), np.array([False, False, False, True])
    )
    np.testing.assert_array_equal(kept, np.array([1.0, 4.5, 5.0, 3.0], np.float32))


@given(st.integers(0, 10_000))
def test_offsets_are_taken_off_and_put_back(seed):
    """Every rating is what is left, the mean, and the offsets of user and item."""
    rng = np.random.default_rng(seed)
    cells = np.where(rng.random((6, 5)) < 0.6, rng.integers(0, 6, (6, 5)), np.nan)
    cells[0, 0] = 1.0
    ratings = ratings_of(cells)
    for centre in ("none", "mean", "bias"):
        offset = rating_offset(ratings, centre=centre)
        left = offset.removed(ratings)
        row = np.repeat(np.arange(6), np.diff(ratings.indptr))
        back = left.data + offset.mean + offset.item[left.indices] + offset.of_users(ratings)[row]
        assert left.nnz == ratings.nnz
        np.testing.assert_allclose(back, ratings.data, atol=1e-5)


def test_biases_are_shrunken_means():
    """One user, one item: with five empty ratings a bias is a sixth of what is left."""
    offset = rating_offset(ratings_of(np.array([[4.0], [2.0]])), centre="bias")
    assert offset.mean == 3.0
    np.testing.assert_allclose(offset.item, [0.0], atol=1e-6)
    np.testing.assert_allclose(offset.of_users(ratings_of(np.array([[4.0]]))), [1 / 6], atol=1e-6)


@given(st.integers(0, 10_000))
def test_ridge_of_rows_is_that_of_numpy(seed):
    """The solution of the normal equations, zeros for an empty row."""
    rng = np.random.default_rng(seed)
    cells = np.where(rng.random((4, 6)) < 0.5, rng.normal(size=(4, 6)), np.nan)
    H, ridge, per_entry = rng.normal(size=(6, 3)), rng.uniform(0.1, 2, 3), rng.uniform(0, 1, 3)
    ratings = ratings_of(cells)
    solved = ridge_rows(ratings, H, ridge, per_entry)
    for row in range(4):
        own = slice(ratings.indptr[row], ratings.indptr[row + 1])
        h, r = H[ratings.indices[own]], ratings.data[own].astype(np.float64)
        A = h.T @ h + np.diag(ridge + len(r) * per_entry)
        np.testing.assert_allclose(solved[row], np.linalg.solve(A, h.T @ r), atol=1e-9)


def test_ridge_without_a_solution_is_refused():
    """A feature that is nowhere, and no ridge."""
    with pytest.raises(ArithmeticError, match="raise l2"):
        ridge_rows(ratings_of(np.array([[1.0, 2.0]])), np.eye(2)[[0, 0]], np.zeros(2))


def test_golden_errors():
    """Targets (5, -, 3, -), outputs (4, 2, 3.5, 1): over what was rated alone."""
    predicted, observed = np.array([4.0, 3.5]), np.array([5.0, 3.0])
    assert np.square(predicted - observed).sum() == 1.25
    assert np.square(predicted - observed).mean() == 0.625
    assert rmse(predicted, observed) == pytest.approx(0.79056942, abs=5e-9)


def test_figures_are_of_the_ratings_asked():
    """A model that says 4 to everything."""

    class Four:
        scale = RatingScale(0.0, 5.0, 4.0)

        def predict_ratings(self, ratings, row, item):
            return np.full(len(row), 4.0, np.float32)

    figures = rating_figures((R, R))(Four())
    assert figures["rmse"] == rmse(np.full(4, 4.0), R.data)
    assert figures["mae"] == mae(np.full(4, 4.0), R.data)
    assert rating_figures(None) is None
