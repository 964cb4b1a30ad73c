"""What follows each item, and the loss of guessing it, against the plain computation."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn import functional

from models.network import next_items as module
from models.network.next_items import next_items, next_items_loss
from models.network.sequence import sequences_of

X = sp.csr_array(np.array(
    [[1, 2, 3, 4, 0, 0], [0, 0, 2, 0, 1, 0], [0, 0, 0, 0, 0, 1]], np.float32
))  # fmt: skip
ROWS = np.array([0, 2, 1])


@pytest.mark.parametrize(
    ("ahead", "k", "followed", "n_first"),
    [
        ("next", 9, [[1], [2], [3], [2]], [1, 1]),
        ("next_k", 2, [[1, 2], [2, 3], [3], [2]], [2, 1]),
        ("rest", 1, [[1, 2, 3], [2, 3], [3], [2]], [3, 1]),
    ],
)
def test_items_that_follow(ahead, k, followed, n_first):
    """The last item of a row has nothing to guess, so neither has a row of one item."""
    found = next_items(sequences_of(X), ROWS, ahead, k)
    assert found.place.tolist() == [[True, True, True], [False] * 3, [True, False, False]]
    assert [part.tolist() for part in np.split(found.item, found.ends[1:-1])] == followed
    expected = [1 / (3 * n_first[0])] * 3 + [1 / (3 * n_first[1])]
    np.testing.assert_allclose(found.weight, expected, rtol=1e-6)
    np.testing.assert_allclose(found.share, [1 / 9, 1 / 9, 1 / 9, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("cells", [1, 12, 1 << 20])
def test_loss_and_gradients_are_those_of_log_softmax(monkeypatch, cells):
    """However few places are held at once."""
    monkeypatch.setattr(module, "CELLS", cells)
    following = next_items(sequences_of(X), ROWS, "next_k", 2)
    noise = torch.Generator().manual_seed(0)
    given = [torch.randn(size, generator=noise, dtype=torch.float64, requires_grad=True)
             for size in ((4, 3), (6, 3), (6,))]  # fmt: skip
    h, W, b = given
    weight = torch.from_numpy(following.weight.astype(np.float64))
    following = following._replace(weight=following.weight.astype(np.float64))
    (2.0 * next_items_loss(h, W, b, following)).backward()
    found = [each.grad for each in given]
    for each in given:
        each.grad = None
    hot = torch.zeros(4, 6, dtype=torch.float64)
    place = np.repeat(np.arange(4), np.diff(following.ends))
    hot[torch.from_numpy(place), torch.from_numpy(following.item)] = 1.0
    plain = -(weight[:, None] * hot * functional.log_softmax(h @ W.T + b, dim=1)).sum()
    torch.testing.assert_close(next_items_loss(h, W, b, following), plain)
    (2.0 * plain).backward()
    for one, other in zip(found, given, strict=True):
        torch.testing.assert_close(one, other.grad)


def test_golden_loss():
    """Equal logits over six items: ln 6 for each guessed one, weighed."""
    following = next_items(sequences_of(X), ROWS, "next_k", 2)
    loss = next_items_loss(torch.zeros(4, 2), torch.zeros(6, 2), torch.zeros(6), following)
    assert float(loss) == pytest.approx(np.log(6) * (5 / 6 + 1 / 3), rel=1e-6)
