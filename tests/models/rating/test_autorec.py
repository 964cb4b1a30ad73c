"""AutoRec: the shared rules, the paper's loss, its optimisers, going on."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from models.network.network_fit import Step
from models.network.network_state import NetworkState
from models.rating.autorec import AutoRecForm, _UserNetwork, fit_autorec
from models.rating.item_codes import ItemCodes
from models.rating.rating_fit import rating_data
from models.rating.rating_metric import rmse
from models.rating.rating_network import Layers
from models.rating.rating_network_model import RatingNetworkModel
from tests.models.ratings import RatingContract, one_thread, ratings_of, taste

R = ratings_of(taste())
ALL = tuple(each.ravel() for each in np.indices(R.shape))


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with one_thread():
        yield


def fit(ratings, **settings):
    """A small code."""
    given = {
        "based_on": "item", "n_factors": 6, "l2": 0.5, "optimiser": "adam", "n_epochs": 30,
        "learning_rate": 0.04, "batch_size": 8, "seed": 0,
    } | settings  # fmt: skip
    form = AutoRecForm(**{each: given.pop(each) for each in AutoRecForm._fields if each in given})
    return fit_autorec(ratings, form, **given)


class TestItemAutoRec(RatingContract):
    """Based on items, by Adam."""

    def fit(self, R):
        """The paper's input: raw ratings."""
        return fit(R)


class TestUserAutoRec(RatingContract):
    """Based on users, after the mean is taken off."""

    def fit(self, R):
        """A row is the input."""
        return fit(R, based_on="user", centre="mean")


@pytest.mark.parametrize("based_on", ["item", "user"])
@pytest.mark.parametrize("optimiser", ["adam", "rprop", "lbfgs"])
def test_loss_shrinks(optimiser, based_on):
    """By each optimiser."""
    losses: list[float] = []
    fit(
        R, optimiser=optimiser, based_on=based_on, n_epochs=30,
        on_epoch=lambda _e, figures, _s: losses.append(figures["loss"]),
    )  # fmt: skip
    assert losses[-1] < 0.5 * losses[0]


def network(ratings, **settings):
    """An untrained one, of the paper's activations."""
    data = rating_data(ratings, "none", lowest=0.0, highest=None, fallback=None)
    layers = Layers((3,), ("sigmoid", "identity"))
    given = {"l2": 0.0, "seed": 0, "device": "cpu"} | settings
    return _UserNetwork(data, layers, **given)


STEP = Step(0, 1, torch.Generator())


def test_golden_masked_loss():
    """Ratings (5, -, 3, -), outputs (4, 2, 3.5, 1): squared error 1.25."""
    model = network(ratings_of(np.array([[5.0, np.nan, 3.0, np.nan]])))
    with torch.no_grad():
        model.W[1].zero_()
        model.b[1].copy_(torch.tensor([4.0, 2.0, 3.5, 1.0]))
    assert model.loss(np.array([0]), STEP).item() == 1.25


def test_loss_is_that_of_the_paper():
    """By hand: errors of what was rated, and half of l2 times the squared weights."""
    model, rows = network(R, l2=0.3), np.arange(R.shape[0])
    V, W = (each.detach().numpy() for each in model.W)
    seen = np.zeros(R.shape, bool)
    seen[np.repeat(rows, np.diff(R.indptr)), R.indices] = True
    out = 1 / (1 + np.exp(-R.toarray() @ V)) @ W
    expected = np.square(out - R.toarray())[seen].sum() + 0.15 * (V**2).sum() + 0.15 * (W**2).sum()
    np.testing.assert_allclose(model.loss(rows, STEP).item() * len(rows), expected, rtol=1e-5)


def test_what_is_not_rated_teaches_nothing():
    """Weights to and from an unrated item have no gradient; a rating of 0 has."""
    cells = np.array([[5.0, np.nan, 0.0, 2.0], [4.0, np.nan, np.nan, 1.0]])
    model = network(ratings_of(cells))
    model.loss(np.arange(2), STEP).backward()
    assert not model.W[0].grad[1].any()
    assert not model.W[1].grad[:, 1].any()
    assert model.b[1].grad[1] == 0.0
    assert model.W[1].grad[:, 2].all()


def test_rows_of_a_trained_model_are_at_its_minimum():
    """Given the codes, nothing lowers the loss of a row that was solved for."""
    model = fit(R)
    assert isinstance(model, ItemCodes)
    own = slice(R.indptr[4], R.indptr[5])
    H = np.column_stack([model.codes, np.ones(R.shape[1])])[R.indices[own]].astype(np.float64)
    w = model.encode(R)[4, :-1].astype(np.float64)
    ridge = np.append(np.full(6, 0.25), 0.0)
    np.testing.assert_allclose(H.T @ (H @ w - R.data[own]) + ridge * w, 0.0, atol=1e-3)


@pytest.mark.parametrize("settings", [{}, {"optimiser": "rprop"}, {"based_on": "user"}])
def test_resumed_fit_ends_as_if_never_stopped(settings):
    """To the bit."""
    states: list[NetworkState] = []
    whole = fit(R, n_epochs=4, on_epoch=lambda _e, _f, state: states.append(state), **settings)
    again = fit(R, n_epochs=4, resume=states[1], **settings)
    np.testing.assert_array_equal(again.predict_ratings(R, *ALL), whole.predict_ratings(R, *ALL))


def test_lbfgs_begins_anew():
    """What it remembers is not kept."""
    states: list[NetworkState] = []
    fit(R, optimiser="lbfgs", n_epochs=2, on_epoch=lambda _e, _f, state: states.append(state))
    with pytest.raises(ValueError, match="must begin anew"):
        fit(R, optimiser="lbfgs", n_epochs=2, resume=states[0])


@pytest.mark.parametrize("optimiser", ["adam", "lbfgs"])
def test_the_best_epoch_is_kept(optimiser):
    """Of the smallest rmse on held-out ratings."""
    cells, errors = taste(seed=3), []
    shown, asked = cells.copy(), np.full_like(cells, np.nan)
    asked[:, ::3], shown[:, ::3] = cells[:, ::3], np.nan
    validation = (ratings_of(shown), ratings_of(asked))
    model = fit(
        R, optimiser=optimiser, validation=validation, n_epochs=15, patience=3,
        on_epoch=lambda _e, figures, _s: errors.append(figures["rmse"]),
    )  # fmt: skip
    assert model.best_epoch == int(np.argmin(errors)) + 1
    assert len(errors) <= model.best_epoch + 3
    row = np.repeat(np.arange(len(cells)), np.diff(validation[1].indptr))
    predicted = model.predict_ratings(validation[0], row, validation[1].indices)
    assert rmse(predicted, validation[1].data) == pytest.approx(min(errors), rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"l2": 0.0}, "l2 must be positive, got 0"),
     ({"output_activation": "sigmoid"}, "must have the output activation identity")],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(settings, message):
    """What must hold is said."""
    with pytest.raises(ValueError, match=message):
        fit(R, **settings)


@pytest.mark.parametrize("based_on", ["item", "user"])
def test_more_items_change_nothing_of_the_known(based_on):
    """Items that came later get the fallback; the others keep their predictions."""
    model = fit(R, based_on=based_on, n_epochs=3)
    assert isinstance(model, ItemCodes | RatingNetworkModel)
    known = np.append(np.ones(R.shape[1], bool), [False, True])
    wide = model.laid_over(known)
    more = ratings_of(np.column_stack([taste(), np.full((24, 2), np.nan)]))
    np.testing.assert_array_equal(wide.predict_ratings(more, *ALL), model.predict_ratings(R, *ALL))
    cold = wide.predict_ratings(more, np.array([0, 0]), np.array([24, 25]))
    np.testing.assert_array_equal(cold, np.float32(model.scale.fallback))
