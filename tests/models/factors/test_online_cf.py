"""Training of SimpleCF on events, in batches and one by one, and what it then lists."""

import numpy as np
import polars as pl
import pytest
import torch

from models.factors.online_cf import OnlineCF, prequential_recall
from models.factors.preference_loss import (
    by_value,
    cross_entropy,
    logistic,
    preference_loss,
    squared,
)
from models.factors.simple_cf import SimpleCF


def online(network: SimpleCF, lr: float = 0.1, **settings: object) -> OnlineCF:
    """Plain gradient steps."""
    return OnlineCF(network, torch.optim.SGD(network.parameters(), lr=lr), **settings)


def given(users: list[list[float]], items: list[list[float]], **settings: object) -> SimpleCF:
    """Tables as they are written."""
    tables = [torch.tensor(each) for each in (users, items)]
    return SimpleCF(len(users), len(items), len(users[0]), user_embeddings=tables[0],
                    item_embeddings=tables[1], **settings)  # fmt: skip


def test_golden_step():
    """Squared error of .12 against 1: the tables move along 2 (1 - .12) times the other one."""
    network = given([[0.1, 0.2, 0.3]], [[0.4, -0.5, 0.6]])
    loss = online(network).step(0, 0, 1.0)
    assert loss == pytest.approx(0.88**2, rel=1e-6)
    moved = 0.1 * 2 * 0.88
    np.testing.assert_allclose(
        network.user_embeddings.weight.detach().numpy(),
        np.array([[0.1, 0.2, 0.3]]) + moved * np.array([[0.4, -0.5, 0.6]]), rtol=1e-5,
    )  # fmt: skip
    np.testing.assert_allclose(
        network.item_embeddings.weight.detach().numpy(),
        np.array([[0.4, -0.5, 0.6]]) + moved * np.array([[0.1, 0.2, 0.3]]), rtol=1e-5,
    )  # fmt: skip


def test_step_of_a_batch_is_the_mean_of_its_pairs():
    """Not of every score with every preference: the loss of pairs alone."""
    score, preference = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])
    assert float(preference_loss(score, preference, torch.ones(2), squared)) == 0.0
    with pytest.raises(ValueError, match=r"one number for each pair, got \(2, 1\), \(2,\)"):
        preference_loss(score[:, None], preference, torch.ones(2), squared)


def test_confidence_weighs_the_pairs():
    """A pair of value 3 counts three times."""
    network = given([[1.0]], [[0.5]])
    assert online(network, confidence=by_value).step(0, 0, 1.0, value=3.0) == pytest.approx(0.75)


def test_logistic_loss_is_the_cross_entropy_of_a_binary_network():
    """Before and after the sigmoid."""
    score, preference = torch.tensor([-2.0, 0.3, 4.0]), torch.tensor([0.0, 1.0, 0.0])
    torch.testing.assert_close(
        logistic(score, preference), cross_entropy(torch.sigmoid(score), preference)
    )


def test_best_comes_first_and_seen_items_can_be_left_out():
    """Ties go to the lower index; fewer items than k are fewer."""
    model = online(given([[1.0]], [[0.1], [0.9], [0.5], [0.9]]))
    assert model.predict(0, 3).tolist() == [1, 3, 2]
    assert model.predict(0, 3, seen={1, 2}).tolist() == [3, 0]


@pytest.mark.parametrize(
    ("user", "item", "said"),
    [(2, 0, "users must be indices from 0 to 1, got 2"), (0, -1, "items must be .* got -1")],
)
def test_unknown_index_is_refused(user, item, said):
    """Before anything is learnt."""
    model = online(SimpleCF(2, 3))
    with pytest.raises(ValueError, match=said):
        model.step(user, item, 1.0)
    with pytest.raises(ValueError, match=said):
        model.fit(np.array([user]), np.array([item]), np.ones(1))


def test_nothing_to_train_on_is_refused():
    """A mean of no losses would not be a number."""
    nobody = np.array([], dtype=int)
    with pytest.raises(ValueError, match="there must be an event"):
        online(SimpleCF(2, 3)).fit(nobody, nobody, np.array([]))


def test_batches_learn_and_the_seed_decides():
    """Two camps: the loss shrinks far, the own camp comes first, twice the same bits."""
    users, items = (each.ravel() for each in np.indices((20, 20)))
    own = ((users + items) % 2 == 0).astype(float)
    tables = []
    for _ in range(2):
        network = SimpleCF(20, 20, 4, binary=True, std=0.1)
        model = OnlineCF(
            network, torch.optim.Adam(network.parameters(), lr=0.05), objective=cross_entropy
        )
        losses = model.fit(users, items, own, n_epochs=30, batch_size=64, seed=3)
        tables.append(network.arrays()["item_embeddings"])
        assert losses[-1] < 0.1 * losses[0]
        assert set(model.predict(0, 10)) == set(range(0, 20, 2))
    np.testing.assert_array_equal(tables[0], tables[1])


def test_event_is_predicted_before_it_is_learnt():
    """The first time a user takes an item it was not known; then it is."""
    model = online(given([[1.0]], [[0.5], [0.0], [0.4]]), lr=0.5)
    assert prequential_recall(model, [(0, 1), (0, 1), (0, 0)], k=1).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.slow
@pytest.mark.realdata
def test_streamed_films_are_foreseen_better_than_at_random(realdata):
    """A fifth of the best-liked films teaches in batches; then each is predicted and learnt."""
    rated = pl.read_parquet(realdata / "ml-latest-small" / "interactions.parquet")
    liked = rated.filter(pl.col("rating") == 5.0, pl.len().over("item_id") >= 100)
    liked = liked.sort("timestamp", "user_id", "item_id")
    ids = [liked[name].rank("dense").to_numpy().astype(int) - 1 for name in ("user_id", "item_id")]
    n_first = len(liked) // 5
    network = SimpleCF(*(len(np.unique(each)) for each in ids), 16, std=0.1)
    model = online(network, lr=0.06)
    users, items = (each[:n_first] for each in ids)
    model.fit(users, items, np.ones(n_first), n_epochs=6, batch_size=1)
    stream = zip(ids[0][n_first : n_first + 1000].tolist(), ids[1][n_first:].tolist(), strict=False)
    found = prequential_recall(model, stream, k=10)
    assert len(found) == 1000
    assert found.mean() > 1.5 * 10 / network.n_items
