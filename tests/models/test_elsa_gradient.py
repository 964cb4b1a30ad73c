"""ELSA's hand-written gradient: golden values, autograd, and the properties of the model."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.elsa import Gradient, loss_and_gradient
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


def exact(W: torch.Tensor, X: np.ndarray) -> Gradient:
    """Return loss and gradient of a dense batch by the code under test."""
    batch = torch.from_numpy(X).to(W.dtype)
    return loss_and_gradient(W, batch.to_sparse_csr(), batch.T.contiguous().to_sparse_csr())


def by_autograd(W: torch.Tensor, X: np.ndarray) -> Gradient:
    """Return the same from the definition, through the dense users x items output."""
    W, batch = W.clone().requires_grad_(), torch.from_numpy(X)
    A = torch.nn.functional.normalize(W, dim=1)
    output = torch.nn.functional.normalize(batch @ A @ A.T - batch, dim=1)
    loss = torch.nn.functional.mse_loss(output, torch.nn.functional.normalize(batch, dim=1))
    loss.backward()
    assert W.grad is not None
    return Gradient(loss.detach(), W.grad)


def random_weights(n_items: int, n_factors: int, seed: int) -> torch.Tensor:
    """Return W in float64."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n_items, n_factors)))


def test_golden_steps():
    """Three steps of NAdam arrive where dense autograd arrives."""
    W, X = torch.tensor(W_START, dtype=torch.float64), np.array(X_GOLDEN)
    optimizer = torch.optim.NAdam([W], lr=0.1)
    losses, weights, gradients = [], [], []
    for _ in range(3):
        loss, W.grad = exact(W, X)
        gradients.append(W.grad.numpy().copy())
        optimizer.step()
        losses.append(float(loss))
        weights.append(W.numpy().copy())
    np.testing.assert_allclose(losses, LOSSES, rtol=0, atol=1e-9)
    np.testing.assert_allclose(gradients[0], GRADIENT, rtol=0, atol=1e-8)
    np.testing.assert_allclose(weights[0], W_AFTER_1, rtol=0, atol=1e-8)
    np.testing.assert_allclose(weights[2], W_AFTER_3, rtol=0, atol=1e-8)


@given(X=histories(), n_factors=st.integers(2, 4), seed=st.integers(0, 9999))
def test_gradient_is_that_of_autograd(X, n_factors, seed):
    """The loss without a users x items buffer has the gradient of the loss with one."""
    W = random_weights(X.shape[1], n_factors, seed)
    got, expected = exact(W, X), by_autograd(W, X)
    torch.testing.assert_close(got.loss, expected.loss, rtol=1e-10, atol=1e-12)
    scale = float(expected.gradient.abs().max()) + 1.0 / X.shape[1]
    torch.testing.assert_close(got.gradient, expected.gradient, rtol=0, atol=1e-8 * scale)


@given(X=histories(), seed=st.integers(0, 9999))
def test_gradient_never_changes_a_norm(X, seed):
    """Every row of the gradient is orthogonal to its row of W."""
    W = random_weights(X.shape[1], 3, seed)
    radial = (W * exact(W, X).gradient).sum(dim=1)
    torch.testing.assert_close(radial, torch.zeros_like(radial), rtol=0, atol=1e-9)


@given(X=histories(), seed=st.integers(0, 9999), data=st.data())
def test_items_have_no_order(X, seed, data):
    """Items in another order have the same gradient, in that order."""
    W = random_weights(X.shape[1], 3, seed)
    order = data.draw(st.permutations(range(X.shape[1])))
    got, permuted = exact(W, X), exact(W[order], X[:, order])
    torch.testing.assert_close(permuted.loss, got.loss)
    torch.testing.assert_close(permuted.gradient, got.gradient[order], rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_row_without_output_pulls_nowhere(dtype):
    """Where y vanishes the loss is that of two orthogonal vectors, its gradient zero."""
    W = 3.0 * torch.eye(4, dtype=dtype)
    X = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.5], [0.0, 10.0, 0.0, 0.0]])
    loss, gradient = exact(W, X)
    torch.testing.assert_close(loss, torch.tensor(2.0 / 4, dtype=dtype))
    assert gradient.count_nonzero() == 0


def test_nothing_of_users_times_items_is_made():
    """The largest tensor is W, not the output."""
    n_users, n_items, n_factors = 300, 200, 4
    X = sp.random_array((n_users, n_items), density=0.01, rng=np.random.default_rng(0)).toarray()
    X[:, 0] = 1.0
    batch, W = torch.from_numpy(X), random_weights(n_items, n_factors, 0)
    sparse, transposed = batch.to_sparse_csr(), batch.T.contiguous().to_sparse_csr()
    with LargestTensor() as largest:
        loss_and_gradient(W, sparse, transposed)
    assert n_items * n_factors <= largest.numel <= max(n_users, n_items) * n_factors
