"""A SimpleCF on disk: what was saved comes back, and nothing else is taken for one."""

import numpy as np
import pytest
import torch

from data_contracts.errors import ContractViolationError
from models.factors.online_cf import OnlineCF
from models.factors.simple_cf import SimpleCF
from tasks.training.saved_cf import load_simple_cf, save_simple_cf


def test_saved_network_goes_on_learning(tmp_path):
    """The same lists, and the same step afterwards; a second save replaces the first."""
    path = tmp_path / "models" / "cf.npz"
    networks = [SimpleCF(4, 6, 3, seed=seed, freeze_users=True) for seed in (1, 2)]
    for network in networks:
        save_simple_cf(path, network)
    again = load_simple_cf(path)
    models = [
        OnlineCF(network, torch.optim.SGD(network.parameters(), lr=0.1))
        for network in (networks[1], again)
    ]
    assert models[0].step(2, 5, 1.0) == models[1].step(2, 5, 1.0)
    np.testing.assert_array_equal(again.scores(2), networks[1].scores(2))
    np.testing.assert_array_equal(models[0].predict(2), models[1].predict(2))
    assert [each.name for each in path.parent.iterdir()] == ["cf.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x04N."])
def test_other_files_are_refused(tmp_path, content):
    """Empty, cut off, or pickled."""
    path = tmp_path / "cf.npz"
    path.write_bytes(content)
    with pytest.raises(ContractViolationError, match=r"cf.npz holds no saved SimpleCF"):
        load_simple_cf(path)


def test_arrays_of_objects_are_refused(tmp_path):
    """Their reading would run code."""
    path = tmp_path / "cf.npz"
    np.savez(path, user_embeddings=np.array([{}], dtype=object))
    with pytest.raises(ContractViolationError, match="allow_pickle"):
        load_simple_cf(path)
