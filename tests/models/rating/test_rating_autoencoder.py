"""The user and the item autoencoder: the shared rules, codes, sampled users, interruptions."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.network.network_fit import Step
from models.network.network_state import NetworkState
from models.rating import rating_network, rating_network_model
from models.rating.item_codes import ItemCodes
from models.rating.rating_autoencoder import (
    Form,
    _Network,
    fit_rating_autoencoder,
    sampled_ratings,
    with_sampled_users,
)
from models.rating.rating_fit import rating_data
from tests.models.ratings import RatingContract, one_thread, ratings_of, taste

R = ratings_of(taste())
ALL = tuple(each.ravel() for each in np.indices(R.shape))


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with one_thread():
        yield


def fit(ratings, settings=None, **form):
    """Narrow layers."""
    given = {"n_epochs": 25, "learning_rate": 0.015, "batch_size": 8, "seed": 0} | (settings or {})
    small = Form(**({"n_hidden": 10, "n_factors": 6, "centre": "mean", "row_l2": 0.5} | form))
    return fit_rating_autoencoder(ratings, small, **given)


class TestUserAutoencoder(RatingContract):
    """Rows are users."""

    def fit(self, R):
        """With a k-sparse code."""
        return fit(R, {"n_epochs": 40, "learning_rate": 0.01}, k_sparse=4)


class TestItemAutoencoder(RatingContract):
    """Rows are items."""

    def fit(self, R):
        """Users' weights are solved for."""
        return fit(R, based_on="item", dropout=0.1, decoder_activation="tanh")


class TestVariational(RatingContract):
    """Users, a code that is drawn."""

    def fit(self, R):
        """Noise ends with training."""
        return fit(R, variational=True, code_activation="identity")


@pytest.mark.parametrize(("k", "kept"), [(2, [0, 0.9, 0.9, 0, 0]), (1, [0, 0.9, 0.9, 0, 0])])
def test_golden_k_sparse(k, kept):
    """What ties with the k-th largest stays, in training and afterwards."""
    z = np.array([[0.3, 0.9, 0.9, 0.1, 0.5]])
    np.testing.assert_array_equal(rating_network_model.largest(z, k), [kept])
    np.testing.assert_array_equal(rating_network.largest(torch.tensor(z), k).numpy(), [kept])


@given(st.integers(0, 10_000), st.integers(1, 9))
def test_k_sparse_keeps_the_largest(seed, k):
    """At least k of them, and nothing larger is left out; both ways alike."""
    z = np.random.default_rng(seed).integers(-3, 4, (5, 6)).astype(np.float32)
    kept = rating_network_model.largest(z, k)
    np.testing.assert_array_equal(kept, rating_network.largest(torch.tensor(z), k).numpy())
    for row, left in zip(z, kept, strict=True):
        least = np.sort(row)[::-1][min(k, 6) - 1]
        np.testing.assert_array_equal(left, np.where(row >= least, row, 0))


def untrained(ratings, **form):
    """A network whose output is what the test says."""
    data = rating_data(ratings, "none", lowest=0.0, highest=5.0, fallback=None)
    return _Network(data, Form(**({"n_hidden": 3, "n_factors": 2, "l2": 0.0} | form)), 10, 0, "cpu")


def test_golden_rmse_in_stars():
    """Ratings (5, -, 3, -) over 5, outputs (.8, .4, .7, .2)."""
    network = untrained(ratings_of(np.array([[5.0, np.nan, 3.0, np.nan]])))
    with torch.no_grad():
        network.W[3].zero_()
        network.b[3].copy_(torch.tensor([0.8, 0.4, 0.7, 0.2]))
    loss = network.loss(np.array([0]), Step(0, 1, torch.Generator())).item()
    assert loss == pytest.approx(0.79056942, abs=1e-6)


def test_what_is_not_rated_teaches_nothing():
    """Its weights have no gradient, in the variational form either."""
    cells = np.array([[5.0, np.nan, 0.0, 2.0], [4.0, np.nan, np.nan, 1.0]])
    for form in ({}, {"variational": True}, {"k_sparse": 1}):
        network = untrained(ratings_of(cells), decoder_activation="sigmoid", **form)
        network.loss(np.arange(2), Step(0, 2, torch.Generator().manual_seed(0))).backward()
        assert not network.W[0].grad[1].any()
        assert not network.W[3].grad[:, 1].any()
        assert network.b[3].grad[1] == 0.0
        assert network.b[3].grad[2] != 0.0


def test_divergence_counts_more_every_epoch():
    """Nothing in the first one; of a normal code it is nothing at all."""
    network = untrained(R, variational=True, code_activation="identity")
    rows = np.arange(24)

    def loss(epoch):
        return network.loss(rows, Step(0, epoch, torch.Generator().manual_seed(0))).item()

    first, second, third = (loss(epoch) for epoch in (1, 2, 3))
    assert third - second == pytest.approx(second - first, rel=1e-4)
    assert second > first
    with torch.no_grad():
        for each in (network.W[1], network.b[1], network.spread, network.spread_bias):
            each.zero_()
    assert loss(5) == pytest.approx(loss(1), abs=1e-6)


def test_predictions_and_codes_have_no_noise():
    """Twice the same, of the code's mean."""
    model = fit(R, variational=True, dropout=0.5)
    np.testing.assert_array_equal(model.codes(R), model.codes(R))
    assert model.codes(R).shape == (24, 6)


@pytest.mark.parametrize("form", [{}, {"based_on": "item"}, {"variational": True}])
def test_loss_shrinks_and_a_fit_goes_on_to_the_bit(form):
    """From the middle, whatever the form."""
    states: list[NetworkState] = []
    losses: list[float] = []

    def keep(_epoch, figures, state):
        states.append(state)
        losses.append(figures["loss"])

    whole = fit(R, {"n_epochs": 8, "on_epoch": keep}, **form)
    again = fit(R, {"n_epochs": 8, "resume": states[3]}, **form)
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(again.predict_ratings(R, *ALL), whole.predict_ratings(R, *ALL))


def test_embeddings_are_of_users_or_items():
    """A code for every row of the one; a unit row for every item of the other."""
    assert fit(R, {"n_epochs": 1}).codes(R).shape == (24, 6)
    items = fit(R, {"n_epochs": 1}, based_on="item")
    assert isinstance(items, ItemCodes)
    assert items.embedding.shape == (24, 6)
    assert items.codes.shape == (24, 10)
    lengths = np.linalg.norm(items.vectors, axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1.0, rtol=1e-5)


def test_sampled_users_can_be_learnt_from():
    """Ratings on the scale of items that somebody rated; the same for a seed."""
    model = fit(R, variational=True)
    stars = sampled_ratings(model, 50, seed=1)
    assert stars.shape == (50, 24)
    assert stars.std(axis=0).max() > 0
    np.testing.assert_array_equal(stars, sampled_ratings(model, 50, seed=1))
    more = with_sampled_users(R, model, 10, seed=2)
    assert more.shape == (34, 24)
    np.testing.assert_array_equal(more[:24].toarray(), R.toarray())
    assert (np.diff(more[24:].indptr) > 0).all()
    assert ((more.data >= 1) & (more.data <= 5)).all()
    fit(more, {"n_epochs": 1})


@pytest.mark.parametrize("raised", [KeyboardInterrupt, StopIteration])
def test_an_interrupted_training_predicts(raised):
    """With what it had after the last whole epoch."""

    def end(epoch, _figures, _state):
        if epoch == 3:
            raise raised

    stopped = fit(R, {"n_epochs": 9, "on_epoch": end, "interruptible": True})
    three = fit(R, {"n_epochs": 3})
    np.testing.assert_array_equal(stopped.predict_ratings(R, *ALL), three.predict_ratings(R, *ALL))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"k_sparse": 7}, r"at most n_factors \(6\), got 7"),
        ({"k_sparse": 3, "variational": True}, "must not be k-sparse"),
        ({"based_on": "item", "output_activation": "sigmoid"}, "output activation identity"),
    ],
)
def test_forms_that_do_not_fit_are_refused(form, message):
    """What must hold is said."""
    with pytest.raises(ValueError, match=message):
        fit(R, **form)
