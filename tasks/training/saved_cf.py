"""A SimpleCF on disk: its arrays in one npz, no pickle."""

import zipfile
from pathlib import Path

import numpy as np

from data_contracts.errors import ContractViolationError
from models.factors.simple_cf import SimpleCF
from tasks.files import make_folder, move_file, staged_path


def save_simple_cf(path: Path, network: SimpleCF) -> None:
    """Replace a file, as a whole, by a network's tables and settings."""
    make_folder(path.parent)
    staged = staged_path(path)
    with staged.open("wb") as file:
        np.savez(file, allow_pickle=False, **network.arrays())
    move_file(staged, path)


def load_simple_cf(path: Path) -> SimpleCF:
    """Return a saved network.

    Raises:
        ContractViolationError: the file holds none.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            return SimpleCF.from_arrays(dict(kept))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ContractViolationError(f"{path} holds no saved SimpleCF: {error}") from error
