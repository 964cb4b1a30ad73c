"""SimpleCF: golden outputs, tables that are given or frozen, and what is kept of them."""

import numpy as np
import pytest
import torch
from torch import nn

from models.factors.simple_cf import SimpleCF

USER, ITEM = torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[0.4, -0.5, 0.6]])
FIRST = torch.tensor([0])


@pytest.mark.parametrize(("binary", "expected"), [(False, 0.12), (True, 0.52996405)])
def test_golden_output(binary, expected):
    """One number for each pair, in the shape of the indices."""
    network = SimpleCF(1, 1, 3, user_embeddings=USER, item_embeddings=ITEM, binary=binary)
    out = network(FIRST, FIRST)
    assert out.shape == (1,)
    np.testing.assert_allclose(out.detach().numpy(), [expected], atol=5e-8)
    np.testing.assert_allclose(network.scores(0), [expected], atol=5e-8)


@pytest.mark.parametrize("name", ["users", "items"])
def test_frozen_table_has_no_gradient_and_stays(name):
    """The other one is trained."""
    network = SimpleCF(3, 4, 2, **{f"freeze_{name}": True})
    tables = {"users": network.user_embeddings, "items": network.item_embeddings}
    before = {each: table.weight.detach().clone() for each, table in tables.items()}
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5)
    network(torch.tensor([1, 2]), torch.tensor([0, 3])).sum().backward()
    optimiser.step()
    for each, table in tables.items():
        changed = bool((table.weight != before[each]).any())
        assert changed == (each != name)
        assert (table.weight.grad is None) == (each == name)


def test_given_embeddings_are_kept_and_still_trained():
    """Whatever filled the tables before; their source is not touched."""
    given = torch.ones(2, 3)
    network = SimpleCF(2, 1, 3, user_embeddings=given, initialiser=nn.init.constant_, val=7.0)
    torch.testing.assert_close(network.user_embeddings.weight.detach(), given)
    torch.testing.assert_close(network.item_embeddings.weight.detach(), torch.full((1, 3), 7.0))
    network(FIRST, FIRST).sum().backward()
    assert network.user_embeddings.weight.grad is not None
    with torch.no_grad():
        network.user_embeddings.weight.zero_()
    assert given.min() == 1.0


def test_initialiser_takes_its_arguments_and_the_seed():
    """Both tables follow mean and spread; the global generator is neither read nor moved."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    made = [SimpleCF(500, 400, 20, mean=3.0, std=0.1, seed=seed) for seed in (5, 5, 6)]
    assert torch.equal(torch.get_rng_state(), state)
    for name in ("user_embeddings", "item_embeddings"):
        first, same, other = (getattr(each, name).weight.detach() for each in made)
        assert torch.equal(first, same)
        assert not torch.equal(first, other)
        assert abs(float(first.mean()) - 3.0) < 0.01
        assert abs(float(first.std()) - 0.1) < 0.01


def test_binary_output_is_a_probability():
    """Also for large products."""
    network = SimpleCF(3, 4, 2, binary=True, mean=5.0)
    out = network(torch.arange(3), torch.arange(3))
    assert ((out > 0) & (out <= 1)).all()


@pytest.mark.parametrize(("user", "item"), [(2, 0), (-1, 0), (0, 3), (0, -1)])
def test_index_out_of_range_raises(user, item):
    """Above the table and below it."""
    with pytest.raises(IndexError, match="out of range"):
        SimpleCF(2, 3)(torch.tensor([user]), torch.tensor([item]))


def test_scores_of_no_user_are_refused():
    """A negative index is no user counted from behind."""
    with pytest.raises(ValueError, match="user must be from 0 to 1, got -1"):
        SimpleCF(2, 3).scores(-1)


def test_given_embeddings_of_another_shape_are_refused():
    """Named with both shapes."""
    with pytest.raises(ValueError, match=r"item_embeddings must have the shape \(3, 16\), got \("):
        SimpleCF(2, 3, item_embeddings=torch.zeros(3, 15))


def test_arrays_bring_the_network_back():
    """Tables, sigmoid and what is frozen."""
    network = SimpleCF(4, 5, 3, binary=True, freeze_items=True)
    again = SimpleCF.from_arrays(network.arrays())
    np.testing.assert_array_equal(again.scores(2), network.scores(2))
    assert again.user_embeddings.weight.requires_grad
    assert not again.item_embeddings.weight.requires_grad
