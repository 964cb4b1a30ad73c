"""The gradient and the step of ELSA: golden values, autograd, and the properties of the model."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa_cpu import CpuEngine
from models.elsa.elsa_start import unit_rows
from models.elsa.elsa_state import Parameter
from models.elsa.elsa_torch import Batch, DeviceRows, TorchEngine, exact_form
from models.elsa.nadam import Schedule
from tests.models.largest_tensor import LargestTensor
from tests.models.strategies import histories

# Computed with dense autograd and torch's NAdam, learning rate 0.1, whole batches, float64
W_START = [[0.5, -0.2], [0.1, 0.4], [-0.3, 0.6], [0.7, 0.2]]
X_GOLDEN = [[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 1.0]]
LOSSES = [0.4160031667, 0.2851954405, 0.2496415192]
GRADIENT = [
    [-0.30247427, -0.75618567],
    [-0.44946926, 0.11236731],
    [-0.35077376, -0.17538688],
    [0.0058555, -0.02049424],
]
W_AFTER_1 = [
    [0.60564517, -0.09435482],
    [0.20564518, 0.29435483],
    [-0.19435483, 0.70564517],
    [0.594355, 0.30564513],
]
W_AFTER_3 = [
    [0.64120385, -0.01419016],
    [0.18632495, 0.35969544],
    [-0.09608728, 0.76461491],
    [0.76831161, 0.11554111],
]


def batch_of(X: np.ndarray) -> Batch:
    """Return dense rows as a step takes them."""
    tensor = torch.from_numpy(X)
    weight = torch.ones(len(X), dtype=tensor.dtype)
    return Batch(tensor.to_sparse_csr(), tensor.T.contiguous().to_sparse_csr(), weight)


def exact(W: torch.Tensor, X: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return NMSE and its gradient by W, by the code under test."""
    norm = W.norm(dim=1, keepdim=True)
    A = W / norm
    loss, dA = exact_form(scale=2.0 / len(W))(A, batch_of(X.astype(W.numpy().dtype)))
    return loss, (dA - A * (A * dA).sum(dim=1, keepdim=True)) / norm


def by_autograd(W: torch.Tensor, X: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same from the definition, through the dense users x items output."""
    W, batch = W.clone().requires_grad_(), torch.from_numpy(X)
    A = torch.nn.functional.normalize(W, dim=1)
    output = torch.nn.functional.normalize(batch @ A @ A.T - batch, dim=1)
    loss = torch.nn.functional.mse_loss(output, torch.nn.functional.normalize(batch, dim=1))
    loss.backward()
    assert W.grad is not None
    return loss.detach(), W.grad


def random_weights(n_items: int, n_factors: int, seed: int) -> torch.Tensor:
    """Return W in float64."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n_items, n_factors)))


def parameter_at(W: np.ndarray, dtype: type = np.float32) -> Parameter:
    """Return W without momentum."""
    norm = np.linalg.norm(W, axis=1)
    zeros = np.zeros(W.shape, dtype)
    return Parameter((W / norm[:, None]).astype(dtype), norm.astype(dtype), zeros, zeros.copy())


def make_steps(engine: CpuEngine | TorchEngine, n_rows: int, n_steps: int) -> np.ndarray:
    """Make whole-batch steps in place; return their losses."""
    order = np.tile(np.arange(n_rows), n_steps)
    losses, _ = engine.run_epoch(order, batch_size=n_rows, learning_rate=0.1, schedule=Schedule())
    return losses


def engines(X: np.ndarray, W: np.ndarray) -> dict[str, CpuEngine | TorchEngine]:
    """Return both engines in float32, each with a parameter of its own."""
    rows, scale = sp.csr_array(X.astype(np.float32)), 2.0 / len(W)
    return {
        "cpu": CpuEngine(rows, parameter_at(W), scale=scale, weight=np.ones(len(X), np.float32)),
        "torch": TorchEngine(
            DeviceRows.from_csr(rows, "cpu"),
            parameter_at(W),
            form_of_epoch=lambda _: exact_form(scale=scale),
        ),
    }


def weights(engine: CpuEngine | TorchEngine) -> np.ndarray:
    """Return W."""
    return engine.parameter.A * engine.parameter.norm[:, None]


def test_golden_steps_in_float64():
    """Three steps of NAdam arrive where dense autograd arrives."""
    W, X = np.array(W_START), sp.csr_array(np.array(X_GOLDEN))
    _, gradient = exact(torch.from_numpy(W), np.array(X_GOLDEN))
    np.testing.assert_allclose(gradient, GRADIENT, rtol=0, atol=1e-8)
    for n_steps, expected in ((1, W_AFTER_1), (3, W_AFTER_3)):
        form = exact_form(scale=2.0 / len(W))
        engine = TorchEngine(
            DeviceRows.from_csr(X, "cpu"),
            parameter_at(W, np.float64),
            form_of_epoch=lambda _, form=form: form,
        )
        losses = make_steps(engine, 3, n_steps)
        np.testing.assert_allclose(losses, LOSSES[:n_steps], rtol=0, atol=1e-9)
        np.testing.assert_allclose(weights(engine), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["cpu", "torch"])
def test_golden_steps_in_float32(name):
    """So do the engines that train."""
    engine = engines(np.array(X_GOLDEN), np.array(W_START))[name]
    np.testing.assert_allclose(make_steps(engine, 3, 3), LOSSES, rtol=1e-5)
    np.testing.assert_allclose(weights(engine), W_AFTER_3, rtol=0, atol=1e-5)


@given(X=histories(), n_factors=st.integers(2, 4), seed=st.integers(0, 9999))
def test_gradient_is_that_of_autograd(X, n_factors, seed):
    """The loss without a users x items buffer has the gradient of the loss with one."""
    W = random_weights(X.shape[1], n_factors, seed)
    (loss, gradient), (expected_loss, expected) = exact(W, X), by_autograd(W, X)
    torch.testing.assert_close(loss, expected_loss, rtol=1e-10, atol=1e-12)
    scale = float(expected.abs().max()) + 1.0 / X.shape[1]
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-8 * scale)


@given(X=histories(), seed=st.integers(0, 9999))
def test_gradient_never_changes_a_norm(X, seed):
    """Every row of the gradient is orthogonal to its row of W."""
    W = random_weights(X.shape[1], 3, seed)
    radial = (W * exact(W, X)[1]).sum(dim=1)
    torch.testing.assert_close(radial, torch.zeros_like(radial), rtol=0, atol=1e-9)


@given(X=histories(), seed=st.integers(0, 9999), data=st.data())
def test_items_have_no_order(X, seed, data):
    """Items in another order have the same gradient, in that order."""
    W = random_weights(X.shape[1], 3, seed)
    order = data.draw(st.permutations(range(X.shape[1])))
    (loss, gradient), (permuted_loss, permuted) = exact(W, X), exact(W[order], X[:, order])
    torch.testing.assert_close(permuted_loss, loss)
    torch.testing.assert_close(permuted, gradient[order], rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_row_without_output_pulls_nowhere(dtype):
    """Where y vanishes the loss is that of two orthogonal vectors, its gradient zero."""
    W = 3.0 * torch.eye(4, dtype=dtype)
    X = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.5], [0.0, 10.0, 0.0, 0.0]])
    loss, gradient = exact(W, X)
    torch.testing.assert_close(loss, torch.tensor(2.0 / 4, dtype=dtype))
    assert gradient.count_nonzero() == 0


def test_engines_agree_on_many_slices_and_tiles(monkeypatch):
    """Thousands of items, rows of uneven length and batches that do not divide them."""
    rng = np.random.default_rng(0)
    X = rng.random((700, 3000)) < 0.01 + 0.1 * (np.arange(3000) < 30)
    X = X * rng.uniform(0.5, 3.0, X.shape)
    X[:, 5] = 1.0
    monkeypatch.setattr("models.elsa.elsa_cpu._TILE", 100 * 16)
    both = engines(X, rng.normal(size=(3000, 16)))
    runs = {
        name: engine.run_epoch(
            np.arange(700), batch_size=300, learning_rate=0.1, schedule=Schedule()
        )
        for name, engine in both.items()
    }
    np.testing.assert_allclose(runs["cpu"][0], runs["torch"][0], rtol=1e-5)
    assert runs["cpu"][1] == runs["torch"][1]
    np.testing.assert_allclose(weights(both["cpu"]), weights(both["torch"]), atol=2e-3)


def test_number_of_threads_changes_no_bit(monkeypatch):
    """What is summed in which order depends on the matrix alone."""
    rng = np.random.default_rng(0)
    X, W = rng.random((600, 2000)) < 0.02, rng.normal(size=(2000, 8))
    X[:, 0] = True
    found = []
    for n_threads in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n_threads: n)
        engine = engines(X, W)["cpu"]
        make_steps(engine, 600, 3)
        found.append(weights(engine))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_batch_that_does_not_fit_is_halved(caplog):
    """Out of memory is no end: the log says with how many users it goes on, every row counts."""
    X, W = np.array(X_GOLDEN * 4), np.array(W_START)
    inner, sizes = exact_form(scale=2.0 / len(W)), []

    def form(A: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        if batch.X.shape[0] > 3:
            raise torch.OutOfMemoryError("no room")
        sizes.append(batch.X.shape[0])
        return inner(A, batch)

    rows = sp.csr_array(X.astype(np.float32))
    engine = TorchEngine(
        DeviceRows.from_csr(rows, "cpu"), parameter_at(W), form_of_epoch=lambda _: form
    )
    losses, schedule = engine.run_epoch(
        np.arange(12), batch_size=12, learning_rate=0.1, schedule=Schedule()
    )
    assert sizes == [3, 3, 3, 3]
    assert schedule.step == len(losses) == 4
    assert "out of memory: 3 users per step from here on" in caplog.text


def test_row_that_does_not_fit_alone_is_an_error():
    """There is nothing left to halve."""

    def form(A: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        raise torch.OutOfMemoryError("no room")

    rows = sp.csr_array(np.array(X_GOLDEN, np.float32))
    engine = TorchEngine(
        DeviceRows.from_csr(rows, "cpu"),
        parameter_at(np.array(W_START)),
        form_of_epoch=lambda _: form,
    )
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        make_steps(engine, 3, 1)


def test_nothing_of_users_times_items_is_made():
    """The largest tensor is W, not the output."""
    n_users, n_items, n_factors = 300, 200, 4
    X = sp.random_array((n_users, n_items), density=0.01, rng=np.random.default_rng(0)).toarray()
    X[:, 0] = 1.0
    A, _ = unit_rows(random_weights(n_items, n_factors, 0).numpy())
    batch = batch_of(X)
    with LargestTensor() as largest:
        exact_form(scale=1.0)(torch.from_numpy(A), batch)
    assert n_items * n_factors <= largest.numel <= max(n_users, n_items) * n_factors


@pytest.mark.parametrize("n_steps", [1, 2, 50])
def test_schedule_is_that_of_torch(n_steps):
    """A parameter under a constant gradient goes where torch's NAdam takes it."""
    weight = torch.zeros(1, dtype=torch.float64)
    optimizer = torch.optim.NAdam([weight], lr=0.1)
    ours, first, second, schedule = 0.0, 0.0, 0.0, Schedule()
    for step in range(n_steps):
        gradient = np.cos(step)
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        schedule, c = schedule.advance(0.1)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        moved = c.gradient * gradient + c.momentum * first
        ours -= moved / (np.sqrt(second * c.variance) + 1e-8)
    np.testing.assert_allclose(ours, float(weight), rtol=1e-6)  # torch keeps a float32 product
