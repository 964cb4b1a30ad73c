"""The combined autoencoder: the shared rules, its ways to predict, what it is not shown."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.fitted_model import item_vectors
from models.model_arrays import arrays_of, model_of
from models.network.network_fit import Step
from models.network.network_state import NetworkState
from models.ranking.ranking import rank_users
from models.rating.combined_autoencoder import Widths, _Network, _without, fit_combined_autoencoder
from models.rating.combined_model import CombinedAutoencoder
from models.rating.rating_fit import rating_data
from tests.models.ratings import RatingContract, one_thread, ratings_of, taste

R = ratings_of(taste(14))
ALL = tuple(each.ravel() for each in np.indices(R.shape))


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with one_thread():
        yield


def fit(ratings, **settings):
    """Narrow layers."""
    given = {
        "n_epochs": 8, "learning_rate": 0.01, "batch_size": 32, "seed": 0, "dropout": 0.0,
        "widths": Widths(5, 8, 6), "row_l2": 0.05,
    } | settings  # fmt: skip
    return fit_combined_autoencoder(ratings, **given)


class TestCombined(RatingContract):
    """The mean of all ways."""

    def fit(self, R):
        """As it comes."""
        return fit(R)


WAYS = ("item", "user", "head", "mean")
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def fitted() -> CombinedAutoencoder:
    """One fit for all that only reads it; the last item has no rating."""
    cells = taste(14)
    cells[:, -1] = np.nan
    with one_thread():
        return fit(ratings_of(cells), n_epochs=2)


def test_mean_is_of_the_three_ways(fitted):
    """Each on the scale, and not the same."""
    ways = [replace(fitted, way=way).predict_ratings(R, *ALL) for way in WAYS[:3]]
    np.testing.assert_allclose(fitted.predict_ratings(R, *ALL), np.mean(ways, axis=0), rtol=1e-5)
    assert not np.allclose(ways[0], ways[1])
    assert not np.allclose(ways[1], ways[2])


@every_way
def test_scores_of_all_items_are_the_ratings_of_pairs(fitted, way):
    """Clipped, and of items that were rated: both are computed in other orders."""
    model = replace(fitted, way=way)
    scores = model.scores(R)
    assert scores.shape == R.shape
    assert scores.dtype == np.float32
    told = model.predict_ratings(R, *ALL).reshape(R.shape)
    clipped = np.clip(scores, model.scale.lowest, model.scale.highest)
    np.testing.assert_allclose(clipped[:, :-1], told[:, :-1], rtol=1e-6)
    assert len(np.unique(scores[:, :-1])) > 100  # items and rows are told apart
    for some in (slice(0, 1), slice(3, 9)):
        np.testing.assert_array_equal(model.scores(R[some]), scores[some])


def test_the_head_rates_blocks_of_items_alike(fitted, monkeypatch):
    """However many items and pairs are taken at once."""
    model = replace(fitted, way="head")
    scores, told = model.scores(R), model.predict_ratings(R, *ALL)
    monkeypatch.setattr("models.rating.combined_model._PAIRS", 3)
    np.testing.assert_allclose(model.scores(R), scores, rtol=1e-6)
    np.testing.assert_allclose(model.predict_ratings(R, *ALL), told, rtol=1e-6)


@every_way
def test_arrays_bring_the_model_back_to_the_bit(fitted, way):
    """Its ratings, its scores, its vectors, and its way."""
    model = replace(fitted, way=way)
    form, arrays, parameters = arrays_of(model)
    assert all(array.dtype != object for array in arrays.values())
    counts = np.diff(R.tocsc().indptr)
    again = model_of(form, arrays, parameters, counts)
    assert again.way == way
    assert again.scale == model.scale
    np.testing.assert_array_equal(again.scores(R), model.scores(R))
    np.testing.assert_array_equal(again.predict_ratings(R, *ALL), model.predict_ratings(R, *ALL))
    np.testing.assert_array_equal(item_vectors(again), item_vectors(model))


@every_way
def test_over_more_items_the_others_keep_their_ratings(fitted, way):
    """A later item has no vector and gets the fallback, and so has one that is known no more."""
    model = replace(fitted, way=way)
    known = np.append(model.of_users.rated, [False, False])
    laid = model.laid_over(known)
    cells = np.pad(taste(14), ((0, 0), (0, 2)), constant_values=np.nan)
    cells[:, 13] = np.nan
    wider, rows = ratings_of(cells), ratings_of(cells[:, :14])
    np.testing.assert_allclose(laid.scores(wider)[:, :13], model.scores(rows)[:, :-1], rtol=1e-6)
    row = np.arange(R.shape[0])
    later = laid.predict_ratings(wider, row, np.full(len(row), R.shape[1]))
    np.testing.assert_array_equal(later, np.float32(model.scale.fallback))
    assert not item_vectors(laid)[~known].any()
    np.testing.assert_allclose(np.linalg.norm(item_vectors(laid)[known], axis=1), 1.0, rtol=1e-6)


def test_lists_are_by_predicted_rating(fitted):
    """The best of the items that a row has not rated, best first."""
    known = fitted.of_users.rated
    ((_, items, _),) = rank_users(fitted, R, seen=R, eligible=known, k=2, block_size=len(R.indptr))
    told = fitted.predict_ratings(R, *ALL).reshape(R.shape).astype(np.float64)
    told[R.nonzero()] = -np.inf
    told[:, ~known] = -np.inf
    for row, listed in enumerate(items):
        best = np.sort(told[row])[::-1][: (listed >= 0).sum()]
        np.testing.assert_allclose(told[row, listed[listed >= 0]], best, rtol=1e-6)


def test_the_rating_asked_is_not_in_the_input():
    """Changing it changes the target alone: codes and the head's output stay."""

    def head(cells):
        data = rating_data(ratings_of(cells), "none", lowest=1.0, highest=5.0, fallback=None)
        network = _Network(data, Widths(3, 4, 3), 0.0, 0.0, 1.0, 5.0, "mean", 0, "cpu")
        user, item = network._row[[0]], network._item[[0]]
        rows = _without(network._rows.take(user), item)
        columns = _without(network._columns.take(item), user)
        with torch.no_grad():
            codes = network.items.encoded(columns, None), network.users.encoded(rows, None)
            return network._rated(*codes).item(), network.loss(np.array([0]), STEP).item()

    cells = np.array([[5.0, 3.0, 1.0], [np.nan, 2.0, 4.0], [3.0, 1.0, 5.0]])
    other = cells.copy()
    other[0, 0] = 1.0
    (rated, loss), (again, other_loss) = head(cells), head(other)
    assert rated == again
    assert loss != other_loss


STEP = Step(0, 1, torch.Generator())


def test_loss_shrinks_and_a_fit_goes_on_to_the_bit():
    """With dropout."""
    states: list[NetworkState] = []
    losses: list[float] = []

    def keep(_epoch, figures, state):
        states.append(state)
        losses.append(figures["loss"])

    whole = fit(R, n_epochs=4, dropout=0.3, on_epoch=keep)
    again = fit(R, n_epochs=4, dropout=0.3, resume=states[1])
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(again.predict_ratings(R, *ALL), whole.predict_ratings(R, *ALL))


def test_an_interrupted_training_predicts():
    """With the epochs it had."""

    def end(epoch, _figures, _state):
        if epoch == 1:
            raise KeyboardInterrupt

    stopped, one = fit(R, on_epoch=end), fit(R, n_epochs=1)
    np.testing.assert_array_equal(stopped.predict_ratings(R, *ALL), one.predict_ratings(R, *ALL))


def test_the_scale_may_be_wider_than_the_ratings():
    """Predictions end where it ends, and what is rated lower than it is refused."""
    model = fit(R, n_epochs=1, lowest=0.5, highest=6.0, fallback=2.0)
    assert model.scale == (0.5, 6.0, 2.0)
    assert model.of_users.unit == 6.0
    with pytest.raises(ValueError, match=r"ratings must lie between 2\.0 and 5\.0, got 1\.0"):
        fit(R, lowest=2.0)


def test_ratings_must_be_positive():
    """The head's sigmoid gives no others."""
    with pytest.raises(ValueError, match="every rating must be positive, got 0"):
        fit(ratings_of(np.array([[0.0, 1.0], [2.0, 3.0]])))
