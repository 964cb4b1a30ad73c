"""Configuration of SVAE and of networks of pairs, turned into arguments of their fits."""

import numpy as np
import pytest
import scipy.sparse as sp

from data_contracts.embedding_config import SimpleCFConfig, SVAEConfig
from models.factors.pair_network import fit_pairs
from models.factors.preference_loss import by_value, logistic
from models.factors.simple_cf import SimpleCF
from models.network.multvae_network import Annealing
from models.network.network_state import NetworkState
from models.network.svae_fit import fit_svae
from models.network.svae_network import SVAEShape
from tasks.training.checkpoint import load_checkpoint, save_checkpoint
from tasks.training.fit_data import FitData
from tasks.training.fitting import fit_model

RNG = np.random.default_rng(0)
X = sp.csr_array(((RNG.random((60, 12)) < 0.4) * RNG.integers(1, 9, (60, 12))).astype(np.float32))


def test_every_setting_reaches_svae():
    """The fit by configuration is the fit by hand."""
    config = SVAEConfig(
        n_embedding=5, n_state=6, n_hidden=7, n_factors=3, ahead="rest", n_ahead=2, max_length=4,
        max_output=11, n_epochs=9, batch_size=16, learning_rate=0.02, weight_decay=0.01, cap=0.3,
        anneal_steps=5, patience=2,
    )  # fmt: skip
    assert set(config.model_fields_set) == set(SVAEConfig.model_fields) - {"kind"}
    by_config = fit_model(FitData(X, None), config, n_epochs=2, seed=5, device="cpu")
    by_hand = fit_svae(
        X, SVAEShape(5, 6, 7, 3, "rest", 2, 4, 11), n_epochs=2, batch_size=16, learning_rate=0.02,
        weight_decay=0.01, annealing=Annealing(0.3, 5), patience=2, seed=5,
    )  # fmt: skip
    np.testing.assert_array_equal(by_config.decoder, by_hand.decoder)
    assert by_config.max_length == 4


def test_every_setting_reaches_simple_cf():
    """Likewise."""
    config = SimpleCFConfig(
        n_factors=5, spread=0.3, n_epochs=9, batch_size=32, learning_rate=0.02, weight_decay=0.01,
        n_negatives=2, objective="logistic", confidence="weight", l2=3.0, weight=2.0, patience=2,
    )  # fmt: skip
    assert set(config.model_fields_set) == set(SimpleCFConfig.model_fields) - {"kind"}
    by_config = fit_model(FitData(X, None), config, n_epochs=2, seed=5, device="cpu")
    by_hand = fit_pairs(
        SimpleCF(60, 12, 5, std=0.3, seed=5), X, n_epochs=2, batch_size=32, learning_rate=0.02,
        weight_decay=0.01, n_negatives=2, objective=logistic, confidence=by_value, l2=3.0,
        weight=2.0, seed=5,
    )  # fmt: skip
    np.testing.assert_array_equal(by_config.decoder, by_hand.decoder)
    assert (by_config.l2, by_config.weight) == (3.0, 2.0)


@pytest.mark.parametrize("config", [
    SVAEConfig(n_embedding=5, n_state=6, n_hidden=7, n_factors=3), SimpleCFConfig(n_factors=5),
])  # fmt: skip
def test_killed_fit_goes_on_from_its_checkpoint(tmp_path, config):
    """Through the files of a night, to the bit."""
    states: list[NetworkState] = []
    how = {"n_epochs": 3, "seed": 5, "device": "cpu"}
    whole = fit_model(
        FitData(X, None), config, on_epoch=lambda _e, _f, state: states.append(state), **how
    )
    save_checkpoint(tmp_path, states[0])
    resume = load_checkpoint(tmp_path, NetworkState)
    again = fit_model(FitData(X, None), config, resume=resume, **how)
    np.testing.assert_array_equal(whole.decoder, again.decoder)
    assert whole.best_epoch == again.best_epoch == 3
