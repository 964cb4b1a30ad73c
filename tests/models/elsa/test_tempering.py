"""Popularity tempering: golden scores, and what it means for the fit."""

import numpy as np
import pytest
import scipy.sparse as sp

from models.elsa.elsa import ELSA, fit_elsa
from models.elsa.elsa_form import ELSAForm
from models.elsa.tempering import popularity_power, scale_items
from models.ranking.ranking import rank_users

A = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], dtype=np.float32)
COUNTS = np.array([4, 1, 16])


def test_golden_powers():
    """By hand; an item without interactions is left alone."""
    np.testing.assert_allclose(popularity_power(np.array([4, 0, 1, 16]), -0.5), [0.5, 1, 1, 0.25])
    assert popularity_power(COUNTS, 0.5).dtype == np.float32


def test_golden_scores():
    """A popular item of the history weighs less, a popular item to list weighs more."""
    X = sp.csr_array(np.array([[1.0, 1.0, 0.0]], dtype=np.float32))
    model = ELSA(A, COUNTS, alpha=0.5, beta=0.25)
    # x~ = (1/2, 1, 0), x~ A Aᵀ - x~ = (0, 0, .3 + .8), times 16^.25 = 2
    np.testing.assert_allclose(model.scores(X), [[0.0, 0.0, 2.2]], atol=1e-6)
    np.testing.assert_allclose((model.encode(X) @ model.decoder.T)[0, 2], 2.2, rtol=1e-6)
    plain = ELSA(A, COUNTS)
    np.testing.assert_allclose(plain.scores(X), [[0.0, 0.0, 1.4]], atol=1e-6)
    assert plain.decoder is A


def test_beta_changes_the_order_of_a_list():
    """Two items as similar to the history as each other: the popular one comes first."""
    factors = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]], dtype=np.float32)
    X = sp.csr_array(np.array([[1.0, 0.0, 0.0]], dtype=np.float32))
    for beta, expected in ((0.0, [1, 2]), (0.3, [2, 1])):
        model = ELSA(factors, np.array([9, 1, 9]), beta=beta)
        ((_, items, _),) = rank_users(model, X, seen=X, eligible=np.ones(3, bool), k=2)
        assert items[0].tolist() == expected


def test_fit_learns_from_what_it_reads():
    """The factors are those of a fit of the divided matrix, and counts are of users."""
    rng = np.random.default_rng(0)
    X = sp.csr_array(((rng.random((50, 12)) < 0.3) * 2.0).astype(np.float32))
    settings = {
        "n_factors": 3, "n_epochs": 4, "batch_size": 9, "learning_rate": 0.1, "seed": 1,
    }  # fmt: skip
    model = fit_elsa(X, alpha=0.4, beta=0.2, **settings)
    counts = np.bincount(X.indices, minlength=12)
    by_hand = fit_elsa(scale_items(X, popularity_power(counts, -0.4)), **settings)
    np.testing.assert_array_equal(model.A, by_hand.A)
    np.testing.assert_array_equal(model.counts, counts)
    assert (model.alpha, model.beta) == (0.4, 0.2)
    assert np.abs(model.A - fit_elsa(X, **settings).A).max() > 0.01


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_caller_keeps_their_matrix(alpha):
    """Nothing is scaled in place."""
    X = sp.csr_array(np.array([[1.0, 2.0, 0.0]], dtype=np.float32))
    before = X.copy()
    ELSA(A, COUNTS, alpha=alpha).encode(X)
    np.testing.assert_array_equal(X.data, before.data)


@pytest.mark.parametrize("step", ["exact", "dense"])
def test_gamma_lets_long_histories_count_more(step):
    """Two users disagree about an item: with gamma the one with the longer history is followed."""
    X = np.zeros((2, 12), dtype=np.float32)
    X[0, [0, 1, 2, 3, 4, 5, 6, 7]] = 1.0  # item 0 among these
    X[1, [0, 8]] = 1.0  # and beside this one
    nearer = []
    for gamma in (0.0, 1.0):
        model = fit_elsa(
            sp.csr_array(X), n_factors=4, n_epochs=60, batch_size=2, learning_rate=0.05, seed=0,
            form=ELSAForm(step=step, gamma=gamma),
        )  # fmt: skip
        cosine = model.A[0] @ model.A.T
        nearer.append(cosine[1:8].mean() - cosine[8])
    assert nearer[1] > nearer[0]


def test_gamma_is_a_weight_of_users_and_not_of_the_step():
    """Users of equal length are as without it."""
    rng = np.random.default_rng(0)
    rows = [rng.choice(20, 5, replace=False) for _ in range(40)]
    X = sp.csr_array(
        (np.ones(200, np.float32), np.concatenate(rows), np.arange(0, 201, 5)), shape=(40, 20)
    )
    settings = {
        "n_factors": 3, "n_epochs": 3, "batch_size": 9, "learning_rate": 0.1, "seed": 1,
    }  # fmt: skip
    weighted, plain = (
        fit_elsa(X, form=ELSAForm(gamma=gamma), **settings).A for gamma in (0.7, 0.0)
    )
    np.testing.assert_allclose(weighted, plain, atol=1e-4)
