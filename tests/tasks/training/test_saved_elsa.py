"""A saved recommender: what was saved comes back, and nothing else is trusted."""

import json

import numpy as np
import pytest

from data_contracts.errors import ContractViolationError
from models.elsa.elsa_interface import ELSARecommender
from tasks.training.saved_elsa import load_elsa, save_elsa

X = np.random.default_rng(0).random((9, 12)) < 0.4


def recommender(epochs=1, **settings):
    """Return a fitted one."""
    found = ELSARecommender(12, 4, device="cpu", **settings)
    found.fit(X, epochs, alpha=0.5)
    return found


def test_what_was_saved_comes_back(tmp_path):
    """A later save replaces the folder, which holds no more than it must."""
    save_elsa(tmp_path / "model", recommender(item_ids=[f"item {i}" for i in range(12)]))
    ours = recommender(epochs=3)
    save_elsa(tmp_path / "model", ours)
    loaded = load_elsa(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), ours.predict(X))
    assert loaded.item_ids is None
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["A.npy", "counts.npy", "elsa.json"]


def test_names_are_saved(tmp_path):
    """In whatever script they are written."""
    names = [f"чай {i}" for i in range(12)]
    save_elsa(tmp_path / "model", recommender(item_ids=names))
    assert load_elsa(tmp_path / "model").item_ids.tolist() == names


def test_torn_folder_is_refused(tmp_path):
    """An array that is not the one that was saved, is gone, or came later."""
    folder = tmp_path / "model"
    with pytest.raises(ContractViolationError, match=r"saved model: elsa\.json is missing"):
        load_elsa(folder)
    for spoil in (
        lambda: (folder / "A.npy").write_bytes(b"x"),
        lambda: (folder / "counts.npy").unlink(),
        lambda: np.save(folder / "more.npy", X),
    ):
        save_elsa(folder, recommender())
        spoil()
        with pytest.raises(ContractViolationError, match="not those that were saved"):
            load_elsa(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": 2}, "format must be 1, got 2"), ({"seed": None}, "cannot be read: 'seed'")],
)
def test_other_settings_are_refused(tmp_path, change, message):
    """Of another format, or without what this one needs."""
    save_elsa(tmp_path / "model", recommender())
    path = tmp_path / "model" / "elsa.json"
    settings = json.loads(path.read_text()) | change
    settings = {name: value for name, value in settings.items() if value is not None}
    path.write_text(json.dumps(settings))
    with pytest.raises(ContractViolationError, match=message):
        load_elsa(tmp_path / "model")


def test_text_that_is_no_json_is_refused(tmp_path):
    """With the name of the file."""
    save_elsa(tmp_path / "model", recommender())
    (tmp_path / "model" / "elsa.json").write_text("{")
    with pytest.raises(ContractViolationError, match=r"elsa\.json cannot be read"):
        load_elsa(tmp_path / "model")
