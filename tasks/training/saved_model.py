"""A fitted model in a folder: named arrays as npy and the rest as JSON, no pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.fitted_model import FittedModel
from models.model_arrays import arrays_of, model_of
from models.network.layer_arrays import Parameter

COUNTS, MODEL = "counts", "model"
_BEFORE_KINDS = {  # versions from before there was more than one kind lack the JSON
    "kind": "elsa",
    "form": "elsa",
    "parameters": {},
    "arrays": ["factors", COUNTS, "tempering"],
}


class SavedModel(NamedTuple):
    """A model as it is kept, its arrays memory-mapped."""

    kind: str
    form: str
    parameters: dict[str, Parameter]
    arrays: dict[str, np.ndarray]

    @property
    def counts(self) -> np.ndarray:
        """Users who had each item in training, shape (n_items,)."""
        return self.arrays[COUNTS]

    @property
    def model(self) -> FittedModel:
        """The model over the items it was fitted on; nothing is copied."""
        return model_of(self.form, self.arrays, self.parameters, self.counts)


def write_model(
    folder: Path, fit: str, model: FittedModel, *, kind: str, counts: np.ndarray
) -> None:
    """Write a model beside others; the folder is staged by whoever calls.

    Args:
        folder: gets ``<fit>.<array>.npy`` and ``<fit>.model.json``.
        fit: name of the fit.
        model: fitted.
        kind: of its configuration.
        counts: users who had each item in training.
    """
    form, arrays, parameters = arrays_of(model)
    arrays = {**arrays, COUNTS: np.asarray(counts)}
    for name, array in arrays.items():
        np.save(folder / f"{fit}.{name}.npy", array, allow_pickle=False)
    told = {"kind": kind, "form": form, "parameters": parameters, "arrays": sorted(arrays)}
    text = json.dumps(told, indent=2, sort_keys=True) + "\n"
    (folder / f"{fit}.{MODEL}.json").write_text(text, encoding="utf-8")


def read_model(folder: Path, fit: str) -> SavedModel:
    """Return a model that was kept, also one from before there was more than one kind.

    Raises:
        FileNotFoundError: an array of it is missing.
    """
    told = _told(folder, fit)
    arrays = {name: _array(folder, fit, name) for name in told["arrays"]}
    return SavedModel(told["kind"], told["form"], told["parameters"], arrays)


def model_files(folder: Path, fit: str) -> dict[str, Path]:
    """Return the files of a model that write_model wrote: name -> path."""
    files = {name: folder / f"{fit}.{name}.npy" for name in _told(folder, fit)["arrays"]}
    told = folder / f"{fit}.{MODEL}.json"
    return files | ({MODEL: told} if told.is_file() else {})


def identity_of(files: Mapping[str, str], kind: str) -> dict[str, str]:
    """Return what tells one model from another, of the digests of its files.

    The JSON of ELSA says nothing that its arrays do not, so that versions from before there was
    more than one kind keep their digest.
    """
    return {name: each for name, each in files.items() if name != MODEL or kind != "elsa"}


def _told(folder: Path, fit: str) -> dict[str, Any]:
    path = folder / f"{fit}.{MODEL}.json"
    if not path.is_file():
        return _BEFORE_KINDS
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _array(folder: Path, fit: str, name: str) -> np.ndarray:
    path = folder / f"{fit}.{name}.npy"
    if name == "tempering" and not path.is_file():  # a version from before there was any
        return np.zeros(2)
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
