"""Fits by epochs of a night: what is configured reaches the model, and a killed one goes on."""

import numpy as np
import pytest
import scipy.sparse as sp

from data_contracts.network_config import CDAEConfig, MultDAEConfig, MultVAEConfig
from models.network.autoencoder import Autoencoder
from models.network.multvae import fit_multvae
from models.network.network_state import NetworkState
from models.split.fold_in import fold_in_split
from tasks.training.checkpoint import load_checkpoint, save_checkpoint
from tasks.training.epoch_fit import state_class
from tasks.training.fit_data import FitData
from tasks.training.fitting import fit_model, judged_fit

X = sp.csr_array((np.random.default_rng(0).random((200, 30)) < 0.3).astype(np.float32))
HELD_OUT = fold_in_split(X[150:], target_share=0.2, seed=0)
CONFIGS = (
    MultVAEConfig(n_factors=4, n_hidden=8, n_epochs=6),
    MultDAEConfig(n_factors=4, n_epochs=6),
    CDAEConfig(n_factors=4, n_epochs=6, user_vectors=True),
)
every_network = pytest.mark.parametrize("config", CONFIGS, ids=lambda each: each.kind)


class KilledError(Exception):
    """The night ends here."""


def fit(config, **how) -> Autoencoder:
    """A fit that held-out users judge."""
    data = FitData(X[:150], HELD_OUT)
    return fit_model(data, config, n_epochs=6, seed=4, device="cpu", **how)


@every_network
def test_killed_fit_goes_on_after_its_last_epoch(config, tmp_path):
    """From the disk, to the bit, and it tells of the epochs that were missing alone."""
    told = []

    def killed(epoch, _metrics, state):
        save_checkpoint(tmp_path, state)
        if epoch == 2:
            raise KilledError

    with pytest.raises(KilledError):
        fit(config, on_epoch=killed)
    kept = load_checkpoint(tmp_path, state_class(config))
    assert isinstance(kept, NetworkState)
    again = fit(config, resume=kept, on_epoch=lambda epoch, _m, _s: told.append(epoch))
    whole = fit(config)
    assert told == [3, 4, 5, 6]
    assert again.best_epoch == whole.best_epoch
    for one, other in zip(again.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)
        np.testing.assert_array_equal(one.b, other.b)


@every_network
def test_best_epoch_is_what_the_last_fit_is_run_for(config):
    """The one of the largest figure."""
    figures = []
    data = FitData(X[:150], HELD_OUT)
    model = fit(config, on_epoch=lambda _e, metrics, _s: figures.append(metrics["ndcg@100"]))
    assert judged_fit(data, model, config).n_epochs == 1 + int(np.argmax(figures))


def test_fit_by_configuration_is_the_fit_by_hand():
    """The weight of the divergence grows as fast in a last fit of fewer epochs."""
    config = MultVAEConfig(
        n_factors=4, n_hidden=8, n_epochs=100, cap=0.5, dropout=0.3, batch_size=16,
        learning_rate=0.02, l2=0.001, likelihood="gaussian", weight=3.0,
    )  # fmt: skip
    by_config = fit_model(FitData(X, None), config, n_epochs=3, seed=5, device="cpu")
    by_hand = fit_multvae(
        X, n_factors=4, n_hidden=8, n_epochs=3, cap=0.5, dropout=0.3, batch_size=16,
        learning_rate=0.02, l2=0.001, likelihood="gaussian", weight=3.0, seed=5,
        anneal_steps=round(0.85 * 13 * 100 / 0.5),
    )  # fmt: skip
    for one, other in zip(by_config.layers, by_hand.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)


@pytest.mark.parametrize(("n_users", "batch_size"), [(150, 32), (3200, 200), (90_000, 500)])
def test_usual_batch_is_a_sixteenth_of_the_users(n_users, batch_size, monkeypatch):
    """Within bounds; the papers take 500."""
    asked = {}
    monkeypatch.setattr(
        "tasks.training.epoch_fit.fit_multdae", lambda _, **settings: asked.update(settings)
    )
    rows = sp.csr_array((n_users, 30), dtype=np.float32)
    fit_model(FitData(rows, None), MultDAEConfig(), n_epochs=1, seed=0, device="cpu")
    assert asked["batch_size"] == batch_size
