"""Gradients of ELSA with item information, held against autograd in float64."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.elsa import elsa_content_gradient
from models.elsa.elsa_content_gradient import content_gradient
from models.elsa.elsa_torch import DeviceRows
from tests.models.strategies import histories

WEIGHTS = np.arange(1.0, 10.0)


def batch_of(X):
    """Return all rows as one batch; they count differently."""
    return DeviceRows.from_csr(sp.csr_array(X), "cpu", WEIGHTS[: len(X)]).take(np.arange(len(X)))


def sides(n_items, seed):
    """Return an encoder and a decoder, float64."""
    rng = np.random.default_rng(seed)
    return (torch.tensor(rng.normal(size=(n_items, 3)), requires_grad=True) for _ in range(2))


def by_autograd(X, E, D, output):
    """Return the mean of weight (1 - cos(x, y)), y formed for all items."""
    X, weight = torch.tensor(X), torch.tensor(WEIGHTS[: len(X)])
    Y = X @ E @ D.T - X * (E * D).sum(dim=1)
    if output == "relu":
        Y = Y.relu()
    return (weight * (1.0 - torch.nn.functional.cosine_similarity(X, Y, eps=1e-12))).mean()


@pytest.mark.parametrize("output", ["linear", "relu"])
@pytest.mark.parametrize("mode", ["decoder", "encoder"])
@given(X=histories(), seed=st.integers(0, 99))
def test_gradient_is_that_of_autograd(mode, output, X, seed):
    """The side that is learnt, on weighted rows."""
    E, D = sides(X.shape[1], seed)
    expected = by_autograd(X, E, D, output)
    learnt = torch.autograd.grad(expected, E if mode == "decoder" else D)[0]
    loss, gradient = content_gradient(E.detach(), D.detach(), batch_of(X), mode=mode, output=output)
    assert float(loss) == pytest.approx(float(expected.detach()), abs=1e-12)
    np.testing.assert_allclose(gradient, learnt, atol=1e-10)


@pytest.mark.parametrize("mode", ["decoder", "encoder"])
def test_blocks_of_rows_change_nothing(mode, monkeypatch):
    """The output is made two rows at a time."""
    X = np.random.default_rng(0).integers(0, 3, (7, 9)).astype(float) + np.eye(7, 9)
    E, D = (each.detach() for each in sides(9, 1))
    whole = content_gradient(E, D, batch_of(X), mode=mode, output="relu")
    monkeypatch.setattr(elsa_content_gradient, "_BLOCK", 18)
    parts = content_gradient(E, D, batch_of(X), mode=mode, output="relu")
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-14)


@pytest.mark.parametrize("output", ["linear", "relu"])
@pytest.mark.parametrize("mode", ["decoder", "encoder"])
def test_row_without_output_pulls_nowhere(mode, output):
    """One item alone says nothing of others when these have no content."""
    E, D = torch.ones(3, 2, dtype=torch.float64), torch.zeros(3, 2, dtype=torch.float64)
    loss, gradient = content_gradient(
        E, D, batch_of(np.array([[1.0, 0.0, 0.0]])), mode=mode, output=output
    )
    assert float(loss) == 1.0
    assert not gradient.any()
