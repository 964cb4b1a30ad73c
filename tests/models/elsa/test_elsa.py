"""Fitting ELSA: repeatable, resumable, stopped in time, loud when it diverges."""

import copy
import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa import ELSA, fit_elsa
from models.elsa.elsa_state import TrainingState
from models.metric.metric import evaluate
from tests.models.contract import PersonalModelContract, checkerboard
from tests.models.strategies import histories

SETTINGS = {
    "n_factors": 4, "n_epochs": 5, "batch_size": 7, "learning_rate": 0.1, "seed": 3,
    "device": "cpu",
}  # fmt: skip


class TestELSA(PersonalModelContract):
    """ELSA is a model."""

    def fit(self, X):
        """Fit with few factors, as there are few items."""
        return fit_elsa(X, **SETTINGS | {"n_epochs": 30})


def random_model(n_items: int, seed: int, n_factors: int = 3) -> ELSA:
    """Return a model of random unit rows."""
    W = np.random.default_rng(seed).normal(size=(n_items, n_factors))
    A = W / np.linalg.norm(W, axis=1, keepdims=True)
    return ELSA(A.astype(np.float32))


def sparse(X: np.ndarray) -> sp.csr_array:
    """Return X as a model takes it."""
    return sp.csr_array(X.astype(np.float32))


def clustered(seed: int, n_users: int = 60, n_items: int = 40) -> sp.csr_array:
    """Return users of four tastes and some noise."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, 4, n_users)[:, None] == np.arange(n_items) % 4
    return sparse(rng.random((n_users, n_items)) < np.where(taste, 0.5, 0.05))


def held_out(X: sp.csr_array) -> tuple[sp.csr_array, sp.csr_array]:
    """Return the first and the second half of the catalogue of users who have something there."""
    half, dense = X.shape[1] // 2, X.toarray()
    dense = dense[(dense[:, half:] > 0).any(axis=1)]
    shown, asked = dense.copy(), dense.copy()
    shown[:, half:], asked[:, :half] = 0.0, 0.0
    return sparse(shown), sparse(asked)


def trained(X: sp.csr_array, **settings) -> tuple[ELSA, list[TrainingState], list[dict]]:
    """Return the model, and state and figures of every epoch."""
    states, figures = [], []

    def on_epoch(epoch: int, metrics: dict[str, float], state: TrainingState) -> None:
        assert epoch == state.epoch
        states.append(copy.deepcopy(state))  # its arrays change with the next epoch
        figures.append(metrics)

    return fit_elsa(X, **SETTINGS | {"on_epoch": on_epoch} | settings), states, figures


def test_golden_scores():
    """Scores by hand: A has rows (1, 0), (0, 1), (.6, .8)."""
    model = ELSA(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32))
    scores = model.scores(sparse(np.array([[1.0, 0.0, 1.0]])))
    np.testing.assert_allclose(scores, [[0.6, 0.8, 0.6]], rtol=1e-6)


@given(n_items=st.integers(2, 9), seed=st.integers(0, 9999))
def test_item_says_nothing_of_itself(n_items, seed):
    """From one item alone: its own score is 0, and similarity goes both ways."""
    scores = random_model(n_items, seed).scores(sparse(np.eye(n_items)))
    np.testing.assert_allclose(np.diag(scores), 0.0, atol=1e-6)
    np.testing.assert_allclose(scores, scores.T, atol=1e-6)


@given(X=histories(), seed=st.integers(0, 9999), data=st.data())
def test_scores_follow_items_and_rows(X, seed, data):
    """Permuted items have permuted scores, and a row is scored as it is in a batch."""
    model = random_model(X.shape[1], seed)
    scores = model.scores(sparse(X))
    order = data.draw(st.permutations(range(X.shape[1])))
    permuted = dataclasses.replace(model, A=model.A[order]).scores(sparse(X[:, order]))
    np.testing.assert_allclose(permuted, scores[:, order], atol=1e-5)
    alone = np.concatenate([model.scores(sparse(row[None])) for row in X])
    np.testing.assert_allclose(alone, scores, atol=1e-5)


def test_factors_are_unit_rows():
    """A dot product of two items is their cosine, seen or not."""
    X = clustered(0).toarray()
    X[:, 7] = 0.0
    model = fit_elsa(sparse(X), **SETTINGS)
    assert model.A.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(model.A, axis=1), 1.0, rtol=1e-5)


def test_loss_falls_to_where_four_tastes_are_told_apart():
    """Items of one taste end closer than items of two."""
    model, _, figures = trained(clustered(0), n_epochs=15)
    losses = [each["nmse"] for each in figures]
    assert losses[-1] < 0.8 * losses[0]
    same = np.equal.outer(np.arange(40) % 4, np.arange(40) % 4)
    cosine = model.A @ model.A.T
    assert cosine[same & ~np.eye(40, dtype=bool)].mean() > cosine[~same].mean() + 0.3


@pytest.mark.parametrize("stopped_after", [1, 2, 4])
@pytest.mark.parametrize("with_validation", [False, True])
def test_resumed_fit_has_the_same_bits(stopped_after, with_validation):
    """A fit that was stopped after any epoch ends where an uninterrupted one ends."""
    validation = held_out(clustered(1)) if with_validation else None
    whole, states, _ = trained(clustered(0), validation=validation)
    state = states[stopped_after - 1]
    resumed, later, _ = trained(clustered(0), validation=validation, resume=state)
    assert [each.epoch for each in later] == list(range(stopped_after + 1, 6))
    assert resumed.best_epoch == whole.best_epoch
    for field in dataclasses.fields(TrainingState):
        ours, theirs = getattr(later[-1], field.name), getattr(states[-1], field.name)
        np.testing.assert_array_equal(ours, theirs, err_msg=field.name)
    np.testing.assert_array_equal(resumed.A, whole.A)


def test_seed_decides():
    """Another seed starts elsewhere and goes another way."""
    first, again, other = (
        fit_elsa(clustered(0), **SETTINGS | {"seed": seed}).A for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_best_epoch_is_kept_and_patience_ends_the_fit():
    """Training stops after so many epochs without a better figure; the best weights win."""
    validation = held_out(clustered(1))
    model, states, figures = trained(
        clustered(0), validation=validation, patience=3, n_epochs=200, learning_rate=0.5
    )
    ndcg = [each["ndcg@100"] for each in figures]
    best = int(np.argmax(ndcg))
    assert model.best_epoch == best + 1
    assert len(ndcg) == best + 1 + 3 < 200
    np.testing.assert_array_equal(model.A, states[best].factors)
    again = evaluate(
        model, fold_in=validation[0], target=validation[1], eligible=np.ones(40, dtype=bool)
    )
    assert again["ndcg@100"].mean() == pytest.approx(max(ndcg), rel=1e-6)


def test_empty_rows_change_nothing():
    """A user without interactions is left out, stored zeros or not."""
    X = clustered(0)
    stored_zero = sp.csr_array((np.zeros(2, np.float32), [4, 9], [0, 1, 1, 2]), shape=(3, 40))
    padded = sp.csr_array(sp.vstack([X, stored_zero], format="csr"))
    np.testing.assert_array_equal(fit_elsa(padded, **SETTINGS).A, fit_elsa(X, **SETTINGS).A)


def test_weights_matter_only_by_their_ratio():
    """The loss is a cosine: all weights of a user doubled are the same user."""
    X = clustered(0)
    np.testing.assert_allclose(fit_elsa(X * 2.0, **SETTINGS).A, fit_elsa(X, **SETTINGS).A)
    tilted = X.copy()
    tilted.data[: X.nnz // 2] *= 5.0
    assert np.abs(fit_elsa(tilted, **SETTINGS).A - fit_elsa(X, **SETTINGS).A).max() > 0.1


def test_one_item_and_one_user_can_be_fitted():
    """Too little to learn from is no reason to fail."""
    model = fit_elsa(sparse(np.ones((1, 1))), **SETTINGS)
    assert np.isfinite(model.A).all()


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_weight_that_is_not_finite_is_named(weight):
    """The message names epoch, batch and the likely causes."""
    X = checkerboard()
    X.data[-1] = weight
    message = r"loss must be finite, got nan in epoch 1, batch [0-2]: .*learning_rate.*weights of X"
    with pytest.raises(ArithmeticError, match=message):
        fit_elsa(X, **SETTINGS)


def test_divergence_in_the_very_last_step_is_seen():
    """Weights that overflow float32 in a step without a successor are not returned."""
    settings = SETTINGS | {"n_epochs": 1, "batch_size": 100, "learning_rate": 3.35e38}
    with pytest.raises(ArithmeticError, match="in epoch 1, batch 1"):
        fit_elsa(checkerboard(), **settings)


def test_nothing_to_learn_from_is_refused():
    """A matrix without interactions has no loss."""
    with pytest.raises(ValueError, match=r"X must hold an interaction, got shape \(3, 4\)"):
        fit_elsa(sp.csr_array((3, 4), dtype=np.float32), **SETTINGS)


def test_state_of_another_matrix_is_refused():
    """A checkpoint of other items or factors is no start."""
    _, states, _ = trained(checkerboard())
    with pytest.raises(ValueError, match=r"must have shape \(16, 5\), got \(16, 4\)"):
        fit_elsa(checkerboard(), **SETTINGS | {"n_factors": 5, "resume": states[0]})
