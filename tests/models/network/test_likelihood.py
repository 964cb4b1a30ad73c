"""Likelihoods of rows and their slopes, against autograd in float64 and golden values."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from models.network.likelihood import Entries, negative_log_likelihood
from models.network.multvae_network import Annealing, kl_divergence

LIKELIHOODS = ("multinomial", "gaussian", "logistic")
WEIGHT = 3.0


def drawn(seed: int, batch: int, n_items: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes, weights, biases and rows of zeros and ones, some of them empty; float64."""
    noise = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=noise, dtype=torch.float64, requires_grad=True)

    X = (torch.rand(batch, n_items, generator=noise) < 0.3).double()
    return normal(batch, 3), normal(3, n_items), normal(n_items), X


def plainly(f: Tensor, X: Tensor, likelihood: str) -> Tensor:
    """The definitions."""
    match likelihood:
        case "multinomial":
            loss = -(X * functional.log_softmax(f, dim=1)).sum()
        case "gaussian":
            loss = (torch.where(X > 0, WEIGHT, 1.0) * (X - f).square()).sum() / 2
        case _:
            loss = functional.binary_cross_entropy_with_logits(f, X, reduction="sum")
    return loss / len(f)


def entries_of(X: Tensor) -> Entries:
    """Places of the ones."""
    return Entries(*X.nonzero(as_tuple=True))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@given(seed=st.integers(0, 999), batch=st.integers(1, 5), n_items=st.integers(1, 9))
def test_loss_and_slopes_are_those_of_autograd(likelihood, seed, batch, n_items):
    """By codes, weights and biases, and also where the loss is scaled on its way back."""
    h, W, b, X = drawn(seed, batch, n_items)
    expected = plainly(h @ W + b, X, likelihood)
    slopes = torch.autograd.grad(7.0 * expected, (h, W, b))
    buffer = torch.full((batch + 2, n_items), 9.0, dtype=torch.float64)
    loss = negative_log_likelihood(
        h, W, b, entries_of(X), likelihood=likelihood, weight=WEIGHT, buffer=buffer
    )
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-10)
    found = torch.autograd.grad(7.0 * loss, (h, W, b))
    torch.testing.assert_close(found, slopes, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_finite_differences_agree(likelihood):
    """By torch, with a fresh buffer each time."""
    h, W, b, X = drawn(5, 3, 4)
    assert torch.autograd.gradcheck(
        lambda *given: negative_log_likelihood(
            *given, entries_of(X), likelihood=likelihood, weight=WEIGHT
        ),
        (h, W, b),
    )


def test_outputs_far_apart_stay_finite():
    """A softmax of float32 would be 0 or overflow there."""
    h, W = torch.ones(1, 1), torch.tensor([[1000.0, -1000.0]])
    at = Entries(torch.tensor([0]), torch.tensor([1]))
    loss = negative_log_likelihood(h, W, torch.zeros(2), at, likelihood="multinomial")
    assert float(loss) == pytest.approx(2000.0)


def test_golden_likelihood():
    """Logits 1, 0, -1, 2 and a row of 1, 0, 0, 1."""
    f = torch.tensor([1.0, 0.0, -1.0, 2.0], dtype=torch.float64)
    at = Entries(torch.tensor([0, 0]), torch.tensor([0, 3]))
    nothing = torch.zeros(1, 1, dtype=torch.float64)
    loss = negative_log_likelihood(nothing, f[None], f, at, likelihood="multinomial")
    assert float(loss) == pytest.approx(1.88037940, abs=5e-9)


def test_golden_divergence():
    """Mean .5, -1 and log variance 0, -.5."""
    found = kl_divergence(torch.tensor([[0.5, -1.0]]).double(), torch.tensor([[0.0, -0.5]]))
    assert float(found) == pytest.approx(0.67826533, abs=5e-9)


def test_golden_annealing():
    """200,000 updates to 1, and a cap of .2."""
    growth = Annealing(0.2, 200_000)
    found = [growth.weight(n) for n in (0, 234, 20_000, 40_000, 60_000)]
    assert found == pytest.approx([0.0, 0.00117, 0.1, 0.2, 0.2])
