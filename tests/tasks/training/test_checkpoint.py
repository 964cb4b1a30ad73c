"""Checkpoints: what was saved comes back, and a torn one is not trusted."""

import copy

import numpy as np
import scipy.sparse as sp

from models.elsa.elsa import fit_elsa
from models.elsa.elsa_state import TrainingState
from tasks.training.checkpoint import load_checkpoint, save_checkpoint

SETTINGS = {"n_factors": 4, "batch_size": 3, "learning_rate": 0.1, "seed": 1}
X = sp.csr_array((np.random.default_rng(0).random((9, 12)) < 0.4).astype(np.float32))


def states(n_epochs):
    """The state after every epoch of a fit."""
    found = []

    def keep(_epoch, _metrics, state):
        found.append(copy.deepcopy(state))  # its arrays change with the next epoch

    fit_elsa(X, n_epochs=n_epochs, on_epoch=keep, **SETTINGS)
    return found


def test_fit_goes_on_from_the_disk_to_the_same_bits(tmp_path):
    """Three epochs at once, or two, a stop and one more."""
    save_checkpoint(tmp_path, states(2)[-1])
    resumed = fit_elsa(X, n_epochs=3, resume=load_checkpoint(tmp_path, TrainingState), **SETTINGS)
    np.testing.assert_array_equal(resumed.A, fit_elsa(X, n_epochs=3, **SETTINGS).A)


def test_newest_state_is_loaded_and_the_folder_does_not_grow(tmp_path):
    """Two generations of arrays take turns."""
    for state in states(5):
        save_checkpoint(tmp_path, state)
    loaded = load_checkpoint(tmp_path, TrainingState)
    assert loaded is not None
    assert loaded.epoch == 5
    assert len(list(tmp_path.glob("factors-*.npy"))) == 2


def test_torn_checkpoint_is_not_trusted(tmp_path):
    """An array that does not have its digest, or is gone, means none."""
    assert load_checkpoint(tmp_path, TrainingState) is None
    save_checkpoint(tmp_path, states(1)[0])
    path = tmp_path / "factors-1.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert load_checkpoint(tmp_path, TrainingState) is None
    path.unlink()
    assert load_checkpoint(tmp_path, TrainingState) is None
