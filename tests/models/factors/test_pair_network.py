"""Networks of pairs, trained from the entries of X: what is drawn, kept, and refused."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from models.factors.pair_network import PairNetwork, check_embeddings, fit_pairs
from models.factors.preference_loss import by_value, constant, squared
from models.factors.simple_cf import SimpleCF
from models.metric.metric import evaluate
from models.network.network_fit import Step
from models.network.network_state import NetworkState
from models.popularity import Popularity
from models.split.fold_in import fold_in_split
from tests.models.contract import PersonalModelContract, checkerboard


def fit(X: sp.csr_array, **settings: object):
    """A small SimpleCF."""
    network = SimpleCF(*X.shape, 8, std=0.1, seed=1)
    given = {
        "n_negatives": 4, "objective": squared, "confidence": constant, "n_epochs": 40,
        "batch_size": 64, "learning_rate": 0.02, "weight_decay": 0.0, "l2": 0.1, "weight": 1.0,
        "seed": 1,
    }  # fmt: skip
    return fit_pairs(network, X, **given | settings)


class TestPairs(PersonalModelContract):
    """The contract of models."""

    def fit(self, X):
        """Enough epochs for two camps."""
        return fit(X)


def test_loss_shrinks_and_a_fit_goes_on_to_the_bit():
    """From the second of four epochs."""
    states: list[NetworkState] = []
    losses: list[float] = []
    X = checkerboard()

    def told(_epoch: int, figures: dict[str, float], state: NetworkState) -> None:
        states.append(state)
        losses.append(figures["loss"])

    whole = fit(X, n_epochs=4, on_epoch=told)
    again = fit(X, n_epochs=4, resume=states[1])
    np.testing.assert_array_equal(whole.decoder, again.decoder)
    assert losses[3] < losses[0]
    assert whole.best_epoch == 4


class Constant(nn.Module):
    """Says the same of every pair, and writes down which ones it was asked."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__()
        self.user_embeddings = nn.Parameter(torch.zeros(n_users, 2))
        self.item_embeddings = nn.Parameter(torch.zeros(n_items, 2))
        self.asked: list[tuple[int, int]] = []

    def forward(self, users, items):
        """Zero."""
        self.asked += zip(users.tolist(), items.tolist(), strict=True)
        return torch.zeros(len(users)) + 0.0 * self.user_embeddings.sum()


def test_drawn_pairs_count_unless_they_are_entries():
    """Squared error of 0: each entry's weight, and nothing else, over all pairs."""
    X = sp.csr_array(np.array([[1.0, 2.0, 0.0, 0.0], [0.0, 3.0, 0.0, 1.0]], np.float32))
    network = Constant(2, 4)
    pairs = PairNetwork(
        network, X, n_negatives=50, objective=squared, confidence=by_value, l2=1.0, weight=1.0,
        device="cpu",
    )  # fmt: skip
    loss = pairs.loss(np.arange(4), Step(0, 1, torch.Generator().manual_seed(0)))
    assert float(loss.detach()) == pytest.approx((1 + 2 + 3 + 1) / (4 * 51))
    assert network.asked[:4] == [(0, 0), (0, 1), (1, 1), (1, 3)]
    drawn = network.asked[4:]
    assert len(drawn) == 200
    assert {item for _, item in drawn} == {0, 1, 3}  # nobody had item 2
    assert {user for user, _ in drawn[:100]} == {0}

    class One(Constant):
        def forward(self, users, items):
            """One."""
            return super().forward(users, items) + 1.0

    other = PairNetwork(
        One(2, 4), X, n_negatives=50, objective=squared, confidence=by_value, l2=1.0, weight=1.0,
        device="cpu",
    )  # fmt: skip
    loss = other.loss(np.arange(4), Step(0, 1, torch.Generator().manual_seed(0)))
    entries = {(0, 0), (0, 1), (1, 1), (1, 3)}
    n_others = sum(pair not in entries for pair in drawn)
    assert 0 < n_others < 200
    assert float(loss.detach()) == pytest.approx(n_others / 204)


def test_items_nobody_had_have_no_vector():
    """Whatever the start left there."""
    X = checkerboard().toarray()
    X[:, 5] = 0.0
    model = fit(sp.csr_array(X), n_epochs=1)
    assert not model.decoder[5].any()
    assert model.decoder[4].any()


def test_row_is_served_by_ridge_on_the_items():
    """A user who was not in training: the vector of least squares, zeros where nothing was had."""
    model = fit(checkerboard(), n_epochs=1, l2=2.0, weight=3.0)
    x = np.zeros(16)
    x[[1, 4]] = 1.0
    Y, trust = model.decoder.astype(np.float64), np.where(x > 0, 3.0, 1.0)
    expected = np.linalg.solve(Y.T @ (Y * trust[:, None]) + 2.0 * np.eye(8), Y.T @ (trust * x))
    rows = sp.csr_array(x[None].astype(np.float32))
    np.testing.assert_allclose(model.encode(rows)[0], expected, rtol=1e-5, atol=1e-7)


class Bare(nn.Module):
    """Has users only."""

    def __init__(self) -> None:
        super().__init__()
        self.user_embeddings = nn.Embedding(3, 2)


def test_network_must_have_embeddings():
    """Each fault is named."""
    with pytest.raises(TypeError, match=r"Bare must have item_embeddings.*got NoneType"):
        check_embeddings(Bare(), (3, 4))
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, got dict"):
        check_embeddings({}, (3, 4))
    with pytest.raises(ValueError, match=r"user_embeddings must have the shape \(3, n_factors\)"):
        check_embeddings(SimpleCF(2, 4), (3, 4))
    uneven = SimpleCF(3, 4)
    uneven.item_embeddings = nn.Embedding(4, 5)
    with pytest.raises(ValueError, match="must be equally long, got 16 and 5"):
        check_embeddings(uneven, (3, 4))


def test_score_of_another_shape_is_refused():
    """One number for each pair."""

    class Wide(SimpleCF):
        def forward(self, users, items):
            """A column."""
            return super().forward(users, items)[:, None]

    with pytest.raises(ValueError, match="one number for each pair"):
        fit_pairs(Wide(16, 16), checkerboard(), n_epochs=1, batch_size=8, learning_rate=0.1)


def test_nothing_to_train_is_refused():
    """No entries, or everything frozen."""
    frozen = SimpleCF(16, 16, freeze_users=True, freeze_items=True)
    for network, X in ((frozen, checkerboard()), (SimpleCF(2, 2), sp.csr_array((2, 2)))):
        with pytest.raises(ValueError, match="there must be entries and parameters to train"):
            fit_pairs(network, X, n_epochs=1, batch_size=8, learning_rate=0.1)


@pytest.mark.slow
@pytest.mark.realdata
def test_films_are_ranked_better_than_by_popularity(realdata):
    """Users who were not in training, half of the vectors' worth of epochs."""
    rated = pl.read_parquet(realdata / "ml-latest-small" / "interactions.parquet")
    ids = [rated[name].rank("dense").to_numpy().astype(int) - 1 for name in ("user_id", "item_id")]
    X = sp.csr_array((np.ones(len(rated), np.float32), (ids[0], ids[1])))
    order = np.random.default_rng(0).permutation(X.shape[0])
    rows, judged = X[np.sort(order[150:])], X[np.sort(order[:150])]
    counts = np.bincount(rows.indices, minlength=X.shape[1])
    fold_in, target = fold_in_split(judged[:, counts > 0], target_share=0.2, seed=0)
    rows = sp.csr_array(rows[:, counts > 0])
    rows.sort_indices()
    everything = np.ones(rows.shape[1], dtype=bool)
    model = fit_pairs(
        SimpleCF(*rows.shape, 32, std=0.1), rows, n_epochs=4, batch_size=4096, learning_rate=0.02
    )
    ndcg = [
        evaluate(each, fold_in=fold_in, target=target, eligible=everything)["ndcg@100"].mean()
        for each in (model, Popularity(counts[counts > 0]))
    ]
    assert ndcg[0] > 1.2 * ndcg[1]
