"""The combined autoencoder: the shared rules, its ways to predict, what it is not shown."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.combined_autoencoder import Widths, _Network, _without, fit_combined_autoencoder
from models.network_fit import Step
from models.network_state import NetworkState
from models.rating_fit import rating_data
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


def test_mean_is_of_the_three_ways():
    """Each on the scale, and not the same."""
    model = fit(R, n_epochs=2)
    ways = [replace(model, way=way).predict_ratings(R, *ALL) for way in ("item", "user", "head")]
    np.testing.assert_allclose(model.predict_ratings(R, *ALL), np.mean(ways, axis=0), rtol=1e-5)
    assert not np.allclose(ways[0], ways[1])
    assert not np.allclose(ways[1], ways[2])


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


def test_ratings_must_be_positive():
    """The head's sigmoid gives no others."""
    with pytest.raises(ValueError, match="every rating must be positive, got 0"):
        fit(ratings_of(np.array([[0.0, 1.0], [2.0, 3.0]])))
