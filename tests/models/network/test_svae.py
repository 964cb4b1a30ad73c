"""SVAE: the fitted model against the network, what it must not see, and what it learns."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.metric.metric import evaluate
from models.network.multvae_network import Annealing
from models.network.network_fit import Step
from models.network.network_state import NetworkState
from models.network.sequence import sequences_of
from models.network.svae import SVAE
from models.network.svae_fit import fit_svae
from models.network.svae_network import SVAENetwork, SVAEShape
from models.popularity import Popularity
from models.split.fold_in import last_items_split
from tests.models.contract import ModelContract

SHAPE = SVAEShape(n_embedding=6, n_state=5, n_hidden=7, n_factors=3, max_length=50)
N_ITEMS = 9


def histories(n_rows: int = 40, seed: int = 0) -> sp.csr_array:
    """Rows of 0 to 8 items in random order; nobody had item 7."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((n_rows, N_ITEMS), np.float32)
    for row in dense:
        items = rng.permutation(np.delete(np.arange(N_ITEMS), 7))[: rng.integers(0, 9)]
        row[items] = 1 + np.arange(len(items))
    return sp.csr_array(dense)


def network(**more: object) -> SVAENetwork:
    """Of the histories above, with biases that are not all zero."""
    made = SVAENetwork(
        histories(), SHAPE._replace(**more), Annealing(0.2, 100), seed=3, device="cpu"
    )
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in (*made.b, made.b_out):
            each.normal_(generator=noise)
    return made


def fit(X: sp.csr_array, **more: object) -> SVAE:
    """A small fit."""
    how = {
        "shape": SHAPE, "n_epochs": 3, "batch_size": 8, "learning_rate": 0.01,
        "weight_decay": 0.0, "annealing": Annealing(0.2, 100), "patience": 3, "seed": 1,
    }  # fmt: skip
    return fit_svae(X, **how | more)


class TestSVAE(ModelContract):
    """The contract of models; all entries of its matrix are as late as each other."""

    def fit(self, X):
        """A short fit."""
        return fit(X, n_epochs=2)


def test_fitted_model_scores_as_the_network_does():
    """After the last item of each row, in numpy; an item nobody had scores 0."""
    trained, X = network(), histories()
    items = torch.from_numpy(sequences_of(X).padded(np.arange(X.shape[0])))
    with torch.no_grad():
        logits = trained.logits(items).numpy()
    lengths = np.diff(X.indptr)
    rows = np.flatnonzero(lengths)
    assert len(rows) < X.shape[0]
    expected = logits[rows, lengths[rows] - 1]
    expected[:, 7] = 0.0
    np.testing.assert_allclose(trained.fitted().scores(X)[rows], expected, rtol=1e-5, atol=1e-6)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 7))
def test_later_items_change_nothing_of_the_scores_before(seed, cut):
    """The scores at a place are those of the history up to it."""
    trained = network()
    items = np.random.default_rng(seed).permutation(N_ITEMS - 2)[None, :]
    with torch.no_grad():
        whole = trained.logits(torch.from_numpy(items)).numpy()
        start = trained.logits(torch.from_numpy(items[:, :cut])).numpy()
    np.testing.assert_allclose(whole[:, :cut], start, rtol=1e-5, atol=1e-6)


def test_order_matters_and_the_size_of_its_values_does_not():
    """The last item is fed too."""
    model = network().fitted()
    X = sp.csr_array(np.array([[1, 2, 3, 0, 0, 0, 0, 0, 0]], np.float32))
    spread = sp.csr_array(np.array([[10, 20, 300, 0, 0, 0, 0, 0, 0]], np.float32))
    last = sp.csr_array(np.array([[1, 2, 0, 3, 0, 0, 0, 0, 0]], np.float32))
    swapped = sp.csr_array(np.array([[2, 1, 3, 0, 0, 0, 0, 0, 0]], np.float32))
    np.testing.assert_array_equal(model.scores(X), model.scores(spread))
    for other in (last, swapped):
        assert np.abs(model.scores(X) - model.scores(other)).max() > 1e-4


def test_only_the_last_items_of_a_row_are_read():
    """As many as the model is made for."""
    model = network(max_length=2).fitted()
    long = sp.csr_array(np.array([[3, 1, 4, 2, 0, 0, 0, 0, 0]], np.float32))
    short = sp.csr_array(np.array([[3, 0, 4, 0, 0, 0, 0, 0, 0]], np.float32))
    np.testing.assert_array_equal(model.scores(long), model.scores(short))


def test_more_items_change_nothing_of_the_known():
    """Unknown ones of a history are passed over, and score 0."""
    model, X = network().fitted(), histories()
    wide = model.laid_over(np.arange(N_ITEMS + 2) < N_ITEMS)
    met = sp.csr_array(np.hstack([X.toarray(), np.full((40, 2), 5.0, np.float32)]))
    np.testing.assert_array_equal(wide.scores(met)[:, :N_ITEMS], model.scores(X))
    assert not wide.scores(met)[:, N_ITEMS:].any()
    np.testing.assert_allclose(np.linalg.norm(wide.vectors[:7], axis=1), 1.0, rtol=1e-6)


def test_scores_do_not_depend_on_the_batch():
    """Rows alone, or side by side."""
    model, X = network().fitted(), histories()
    alone = np.vstack([model.encode(X[[row]]) for row in range(X.shape[0])])
    np.testing.assert_array_equal(model.encode(X), alone)


def test_code_is_drawn_with_the_spread_of_its_log_variance():
    """And the divergence is that of the same spread: golden for mean 0, log variance ln 4."""
    made = network()
    with torch.no_grad():
        for each in made.parameters():
            each.zero_()
        made.b[1][3:] = np.log(4.0)
    step = Step(100, 1, torch.Generator().manual_seed(0))
    missed = float(made.loss(np.arange(40), step).detach())
    made.annealing = Annealing(0.0, 1)
    plain = float(made.loss(np.arange(40), step).detach())
    n_taught = np.sum(np.diff(histories().indptr) > 1) / 40
    divergence = 3 * 0.5 * (4 - np.log(4) - 1)
    assert missed - plain == pytest.approx(0.2 * divergence * n_taught, rel=1e-4)
    with torch.no_grad():
        made.W[2].copy_(torch.eye(3, 7))
        made.W_out.copy_(torch.eye(9, 7))
    seen: list[torch.Tensor] = []
    made.W_out.register_hook(seen.append)
    made.loss(np.arange(40), step).backward()
    assert seen[0].abs().max() > 0.0


def test_sampled_softmax_holds_the_items_that_follow():
    """With all items it is the softmax itself, up to the one that nobody had."""
    step = [Step(0, 1, torch.Generator().manual_seed(0)) for _ in range(3)]
    rows = np.arange(40)
    whole = network(max_output=8).loss(rows, step[0])
    made = network()
    with torch.no_grad():
        made.b_out[7] = -1e9
    torch.testing.assert_close(whole, made.loss(rows, step[1]))
    assert float(network(max_output=1).loss(rows[:2], step[2]).detach()) < float(whole.detach())


def test_loss_shrinks_and_the_order_is_learnt():
    """Every row runs through the items in a circle: what comes next is foreseen."""
    rng = np.random.default_rng(0)
    dense = np.zeros((300, 12), np.float32)
    for row, start in zip(dense, rng.integers(0, 12, 300), strict=True):
        row[(start + np.arange(6)) % 12] = 1 + np.arange(6)
    X, losses = sp.csr_array(dense), []
    model = fit(
        X, shape=SHAPE._replace(ahead="next", n_state=16, n_hidden=16), n_epochs=30,
        batch_size=50, learning_rate=0.05,
        on_epoch=lambda _e, figures, _s: losses.append(figures["loss"]),
    )  # fmt: skip
    assert losses[-1] < 0.5 * losses[0]
    last = dense.argmax(axis=1)
    np.testing.assert_array_equal(model.scores(X).argmax(axis=1), (last + 1) % 12)


def test_fit_goes_on_to_the_bit():
    """From the first of three epochs, noise and order included."""
    states: list[NetworkState] = []
    whole = fit(histories(), on_epoch=lambda _e, _f, state: states.append(state))
    again = fit(histories(), resume=states[0])
    for one, other in zip((whole.embedding, whole.decoder, *whole.gru),
                          (again.embedding, again.decoder, *again.gru), strict=True):  # fmt: skip
        np.testing.assert_array_equal(one, other)


def test_best_epoch_is_that_of_the_held_out_users():
    """They judge by their last items."""
    shown, asked = last_items_split(histories(20, seed=5), target_share=0.2)
    kept = np.diff(asked.indptr) > 0
    figures: list[float] = []
    model = fit(
        histories(), n_epochs=4, validation=(shown[kept], asked[kept]),
        on_epoch=lambda _e, told, _s: figures.append(told["ndcg@100"]),
    )  # fmt: skip
    assert model.best_epoch == 1 + int(np.argmax(figures))


def test_rows_of_one_item_teach_nothing():
    """Nothing follows."""
    X = sp.csr_array(np.eye(4, dtype=np.float32))
    with pytest.raises(ValueError, match="a row of X must have two items"):
        fit(X)


def test_global_generator_is_left_alone():
    """Neither read nor moved."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    fit(histories(), n_epochs=1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
@pytest.mark.realdata
def test_next_films_are_foreseen_better_than_by_popularity(realdata):
    """Users who were not in training, asked for the last fifth of what they rated."""
    rated = pl.read_parquet(realdata / "ml-latest-small" / "interactions.parquet")
    rated = rated.filter(pl.len().over("item_id") >= 80).sort("user_id", "timestamp", "item_id")
    ids = [rated[name].rank("dense").to_numpy().astype(int) - 1 for name in ("user_id", "item_id")]
    X = sp.csr_array((np.arange(1, len(rated) + 1, dtype=np.float32), tuple(ids)))
    order = np.random.default_rng(0).permutation(X.shape[0])
    rows, judged = X[np.sort(order[150:])], X[np.sort(order[:150])]
    fold_in, target = last_items_split(judged, target_share=0.2)
    asked = np.diff(target.indptr) > 0
    fold_in, target = fold_in[asked], target[asked]
    counts = np.bincount(rows.indices, minlength=X.shape[1])
    shape = SVAEShape(n_embedding=32, n_state=48, n_hidden=48, n_factors=16, max_length=60)
    model = fit(rows, shape=shape, n_epochs=5, batch_size=8, learning_rate=0.01)
    ndcg = [
        evaluate(each, fold_in=fold_in, target=target, eligible=counts > 0)["ndcg@100"].mean()
        for each in (model, Popularity(counts))
    ]
    assert ndcg[0] > 1.15 * ndcg[1]
