"""ELSA's forms through the output: golden values, autograd, and the properties of the model."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from models.elsa.elsa_dense import dense_form, output_gradient
from models.elsa.elsa_torch import Batch, DeviceRows, TorchEngine, exact_form
from tests.models.elsa.test_elsa_gradient import (
    GRADIENT,
    LOSSES,
    W_AFTER_1,
    W_AFTER_3,
    W_START,
    X_GOLDEN,
    batch_of,
    make_steps,
    parameter_at,
    random_weights,
)  # fmt: skip
from tests.models.largest_tensor import LargestTensor
from tests.models.strategies import histories

FORMS = [("linear", "nmse"), ("linear", "cosine"), ("relu", "nmse"), ("relu", "cosine")]
# Computed with dense autograd and torch's NAdam, learning rate 0.1, whole batches, float64
RELU_NMSE = (
    [0.2911602024, 0.2351298041, 0.2157005538],
    [
        [0.60564516, -0.09435483],
        [-0.00564517, 0.50564516],
        [-0.19435484, 0.70564515],
        [0.80564516, 0.09435483],
    ],
    [
        [0.61780719, -0.0851568],
        [-0.14586912, 0.46320737],
        [-0.06169358, 0.78807899],
        [0.83987605, 0.02066648],
    ],
)
RELU_COSINE = (
    [0.5823204047, 0.4702596052, 0.4314011052],
    [
        [0.60564517, -0.09435483],
        [-0.00564518, 0.50564517],
        [-0.19435483, 0.70564516],
        [0.80564517, 0.09435483],
    ],
    [
        [0.6178072, -0.0851568],
        [-0.14586912, 0.46320738],
        [-0.06169357, 0.78807901],
        [0.83987606, 0.02066648],
    ],
)
GOLDEN = [
    ("linear", "nmse", (LOSSES, W_AFTER_1, W_AFTER_3)),
    ("relu", "nmse", RELU_NMSE),
    ("relu", "cosine", RELU_COSINE),
]


def through_rows(form, W: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of a form and its gradient by W, whose unit rows the form takes."""
    norm = W.norm(dim=1, keepdim=True).clamp_min(1e-12)
    A = W / norm
    loss, dA = form(A, batch)
    return loss, (dA - A * (A * dA).sum(dim=1, keepdim=True)) / norm


def dense(
    W: torch.Tensor, X: np.ndarray, output: str, loss: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return loss and gradient by W, by the code under test."""
    batch = batch_of(X.astype(W.numpy().dtype))
    return through_rows(dense_form(output=output, loss=loss), W, batch)


def by_autograd(
    W: torch.Tensor, X: np.ndarray, output: str, loss: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same from the definition; rows without output count as orthogonal."""
    W, x = W.clone().requires_grad_(), torch.from_numpy(X)
    A = normalize(W, dim=1)
    y = x @ A @ A.T - x
    y = y.relu() if output == "relu" else y
    moves = (y * y).sum(1) > 1e-15 * (x * x).sum(1)
    x, y = x[moves], y[moves]
    n_still = int((~moves).sum())
    if loss == "nmse":
        squares = (normalize(y, dim=1) - normalize(x, dim=1)).square()
        value = (squares.sum() + 2.0 * n_still) / X.size
    else:
        cosines = torch.cosine_similarity(x, y, dim=1, eps=1e-12)
        value = 1.0 - cosines.sum() / len(X)
    (value + 0.0 * W.sum()).backward()
    assert W.grad is not None
    return value.detach(), W.grad


def assert_same(
    found: tuple[torch.Tensor, torch.Tensor], expected: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """Compare loss and gradient, the gradient on the scale of its largest number."""
    torch.testing.assert_close(found[0], expected[0], rtol=1e-10, atol=1e-12)
    scale = float(expected[1].abs().max()) + 1.0 / len(expected[1])
    torch.testing.assert_close(found[1], expected[1], rtol=0, atol=1e-9 * scale)


def test_golden_forward():
    """A has rows (1, 0), (0, 1), (.6, .8): y is (.6, .8, .6), with either output."""
    A = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], dtype=torch.float64)
    batch = batch_of(np.array([[1.0, 0.0, 1.0]]))
    for output in ("linear", "relu"):
        nmse, _ = output_gradient(A, batch, output=output, loss="nmse")
        cosine, _ = output_gradient(A, batch, output=output, loss="cosine")
        np.testing.assert_allclose(nmse, 0.1815954166, rtol=1e-9)
        np.testing.assert_allclose(1.0 - cosine, 0.7276068751, rtol=1e-9)


def test_golden_gradient():
    """The first gradient is the one computed by autograd."""
    _, gradient = dense(torch.tensor(W_START, dtype=torch.float64), np.array(X_GOLDEN), *FORMS[0])
    np.testing.assert_allclose(gradient, GRADIENT, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("output", "loss", "golden"), GOLDEN)
def test_golden_steps_of_torch(output, loss, golden):
    """Three steps of torch's NAdam along our gradient arrive where autograd arrives."""
    losses, after_1, after_3 = golden
    W = torch.tensor(W_START, dtype=torch.float64)
    optimizer = torch.optim.NAdam([W], lr=0.1)
    found = []
    for _ in range(3):
        value, W.grad = dense(W, np.array(X_GOLDEN), output, loss)
        optimizer.step()
        found.append((float(value), W.clone().numpy()))
    np.testing.assert_allclose([value for value, _ in found], losses, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[0][1], after_1, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found[2][1], after_3, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("output", "loss", "golden"), GOLDEN)
def test_golden_steps_of_the_engine(output, loss, golden):
    """So does the engine that trains."""
    form = dense_form(output=output, loss=loss)
    start = parameter_at(np.array(W_START), np.float64)
    engine = TorchEngine(
        DeviceRows.from_csr(sp.csr_array(np.array(X_GOLDEN)), "cpu"),
        start,
        form_of_epoch=lambda _: form,
    )
    np.testing.assert_allclose(make_steps(engine, 3, 3), golden[0], rtol=0, atol=1e-9)
    W = engine.parameter.A * engine.parameter.norm[:, None]
    np.testing.assert_allclose(W, golden[2], rtol=0, atol=1e-8)


@pytest.mark.parametrize(("output", "loss"), FORMS)
@given(X=histories(), n_factors=st.integers(2, 4), seed=st.integers(0, 9999))
def test_gradient_is_that_of_autograd(output, loss, X, n_factors, seed):
    """The formula in the file is the derivative of the definition."""
    W = random_weights(X.shape[1], n_factors, seed)
    assert_same(dense(W, X, output, loss), by_autograd(W, X, output, loss))


@pytest.mark.parametrize("loss", ["nmse", "cosine"])
@given(X=histories(), seed=st.integers(0, 9999))
def test_linear_output_is_the_exact_form(loss, X, seed):
    """Without ReLU, y is not needed: the form that never makes it agrees."""
    W = random_weights(X.shape[1], 3, seed)
    exact = exact_form(scale=2.0 / X.shape[1] if loss == "nmse" else 1.0)
    (value, gradient), (expected, slope) = (
        dense(W, X, "linear", loss),
        through_rows(exact, W, batch_of(X)),
    )
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-10)
    scale = float(slope.abs().max()) + 1.0
    torch.testing.assert_close(gradient, slope, rtol=0, atol=1e-10 * scale)


@given(names=st.sampled_from(FORMS), X=histories(), seed=st.integers(0, 9999))
def test_gradient_never_changes_a_norm(names, X, seed):
    """Every row of the gradient is orthogonal to its row of W."""
    W = random_weights(X.shape[1], 3, seed)
    _, gradient = dense(W, X, *names)
    radial = (W * gradient).sum(dim=1)
    scale = float(gradient.abs().max()) + 1.0
    torch.testing.assert_close(radial, torch.zeros_like(radial), rtol=0, atol=1e-12 * scale)


@given(names=st.sampled_from(FORMS), X=histories(), seed=st.integers(0, 9999), data=st.data())
def test_items_have_no_order(names, X, seed, data):
    """Items in another order have the same gradient, in that order."""
    W = random_weights(X.shape[1], 3, seed)
    order = data.draw(st.permutations(range(X.shape[1])))
    value, gradient = dense(W, X, *names)
    assert_same(dense(W[order], X[:, order], *names), (value, gradient[order]))


@given(names=st.sampled_from(FORMS), X=histories(), seed=st.integers(0, 9999), data=st.data())
def test_weight_of_a_row_does_not_matter(names, X, seed, data):
    """The loss looks at directions: a row times a factor is the same row."""
    W = random_weights(X.shape[1], 3, seed)
    factor = data.draw(
        st.lists(st.sampled_from([0.1, 2.0, 30.0]), min_size=len(X), max_size=len(X))
    )
    scaled = X * np.array(factor)[:, None]
    assert_same(dense(W, scaled, *names), dense(W, X, *names))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("output", "loss"), FORMS)
def test_row_without_output_pulls_nowhere(dtype, output, loss):
    """Where y vanishes the loss is that of two orthogonal vectors, its gradient zero."""
    W = 3.0 * torch.eye(4, dtype=dtype)
    X = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.5], [0.0, 10.0, 0.0, 0.0]])
    value, gradient = dense(W, X, output, loss)
    expected = torch.tensor(2.0 / 4 if loss == "nmse" else 1.0, dtype=dtype)
    torch.testing.assert_close(value, expected)
    assert gradient.count_nonzero() == 0


def test_row_without_positive_output_pulls_nowhere():
    """ReLU leaves nothing of a row whose item likes no other; the row beside it still moves."""
    W = torch.tensor([[1.0, 0.0], [-1.0, 0.3], [-1.0, -0.2]], dtype=torch.float64)
    still, moving = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    value, gradient = dense(W, still, "relu", "cosine")
    torch.testing.assert_close(value, torch.ones((), dtype=torch.float64))
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-12)
    X = np.concatenate([still, moving, np.array([[0.0, 1.0, 1.0]])])
    _, gradient = dense(W, X, "relu", "cosine")
    _, expected = dense(W, X[1:], "relu", "cosine")
    assert expected.count_nonzero() > 0
    torch.testing.assert_close(gradient, expected * 2 / 3, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("output", "loss"), FORMS)
def test_blocks_of_rows_change_nothing(monkeypatch, output, loss):
    """A batch whose y is too large for one buffer has the same gradient."""
    X = sp.random_array((23, 40), density=0.1, rng=np.random.default_rng(0)).toarray()
    X[:, 0] = 1.0
    W = random_weights(40, 5, 0)
    whole = dense(W, X, output, loss)
    monkeypatch.setattr("models.elsa.elsa_dense._BLOCK", 5 * 40)
    assert_same(dense(W, X, output, loss), whole)


def test_output_is_the_largest_tensor():
    """One buffer of users x items, of a block of users if there are many; X stays sparse."""
    n_users, n_items, n_factors = 300, 200, 4
    X = sp.random_array((n_users, n_items), density=0.01, rng=np.random.default_rng(0)).toarray()
    X[:, 0] = 1.0
    W, batch = random_weights(n_items, n_factors, 0), batch_of(X)
    with LargestTensor() as largest:
        through_rows(dense_form(output="relu", loss="nmse"), W, batch)
    assert largest.numel == n_users * n_items


def test_float32_is_near_float64():
    """The precision that trains agrees to its own accuracy."""
    rng = np.random.default_rng(0)
    X = (rng.random((64, 300)) < 0.05) * rng.uniform(0.5, 3.0, (64, 300))
    X[:, 0] = 1.0
    W = random_weights(300, 16, 1)
    for output, loss in FORMS:
        _, expected = dense(W, X, output, loss)
        _, found = dense(W.float(), X, output, loss)
        gap = (found.double() - expected).norm() / expected.norm()
        assert gap < 1e-5
