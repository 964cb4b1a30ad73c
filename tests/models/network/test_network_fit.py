"""The training loop of networks: going on, early stopping, faults, and its rows on a device."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from models.network.network_fit import Step, TrainedNetwork, Training, fit_network
from models.network.network_state import NetworkState
from models.network.sparse_rows import SparseRows

N_ITEMS = 7


def matrix(n_users: int = 30) -> sp.csr_array:
    """Random weighted rows, one of them empty."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n_users, N_ITEMS)) < 0.4, rng.random((n_users, N_ITEMS)), 0.0)
    X[3] = 0.0
    return sp.csr_array(X.astype(np.float32))


class Linear(TrainedNetwork):
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


def test_steps_become_smaller_after_milestones():
    """Also in a fit that goes on."""
    rates: list[float] = []

    def watch(parameters):
        optimiser = torch.optim.SGD(parameters, lr=0.4, momentum=0.9)
        optimiser.register_step_post_hook(lambda o, *_: rates.append(o.param_groups[0]["lr"]))
        return optimiser

    states: list[NetworkState] = []
    training = Training(5, 30, seed=1, milestones=(1, 3))
    OPTIMISERS["watched"] = watch
    try:
        _, whole = train(
            matrix(), "watched", training=training, on_epoch=lambda _e, _f, s: states.append(s)
        )
        _, again = train(matrix(), "watched", training=training, resume=states[2])
    finally:
        del OPTIMISERS["watched"]
    assert rates == [0.4, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]
    np.testing.assert_array_equal(again.parameters, whole.parameters)


def test_long_gradients_are_shortened():
    """A step of plain descent is then as long as its size says, at most."""
    _, state = train(
        matrix(), "momentum", scale=1e6, training=Training(1, 30, seed=1, max_gradient=2.0)
    )
    start = Linear(matrix()).W.detach().numpy().ravel()
    np.testing.assert_allclose(np.linalg.norm(state.parameters - start), 0.1, rtol=1e-4)


@pytest.mark.parametrize(
    ("raised", "interruptible"), [(StopIteration, False), (KeyboardInterrupt, True)]
)
def test_a_training_that_is_ended_keeps_its_best_epoch(raised, interruptible):
    """By the caller, or by Ctrl-C where it was allowed."""

    def end(epoch, _figures, _state):
        if epoch == 3:
            raise raised

    training = Training(5, 8, seed=1, interruptible=interruptible)
    _, state = train(matrix(), training=training, on_epoch=end)
    _, three = train(matrix(), training=training._replace(n_epochs=3))
    np.testing.assert_array_equal(state.parameters, three.parameters)
    assert state.epoch == 3


def test_an_interruption_is_not_swallowed_elsewhere():
    """A night that is stopped must stop."""

    def end(_epoch, _figures, _state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(matrix(), on_epoch=end)


def test_several_losses_are_several_steps():
    """The second one sees what the first step changed."""

    class Twice(Linear):
        def losses(self, rows, step):
            """The same rows twice."""
            yield self.loss(rows, step)
            yield self.loss(rows, step)

    network = Twice(matrix())
    state = fit_network(
        network, np.arange(30), Training(2, 30, seed=1), OPTIMISERS["adam"](network.parameters())
    )
    assert state.step == 4


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
