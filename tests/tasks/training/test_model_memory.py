"""What a dense model takes is held against what there is."""

import logging

import pytest

from data_contracts.config import TrainingConfig
from data_contracts.errors import ConfigError
from data_contracts.model_config import model_kinds
from tasks.training.model_memory import dense_model_bytes, free_memory, refuse_large_model

DENSE = {"ease", "mrf", "edlae"}


@pytest.mark.parametrize("kind", model_kinds())
def test_only_dense_kinds_take_an_array_of_items_by_items(kind):
    """In float32; the others have no limit to break."""
    config = model_kinds()[kind]()
    assert dense_model_bytes(config, 1000) == (4_000_000 if kind in DENSE else 0)
    tight = TrainingConfig(max_memory_gb=0.003)
    if kind in DENSE:
        with pytest.raises(ConfigError, match=r"0.003 GB of training.max_memory_gb, got 0.004 GB"):
            refuse_large_model(config, 1000, tight)
    else:
        refuse_large_model(config, 1000, tight)


def test_dense_factorizer_of_sansa_counts_too():
    """LAPACK works on float64, with copies."""
    config = model_kinds()["sansa"](factorizer="dense")
    assert dense_model_bytes(config, 1000) == 20_000_000


def test_without_a_limit_free_memory_is_it(caplog):
    """A model that no machine holds is refused; what a small one takes is told."""
    ease = model_kinds()["ease"]()
    with pytest.raises(
        ConfigError, match=r"over 50,000,000 items .* of free memory, got 1e\+07 GB"
    ):
        refuse_large_model(ease, 50_000_000, TrainingConfig())
    caplog.set_level(logging.INFO, logger="tasks.training.model_memory")
    refuse_large_model(ease, 1000, TrainingConfig())
    assert "ease over 1000 items takes 0.004 GB" in caplog.text


def test_container_s_limit_counts(tmp_path, monkeypatch):
    """What its group may still take, files that can be dropped included."""
    monkeypatch.setattr("tasks.training.model_memory._CGROUP", tmp_path)
    machine = free_memory()
    assert machine > 10**6
    texts = {
        "memory.max": "5000\n",
        "memory.current": "3000\n",
        "memory.stat": "inactive_file 400\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    assert free_memory() == 2400
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert free_memory() > 10**6
