"""Biased matrix factorisation: the shared rules, its stationary point, going on."""

import numpy as np
import pytest

from models.rating.biased_mf import BiasedMFState, fit_biased_mf
from tests.models.ratings import RatingContract, ratings_of, taste


def fit(R, **settings):
    """A small rank."""
    given = {"n_factors": 4, "l2": 0.05, "n_epochs": 10, "seed": 0} | settings
    return fit_biased_mf(R, **given)


class TestBiasedMF(RatingContract):
    """The rules of every model of ratings."""

    def fit(self, R):
        """A small rank."""
        return fit(R)


def test_rows_minimise_their_loss():
    """At the weights of a row the gradient of error and ridge is zero."""
    R = ratings_of(taste())
    model = fit(R)
    own = slice(R.indptr[2], R.indptr[3])
    H = np.column_stack([model.factors, np.ones(R.shape[1])])[R.indices[own]].astype(np.float64)
    code = model.encode(R)[2].astype(np.float64)
    w = np.append(code[:4], code[-1] - model.mean)
    error = H @ w + model.mean + model.bias[R.indices[own]] - R.data[own]
    np.testing.assert_allclose(H.T @ error + model.l2 * len(error) * w, 0.0, atol=1e-4)


def test_loss_shrinks_and_fit_goes_on_to_the_bit():
    """From every state the same model comes out."""
    R = ratings_of(taste())
    states: list[BiasedMFState] = []
    losses: list[float] = []

    def keep(epoch, figures, state):
        states.append(state)
        losses.append(figures["loss"])

    whole = fit(R, n_epochs=4, on_epoch=keep)
    assert losses[-1] < losses[0]
    for state in states:
        again = fit(R, n_epochs=4, resume=state)
        np.testing.assert_array_equal(again.factors, whole.factors)
        np.testing.assert_array_equal(again.bias, whole.bias)


def test_the_best_epoch_is_kept():
    """Validation says which; patience ends the fit."""
    cells = taste()
    shown, asked = cells.copy(), np.full_like(cells, np.nan)
    asked[:, ::4], shown[:, ::4] = cells[:, ::4], np.nan
    errors: list[float] = []
    model = fit(
        ratings_of(shown), validation=(ratings_of(cells), ratings_of(asked)), patience=2,
        n_epochs=30, on_epoch=lambda _e, figures, _s: errors.append(figures["rmse"]),
    )  # fmt: skip
    assert model.best_epoch == int(np.argmin(errors)) + 1
    assert len(errors) <= model.best_epoch + 2


def test_weights_must_be_positive():
    """Without a ridge a row's equations may have no solution."""
    with pytest.raises(ValueError, match=r"l2 must be positive, got 0\.0"):
        fit(ratings_of(taste()), l2=0.0)
