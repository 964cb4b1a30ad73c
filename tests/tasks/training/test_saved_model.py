"""The arrays of a kept model, and what tells one from another."""

import numpy as np
import pytest

from models.elsa.elsa import ELSA
from models.item_item.item_item import ItemItem
from tasks.training.saved_model import identity_of, model_files, read_model, write_model

A = np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32)
COUNTS = np.array([3, 2])


def of_old(folder, *names):
    """Arrays as they were kept when ELSA was the only model."""
    arrays = {"factors": A, "counts": COUNTS, "tempering": np.array([0.2, 0.1])}
    for name in names:
        np.save(folder / f"final.{name}.npy", arrays[name])


def test_version_from_before_there_were_kinds_is_elsa(tmp_path):
    """Each array from its own file, and no JSON."""
    of_old(tmp_path, "factors", "counts", "tempering")
    saved = read_model(tmp_path, "final")
    assert (saved.kind, saved.counts.tolist()) == ("elsa", [3, 2])
    assert (saved.model.alpha, saved.model.beta) == (0.2, 0.1)
    np.testing.assert_array_equal(saved.model.A, A)
    assert set(model_files(tmp_path, "final")) == {"factors", "counts", "tempering"}


def test_version_from_before_tempering_is_plain(tmp_path):
    """Its lists stay what they were."""
    of_old(tmp_path, "factors", "counts")
    assert read_model(tmp_path, "final").arrays["tempering"].tolist() == [0.0, 0.0]


def test_missing_factors_are_no_default(tmp_path):
    """A version without its factors is broken."""
    of_old(tmp_path, "counts", "tempering")
    with pytest.raises(FileNotFoundError, match=r"final\.factors\.npy"):
        read_model(tmp_path, "final")


def test_elsa_is_told_apart_by_its_arrays_alone(tmp_path):
    """As before there were kinds, so that a night that is run again finds its version."""
    of_old(tmp_path, "factors", "counts", "tempering")
    before = model_files(tmp_path, "final")
    model = ELSA(A, COUNTS, 0.2, 0.1)
    write_model(tmp_path, "final", model, kind="elsa", counts=COUNTS)
    after = model_files(tmp_path, "final")
    assert set(after) - set(before) == {"model"}
    digests = {name: path.name for name, path in after.items()}
    assert set(identity_of(digests, "elsa")) == set(before)
    assert identity_of(digests, "ease") == digests


def test_kind_is_kept_beside_the_form(tmp_path):
    """Several kinds have one form."""
    B = np.zeros((2, 2), dtype=np.float32)
    write_model(tmp_path, "final", ItemItem(B), kind="mrf", counts=COUNTS)
    saved = read_model(tmp_path, "final")
    assert (saved.kind, saved.form) == ("mrf", "item_item")
    np.testing.assert_array_equal(saved.model.B, B)
