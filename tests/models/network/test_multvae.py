"""MultVAE and MultDAE: layers, annealing, going on, and the data they are for."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from models.network.multdae import fit_multdae
from models.network.multvae import find_cap, fit_multvae, usual_anneal_steps
from models.network.multvae_network import (
    BIAS_SPREAD,
    Annealing,
    MultNetwork,
    MultShape,
    layer_sizes,
)
from models.network.network_fit import Step
from models.network.network_state import NetworkState
from models.split.fold_in import fold_in_split
from tests.models.contract import PersonalModelContract, checkerboard
from tests.models.movielens import gain_over_popularity

SMALL = {"n_factors": 4, "n_epochs": 40, "batch_size": 4, "learning_rate": 0.02, "seed": 3}
FITS = {
    "multvae": lambda X, **how: fit_multvae(X, **(SMALL | {"n_hidden": 8} | how)),
    "multdae": lambda X, **how: fit_multdae(X, **(SMALL | how)),
}
both = pytest.mark.parametrize("name", FITS)


class TestMultVAE(PersonalModelContract):
    """MultVAE is a personal model."""

    def fit(self, X):
        """Fit a code of four."""
        return FITS["multvae"](X, n_epochs=100)


class TestMultDAE(PersonalModelContract):
    """MultDAE is a personal model."""

    def fit(self, X):
        """Fit one layer to a code of four."""
        return FITS["multdae"](X)


def test_layers_are_those_of_the_paper():
    """A variational code is given as mean and log variance; both sides mirror each other."""
    vae, dae = MultShape(200, 600, 0.5), MultShape(200, 0, 0.5, variational=False)
    assert layer_sizes(9, vae) == [(9, 600), (600, 400), (200, 600), (600, 9)]
    assert layer_sizes(9, dae) == [(9, 200), (200, 9)]


def test_fitted_layers_have_the_activations_of_the_paper():
    """No activation on the code's mean and on the outputs; rows of unit length."""
    X = checkerboard()
    vae, dae = FITS["multvae"](X, n_epochs=1), FITS["multdae"](X, n_epochs=1, n_hidden=8)
    assert [each.activation for each in vae.layers] == ["tanh", "identity", "tanh", "identity"]
    assert [each.activation for each in dae.layers] == ["tanh", "tanh", "tanh", "identity"]
    assert [each.W.shape for each in vae.layers] == [(16, 8), (8, 4), (4, 8), (8, 16)]
    assert vae.unit_rows
    assert vae.binary


def network(X: sp.csr_array, **shape: object) -> MultNetwork:
    """A network that is not trained."""
    settings = MultShape(4, 8, 0.5)._replace(**shape)
    return MultNetwork(X, settings, Annealing(0.2, 10), batch_size=16, seed=5, device="cpu")


def test_first_weights():
    """Xavier's bounds are reached and kept; biases are small, and cut at two deviations."""
    first = network(sp.csr_array(np.eye(3000, dtype=np.float32)), n_hidden=20)
    for W in first.weights:
        most = np.sqrt(6.0 / sum(W.shape))
        assert 0.95 * most < float(W.detach().abs().max()) <= most
    spread = first.biases[-1].detach()
    assert float(spread.abs().max()) <= 2 * BIAS_SPREAD
    assert float(spread.std()) == pytest.approx(0.88 * BIAS_SPREAD, rel=0.1)


def test_fitted_model_scores_as_the_network_without_noise():
    """The mean of the code is what is decoded; weights of X are not looked at."""
    X = checkerboard()
    X.data *= 3.0
    net = network(X)
    with torch.no_grad():
        ones = torch.tensor(X.toarray() > 0, dtype=torch.float32)
        rows = torch.nn.functional.normalize(ones)
        h = torch.tanh(rows @ net.weights[0] + net.biases[0])
        z = (h @ net.weights[1] + net.biases[1])[:, :4]
        h = torch.tanh(z @ net.weights[2] + net.biases[2])
        expected = h @ net.weights[3] + net.biases[3]
    np.testing.assert_allclose(net.fitted().scores(X), expected, rtol=1e-4, atol=1e-6)


def test_loss_is_the_bound_with_the_weight_of_its_update():
    """Between the first update and one past the cap lies cap times the divergence."""
    X = checkerboard()
    net = network(X, dropout=0.0)

    def loss(n_updates: int) -> float:
        noise = torch.Generator().manual_seed(1)
        with torch.no_grad():
            return float(net.loss(np.arange(16), Step(n_updates, 1, noise)))

    with torch.no_grad():
        rows = net.rows.take(np.arange(16)).dense()
        code = torch.tanh(rows @ net.weights[0] + net.biases[0]) @ net.weights[1] + net.biases[1]
        mean, log_variance = code[:, :4], code[:, 4:]
        divergence = 0.5 * (log_variance.exp() - log_variance + mean**2 - 1).sum(1).mean()
    assert loss(1) - loss(0) == pytest.approx(0.1 * float(divergence), rel=1e-3)
    assert loss(99) - loss(0) == pytest.approx(0.2 * float(divergence), rel=1e-3)


@both
def test_loss_shrinks(name):
    """From the first epochs to the last."""
    losses = []
    FITS[name](checkerboard(), on_epoch=lambda _e, figures, _s: losses.append(figures["loss"]))
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


@both
@pytest.mark.parametrize("likelihood", ["gaussian", "logistic"])
def test_other_likelihoods_find_the_camps(name, likelihood):
    """Every item of a user's camp is above every item of the other, but for a few."""
    X = checkerboard()
    scores = FITS[name](X, likelihood=likelihood, weight=2.0, n_epochs=150).scores(X)
    own = np.add.outer(np.arange(16), np.arange(16)) % 2 == 0
    assert (
        np.where(own, scores, np.inf).min(1) > np.where(own, -np.inf, scores).max(1)
    ).mean() > 0.8


@both
def test_resumed_fit_ends_as_if_never_stopped(name):
    """To the bit, from the middle; the weight of the divergence goes on, too."""
    states: list[NetworkState] = []
    X = checkerboard()
    whole = FITS[name](X, n_epochs=6, on_epoch=lambda _e, _f, state: states.append(state))
    again = FITS[name](X, n_epochs=6, resume=states[2])
    for one, other in zip(whole.layers, again.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)
        np.testing.assert_array_equal(one.b, other.b)


def test_ridge_weight_holds_weights_back():
    """The more, the smaller."""
    X = checkerboard()
    sizes = [np.linalg.norm(FITS["multdae"](X, l2=l2).layers[0].W) for l2 in (0.0, 0.05, 0.5)]
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize(
    ("n_users", "n_epochs", "steps"),
    [(116_677, 200, 198_900), (10**6, 200, 200_000), (529, 20, 170)],
)
def test_usual_growth_reaches_its_cap_within_the_run(n_users, n_epochs, steps):
    """The paper's run of MovieLens stays near its 200,000; small ones get there as well."""
    found = usual_anneal_steps(n_users, n_epochs=n_epochs, batch_size=500, cap=0.2)
    assert found == steps
    assert Annealing(0.2, found).weight(-(-n_users // 500) * n_epochs) == 0.2


def test_cap_is_the_weight_of_the_best_epoch():
    """One epoch is 14 updates of 140: the weight after the best one is a tenth of its number."""
    X = checkerboard(64)
    held_out = fold_in_split(X[56:], target_share=0.2, seed=0)
    how = SMALL | {"n_hidden": 8, "n_epochs": 10, "validation": held_out}
    figures: list[float] = []
    fit_multvae(
        X[:56], cap=1.0, anneal_steps=140,
        on_epoch=lambda _e, found, _s: figures.append(found["ndcg@100"]), **how,
    )  # fmt: skip
    last_best = len(figures) - int(np.argmax(figures[::-1]))
    assert find_cap(X[:56], anneal_steps=140, **how) == pytest.approx(0.1 * last_best)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"n_factors": 0}, "n_factors must be positive, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, got 0"),
        ({"l2": -1.0}, "l2 must not be negative, got -1"),
    ],
)
def test_numbers_out_of_bounds_are_refused(changed, told):
    """With what was given."""
    with pytest.raises(ValueError, match=told):
        FITS["multdae"](checkerboard(), **changed)


def test_matrix_without_entries_is_refused():
    """There is nothing to learn."""
    with pytest.raises(ValueError, match="X must have entries, got none in 3 rows"):
        FITS["multvae"](sp.csr_array((3, 4), dtype=np.float32))


@pytest.mark.realdata
@both
def test_better_than_popularity_on_movielens(name, realdata):
    """Users who were not there in training, two draws of them."""
    how = {"n_factors": 50, "n_epochs": 12, "batch_size": 32, "learning_rate": 2e-3}
    gains = [
        gain_over_popularity(
            lambda X, seed=seed: FITS[name](X, n_hidden=100, seed=seed, **how), realdata, seed
        )
        for seed in range(2)
    ]
    assert min(gains) > 1.15
