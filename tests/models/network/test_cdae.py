"""CDAE: four variants, vectors of users, steps of AdaGrad, and the data it is for."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.special import expit

from models.network.cdae import fit_cdae
from models.network.cdae_network import CDAENetwork, CDAEShape
from models.network.network_fit import Step
from models.network.network_state import NetworkState
from tests.models.contract import PersonalModelContract, checkerboard
from tests.models.movielens import gain_over_popularity

SMALL = {"n_factors": 4, "n_epochs": 40, "batch_size": 4, "learning_rate": 0.5, "seed": 1}
VARIANTS = ("M1", "M2", "M3", "M4")


def fitted(X, **how):
    """A small fit."""
    return fit_cdae(X, **(SMALL | how))


class TestCDAE(PersonalModelContract):
    """CDAE is a personal model, also of users that are new to it."""

    def fit(self, X):
        """Fit the default variant."""
        return fitted(X)


def network(X: sp.csr_array, **changed: object) -> CDAENetwork:
    """A network that is not trained, without noise."""
    shape = CDAEShape(3, "sigmoid", "logistic", 0.0, 0, 0.0, tied=False, user_vectors=True)
    return CDAENetwork(X, shape._replace(**changed), seed=2, device="cpu")


def loss_of(net: CDAENetwork, rows: np.ndarray) -> torch.Tensor:
    """A first step's."""
    return net.loss(rows, Step(0, 1, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_loss_shrinks_in_every_variant(variant):
    """The last epochs' losses are below the first ones'."""
    losses, told = [], {"variant": variant, "learning_rate": 0.2}
    fitted(checkerboard(), on_epoch=lambda _e, found, _s: losses.append(found["loss"]), **told)
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


@pytest.mark.parametrize("variant", VARIANTS)
def test_code_goes_through_a_sigmoid_in_m3_and_m4(variant):
    """Outputs are kept as they are before their own."""
    layers = fitted(checkerboard(), variant=variant, n_epochs=1).for_new_users.layers
    expected = "sigmoid" if variant in ("M3", "M4") else "identity"
    assert [each.activation for each in layers] == [expected, "identity"]


@pytest.mark.parametrize("loss", ["square", "logistic"])
@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_loss_is_that_of_the_definition(loss, activation):
    """Observed items, users' vectors, and a ridge on those vectors; no negatives here."""
    X = checkerboard()
    net, rows = network(X, loss=loss, activation=activation, l2=0.3), np.array([1, 4, 9])
    with torch.no_grad():
        net.V.normal_(generator=torch.Generator().manual_seed(3))
        W, b, W_out, b_out, V = (
            each.numpy() for each in (net.W_in, net.b_code, net.W_out, net.b_out, net.V)
        )
        h = X.toarray()[rows] @ W + b + V[rows]
        y = (expit(h) if activation == "sigmoid" else h) @ W_out.T + b_out
        had = X.toarray()[rows] > 0
        missed = 0.5 * (1 - y) ** 2 if loss == "square" else np.log1p(np.exp(-y))
        expected = missed[had].sum() + 0.15 * (V[rows] ** 2).sum()
        assert loss_of(net, rows).item() == pytest.approx(expected, rel=1e-5)


def test_negatives_are_added_for_every_item_had():
    """All outputs 0: a logistic loss of log 2 for each item had and each one drawn."""
    X = checkerboard()
    net = network(X, n_negatives=5)
    with torch.no_grad():
        net.W_out.zero_()
    assert loss_of(net, np.arange(16)).item() == pytest.approx(16 * 7 * 6 * np.log(2), rel=1e-5)


def test_step_is_that_of_the_paper():
    """It is eta g / (1 + sqrt(sum of g squared)), for weights and for the vectors of the batch."""
    X, states = checkerboard(), []
    how = {"dropout": 0.0, "n_negatives": 0, "batch_size": 16, "n_epochs": 2, "n_factors": 3,
           "seed": 2, "learning_rate": 0.7, "l2": 0.1}  # fmt: skip
    net = network(X, l2=0.1)
    fit_cdae(X, on_epoch=lambda _e, _f, state: states.append(state), **how)
    total = [torch.zeros_like(each) for each in net.parameters()]
    for state in states:
        order = np.random.default_rng([2, state.epoch]).permutation(16)
        net.zero_grad()
        loss_of(net, order).backward()
        with torch.no_grad():
            for place, (name, each) in enumerate(net.named_parameters()):
                g = each.grad.to_dense() + (0.0 if name == "V" else 0.1 * each)
                total[place] += g**2
                each -= 0.7 * g / (1.0 + total[place].sqrt())
        flat = torch.cat([each.detach().ravel() for each in net.parameters()])
        np.testing.assert_allclose(state.parameters, flat, rtol=1e-4, atol=1e-6)


def test_known_users_have_vectors_and_new_ones_have_none():
    """A vector shifts the code before its activation; -1 is a new user."""
    X = checkerboard()
    model = fitted(X, learning_rate=0.3)
    assert model.V.shape == (16, 4)
    new, known = model.encode(X), model.encode(X, np.arange(16))
    first = model.for_new_users.layers[0]
    h = X.toarray() @ first.W + first.b + model.V
    np.testing.assert_allclose(known[:, :4], expit(h), rtol=1e-5)
    assert np.abs(known - new).max() > 1e-3
    mixed = model.encode(X, np.where(np.arange(16) < 8, np.arange(16), -1))
    np.testing.assert_array_equal(mixed, np.vstack([known[:8], new[8:]]))
    without = fitted(X, user_vectors=False)
    assert without.V.shape == (16, 0)
    np.testing.assert_array_equal(without.encode(X, np.arange(16)), without.encode(X))


def test_tied_weights_are_one_matrix():
    """Of input and output."""
    first, last = fitted(checkerboard(), tied=True).for_new_users.layers
    np.testing.assert_array_equal(first.W, last.W.T)


def test_ridge_weight_holds_everything_back():
    """Weights and users' vectors."""
    X = checkerboard()
    free, held = (fitted(X, l2=l2) for l2 in (0.0, 3.0))
    assert np.linalg.norm(held.V) < 0.7 * np.linalg.norm(free.V)
    assert np.linalg.norm(held.decoder) < 0.7 * np.linalg.norm(free.decoder)


def test_resumed_fit_ends_as_if_never_stopped():
    """To the bit, users' vectors too."""
    states: list[NetworkState] = []
    X = checkerboard()
    whole = fitted(X, n_epochs=6, on_epoch=lambda _e, _f, state: states.append(state))
    again = fitted(X, n_epochs=6, resume=states[2])
    np.testing.assert_array_equal(whole.V, again.V)
    np.testing.assert_array_equal(whole.decoder, again.decoder)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"n_negatives": -1}, "n_negatives must not be negative, got -1"),
        ({"learning_rate": -1.0}, "learning_rate must be positive, got -1.0"),
    ],
)
def test_numbers_out_of_bounds_are_refused(changed, told):
    """With what was given."""
    with pytest.raises(ValueError, match=told):
        fitted(checkerboard(), **changed)


def test_matrix_without_entries_is_refused():
    """There is nothing to learn."""
    with pytest.raises(ValueError, match="X must have entries, got none in 3 rows"):
        fitted(sp.csr_array((3, 4), dtype=np.float32))


@pytest.mark.realdata
def test_better_than_popularity_on_movielens(realdata):
    """Users who were not there in training, two draws of them."""
    how = {"n_factors": 20, "n_epochs": 15, "batch_size": 32, "learning_rate": 0.3}
    gains = [
        gain_over_popularity(lambda X, seed=seed: fit_cdae(X, seed=seed, **how), realdata, seed)
        for seed in range(2)
    ]
    assert min(gains) > 1.1
