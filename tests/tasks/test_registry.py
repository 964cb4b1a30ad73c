"""The arrays of a registered version."""

import numpy as np
import pytest

from tasks.registry import _load_part


def test_parts_are_read_back(tmp_path):
    """Each from its own file."""
    np.save(tmp_path / "final.tempering.npy", np.array([0.2, 0.1]))
    assert _load_part(tmp_path, "tempering").tolist() == [0.2, 0.1]


def test_version_from_before_tempering_is_plain(tmp_path):
    """Its lists stay what they were."""
    assert _load_part(tmp_path, "tempering").tolist() == [0.0, 0.0]


def test_missing_factors_are_no_default(tmp_path):
    """A version without its factors is broken."""
    with pytest.raises(FileNotFoundError, match=r"final\.factors\.npy"):
        _load_part(tmp_path, "factors")
