"""Configuration turned into a fit."""

import functools

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from data_contracts.config import ELSAConfig, TrainingConfig
from data_contracts.model_config import CompressedELSAConfig, EASEConfig
from models.elsa.compressed_elsa import fit_compressed_elsa
from models.elsa.elsa import fit_elsa
from models.elsa.elsa_form import ELSAForm
from models.elsa.elsa_residual import with_residual
from models.item_item.ease import fit_ease
from models.split.fold_in import fold_in_split
from tasks.training.epoch_fit import L2_TRIED
from tasks.training.fit_data import FitData, hold_out_users
from tasks.training.fitting import fit_model, judged_fit, usual_density

X = sp.csr_array((np.random.default_rng(0).random((200, 30)) < 0.3).astype(np.float32))


def hold_out(validation_users):
    """A quarter of the users, a fifth of whose items are asked."""
    training = TrainingConfig(validation_share=0.25, validation_users=validation_users)
    return hold_out_users(X, training, fold_in_share=0.8, seed=1)


def test_unseen_users_teach_nothing():
    """Their rows are not among the rows to fit."""
    data = hold_out("unseen")
    fold_in, target = data.validation
    assert fold_in.shape == target.shape == (50, 30)
    assert data.X.shape == (150, 30)
    assert data.X.nnz + fold_in.nnz + target.nnz == X.nnz


def test_known_users_teach_what_they_are_shown_and_no_target():
    """The targets alone are missing from the rows to fit."""
    data = hold_out("known")
    fold_in, target = data.validation
    assert data.X.shape == (200, 30)
    assert data.X.nnz + target.nnz == X.nnz
    np.testing.assert_array_equal(data.X[150:].toarray(), fold_in.toarray())
    assert not (fold_in.toarray() * target.toarray()).any()


def test_every_setting_reaches_the_model():
    """The fit by configuration is the fit by hand."""
    config = ELSAConfig(
        n_factors=4, batch_size=16, learning_rate=0.2, alpha=0.3, beta=0.2, start="spectral",
        gamma=0.4, output="relu", loss="cosine", max_output=25, n_neighbours=6, l2=7.0,
    )  # fmt: skip
    by_config = fit_model(FitData(X, None), config, n_epochs=2, seed=5, device="cpu")
    by_hand = fit_elsa(
        X, n_factors=4, n_epochs=2, batch_size=16, learning_rate=0.2, seed=5, alpha=0.3, beta=0.2,
        start="spectral",
        form=ELSAForm(output="relu", loss="cosine", gamma=0.4, max_output=25),
    )  # fmt: skip
    by_hand = with_residual(by_hand, X, n_neighbours=6, l2=[7.0])
    np.testing.assert_array_equal(by_config.A, by_hand.A)
    np.testing.assert_array_equal(by_config.W.toarray(), by_hand.W.toarray())
    assert (by_config.alpha, by_config.beta) == (0.3, 0.2)


def test_ridge_weight_is_chosen_by_held_out_users_and_kept_for_the_refit():
    """A number in the configuration is taken as it is; with nobody to choose the first one is."""
    rng = np.random.default_rng(3)
    taste = rng.integers(0, 20, 300)[:, None] == np.arange(60) % 20
    rows = sp.csr_array((rng.random((300, 60)) < np.where(taste, 0.8, 0.1)).astype(np.float32))
    fold_in, target = fold_in_split(rows[:100], target_share=0.3, seed=0)
    judges = np.flatnonzero(np.diff(target.indptr))
    data = FitData(rows[100:], (fold_in[judges], target[judges]))
    fit = functools.partial(fit_model, n_epochs=2, seed=5, device="cpu")
    given = ELSAConfig(n_factors=4, batch_size=16, n_neighbours=6)
    figures = {}
    for l2 in L2_TRIED:
        config = given.model_copy(update={"l2": l2})
        figures[l2] = judged_fit(data, fit(data, config), config).figure
    assert len(set(figures.values())) == len(L2_TRIED)
    judged = judged_fit(data, fit(data, given), given)
    assert judged.figure == figures[judged.config.l2] == max(figures.values())
    assert judged.config.l2 != L2_TRIED[0]
    assert judged.config == given.model_copy(update={"l2": judged.config.l2})
    assert fit(FitData(X, None), given).l2 == L2_TRIED[0]


@pytest.mark.parametrize(("n_users", "batch_size"), [(10, 32), (6400, 400), (10**7, 2048)])
def test_usual_batch_makes_about_16_steps(n_users, batch_size, monkeypatch):
    """Within bounds."""
    asked = {}
    monkeypatch.setattr(
        "tasks.training.epoch_fit.fit_elsa", lambda _, **settings: asked.update(settings)
    )
    rows = sp.csr_array((n_users, 30), dtype=np.float32)
    fit_model(FitData(rows, None), ELSAConfig(n_neighbours=0), n_epochs=1, seed=0, device="cpu")
    assert asked["batch_size"] == batch_size


@pytest.mark.parametrize(
    ("shape", "n_neighbours", "n_factors"),
    [
        ((900, 20), 0, 4),
        ((500, 6000), 0, 256),
        ((5000, 6000), 0, 512),
        ((5000, 10_000), 0, 1024),
        ((5000, 10_000), 32, 512),
        ((5000, 38_000), 32, 512),
        ((5000, 10**6), 32, 128),
    ],
)
def test_usual_rank_is_what_can_be_afforded(shape, n_neighbours, n_factors, monkeypatch):
    """And an eighth of the items, or the users, at most; beside neighbours 512."""
    asked = {}
    monkeypatch.setattr(
        "tasks.training.epoch_fit.fit_elsa", lambda _, **settings: asked.update(settings)
    )
    monkeypatch.setattr("tasks.training.epoch_fit.with_residual", lambda model, *_, **__: model)
    config = ELSAConfig(n_neighbours=n_neighbours)
    rows = sp.csr_array(shape, dtype=np.float32)
    fit_model(FitData(rows, None), config, n_epochs=1, seed=0, device="cpu")
    assert asked["n_factors"] == n_factors


def test_closed_form_beyond_the_device_is_fitted_on_the_processor(monkeypatch, caplog):
    """With a word in the log; a GPU is smaller than the machine around it."""

    def fit(X, *, l2, device):
        if device != "cpu":
            raise torch.OutOfMemoryError("too large")
        return fit_ease(X, l2=l2)

    monkeypatch.setattr("tasks.training.fitting.fit_ease", fit)
    found = fit_model(FitData(X, None), EASEConfig(l2=7.0), n_epochs=0, seed=0, device="cuda")
    np.testing.assert_array_equal(found.B, fit_ease(X, l2=7.0).B)
    assert "ease does not fit into the memory of cuda: fitted on cpu" in caplog.text


@pytest.mark.parametrize(("n_items", "density"), [(20, 1.0), (10_000, 0.01), (100_000, 0.001)])
def test_usual_density_is_a_hundred_per_item(n_items, density):
    """Never more than all."""
    assert usual_density(n_items) == pytest.approx(density)


def test_last_stage_of_compressed_elsa_is_what_stops_early():
    """Its epochs are told and counted from 1; those of the stages before are not."""
    config = CompressedELSAConfig(
        n_factors=16, n_nonzeros=4, n_stages=3, stage_epochs=2, batch_size=16, patience=3,
    )  # fmt: skip
    told = []
    data = hold_out("known")
    model = fit_model(
        data, config, n_epochs=4, seed=5, device="cpu",
        on_epoch=lambda epoch, metrics, state: told.append((epoch, metrics["ndcg@100"], state)),
    )  # fmt: skip
    assert [each[0] for each in told] == list(range(1, len(told) + 1))
    assert len(told) <= 4
    assert all(state is None for _, _, state in told)
    assert model.best_epoch == max(told, key=lambda each: each[1])[0]
    by_hand = fit_compressed_elsa(
        data.X, n_factors=16, n_nonzeros=4, n_epochs=2, n_last_epochs=model.best_epoch, n_stages=3,
        batch_size=16, learning_rate=0.1, seed=5, alpha=0.1, beta=0.1,
    )  # fmt: skip
    np.testing.assert_array_equal(model.A.toarray(), by_hand.A.toarray())
    assert (np.diff(model.A.indptr) == 4).all()
