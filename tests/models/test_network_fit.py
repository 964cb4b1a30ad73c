"""The training loop of networks: going on, early stopping, faults, and its rows on a device."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from models.network_fit import Step, Training, fit_network
from models.network_state import NetworkState
from models.sparse_rows import SparseRows

N_ITEMS = 7


def matrix(n_users: int = 30) -> sp.csr_array:
    """Random weighted rows, one of them empty."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n_users, N_ITEMS)) < 0.4, rng.random((n_users, N_ITEMS)), 0.0)
    X[3] = 0.0
    return sp.csr_array(X.astype(np.float32))


class Linear(nn.Module):
    """The smallest autoencoder: X W against X, with noise on its input."""

    def __init__(self, X: sp.csr_array, scale: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.W = nn.Parameter(0.1 * torch.randn(N_ITEMS, N_ITEMS, generator=generator))
        self.rows, self.scale = SparseRows(X, "cpu"), scale

    def loss(self, rows: np.ndarray, step: Step) -> torch.Tensor:
        """Squared error."""
        batch = self.rows.take(rows)
        out = batch.dropped(0.7, step.noise).product(self.W)
        return self.scale * ((out - batch.dense()) ** 2).mean()

    def fitted(self) -> np.ndarray:
        """The weights."""
        return self.W.detach().numpy()


OPTIMISERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
}


def train(X: sp.csr_array, name: str = "adam", **settings: object) -> tuple[Linear, NetworkState]:
    """A fit of five epochs, in batches of eight."""
    network = Linear(X, settings.pop("scale", 1.0))
    training = settings.pop("training", Training(5, 8, seed=1))
    optimiser = OPTIMISERS[name](network.parameters())
    rows = np.arange(X.shape[0])
    return network, fit_network(network, rows, training, optimiser, **settings)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_resumed_fit_ends_as_if_never_stopped(name):
    """From every epoch, to the bit."""
    states: list[NetworkState] = []
    _, whole = train(matrix(), name, on_epoch=lambda _e, _f, state: states.append(state))
    assert [state.epoch for state in states] == [1, 2, 3, 4, 5]
    for state in states[:-1]:
        _, again = train(matrix(), name, resume=state)
        np.testing.assert_array_equal(again.parameters, whole.parameters)
        np.testing.assert_array_equal(again.memory, whole.memory)
        assert again.step == whole.step == 20


def test_loss_shrinks():
    """Each epoch's figure is below the one before on this convex loss."""
    losses = []
    train(
        matrix(), training=Training(20, 8, 0), on_epoch=lambda _e, f, _s: losses.append(f["loss"])
    )
    assert losses[-1] < 0.8 * losses[0]


def test_best_epoch_is_kept_and_patience_ends_the_fit():
    """Figures 1, 3, 2, 2: the second epoch is best, and two worse ones are enough."""
    figures = iter([1.0, 3.0, 2.0, 2.0, 9.0])
    after: list[np.ndarray] = []
    network, state = train(
        matrix(), training=Training(5, 8, seed=1, patience=2),
        validate=lambda _model: {"ndcg@100": next(figures)},
        on_epoch=lambda _e, _f, state: after.append(state.parameters),
    )  # fmt: skip
    assert (state.best_epoch, state.epoch, state.best_metric) == (2, 4, 3.0)
    np.testing.assert_array_equal(network.W.detach().numpy().ravel(), after[1])


def test_of_an_error_the_smallest_is_best():
    """Figures 1, 0.5, 0.7."""
    figures = iter([1.0, 0.5, 0.7])
    _, state = train(
        matrix(), training=Training(3, 8, seed=1), metric="rmse",
        validate=lambda _model: {"rmse": next(figures)},
    )  # fmt: skip
    assert (state.best_epoch, state.best_metric) == (2, -0.5)


def test_divergence_names_batch_and_cause():
    """A loss that is not finite ends the fit."""
    with pytest.raises(ArithmeticError, match=r"nan in epoch 1, batch 0.*learning_rate"):
        train(matrix(), scale=float("nan"))


def test_state_of_another_network_is_refused():
    """The number of parameters differs."""
    _, state = train(matrix())
    wrong = NetworkState(state.parameters[:-1], *[getattr(state, name) for name in (
        "best_parameters", "memory", "step", "epoch", "best_epoch", "best_metric")])  # fmt: skip
    with pytest.raises(ValueError, match="49 parameters, got 48"):
        train(matrix(), resume=wrong)


def test_rows_are_those_of_the_matrix():
    """Any rows, in any order, also empty ones; products and their gradient as with dense rows."""
    X, rows = matrix(), np.array([5, 3, 0, 29])
    batch = SparseRows(X, "cpu").take(rows)
    np.testing.assert_array_equal(batch.dense().numpy(), X[rows].toarray())
    W = torch.randn(N_ITEMS, 4, requires_grad=True)
    batch.product(W).square().sum().backward()
    given, W.grad = W.grad, None
    (batch.dense() @ W).square().sum().backward()
    torch.testing.assert_close(given, W.grad)


def test_dropped_entries_keep_the_mean():
    """Kept ones are divided by the chance; the noise follows its generator."""
    batch = SparseRows(matrix(2000), "cpu").take(np.arange(2000))
    drop = [batch.dropped(0.5, torch.Generator().manual_seed(7)).value for _ in range(2)]
    torch.testing.assert_close(drop[0], drop[1], rtol=0, atol=0)
    kept = drop[0] != 0
    torch.testing.assert_close(drop[0][kept], 2 * batch.value[kept])
    assert abs(float(kept.float().mean()) - 0.5) < 0.03
