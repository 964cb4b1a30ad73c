"""An ELSARecommender on disk: arrays as npy, the rest as JSON with their digests, no pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from data_contracts.errors import ContractViolationError
from models.elsa.elsa_interface import ELSARecommender
from tasks.files import empty_folder, replace_folder, sha256_of

_SETTINGS, _DIGESTS = "elsa.json", "sha256"


def save_elsa(folder: Path, recommender: ELSARecommender) -> None:
    """Replace a folder, as a whole, by a fitted recommender.

    Raises:
        ValueError: nothing has been fitted.
    """
    arrays, settings = recommender.state()
    staged = empty_folder(folder.with_name(f".{folder.name}.new"))
    for name, array in arrays.items():
        np.save(staged / f"{name}.npy", array, allow_pickle=False)
    text = json.dumps(settings | {_DIGESTS: _digests(staged)}, indent=2, sort_keys=True)
    (staged / _SETTINGS).write_text(text + "\n", encoding="utf-8")
    replace_folder(staged, folder)


def load_elsa(folder: Path) -> ELSARecommender:
    """Return a saved recommender.

    Raises:
        ContractViolationError: the folder holds none, its arrays are not those that were saved,
            or it has another format.
    """
    path = folder / _SETTINGS
    if not path.is_file():
        raise ContractViolationError(f"{folder} holds no saved model: {_SETTINGS} is missing")
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if settings.pop(_DIGESTS) != _digests(folder):
            raise ContractViolationError(f"{folder}: the arrays are not those that were saved")
        arrays = {each.stem: np.load(each, allow_pickle=False) for each in folder.glob("*.npy")}
        return ELSARecommender.from_state(arrays, settings)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractViolationError(f"{path} cannot be read: {error}") from error


def _digests(folder: Path) -> dict[str, str]:
    return {each.stem: sha256_of(each) for each in sorted(folder.glob("*.npy"))}
