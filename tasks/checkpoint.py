"""The state of an unfinished training on disk: arrays as npy, the rest as JSON, no pickle."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from models.elsa import TrainingState

from tasks.files import empty_folder, replace_folder, write_text

_SCALARS = "state.json"


def save_checkpoint(folder: Path, state: TrainingState) -> None:
    """Replace the checkpoint in a folder as a whole."""
    staging = empty_folder(folder.with_name(f"{folder.name}.new"))
    scalars: dict[str, Any] = {}
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        if isinstance(value, np.ndarray):
            np.save(staging / f"{field.name}.npy", value, allow_pickle=False)
        else:
            scalars[field.name] = value
    write_text(staging / _SCALARS, json.dumps(scalars))
    replace_folder(staging, folder)


def load_checkpoint(folder: Path) -> TrainingState | None:
    """Return the last saved state, or None where there is none."""
    if not (folder / _SCALARS).is_file():
        return None
    values: dict[str, Any] = json.loads((folder / _SCALARS).read_text(encoding="utf-8"))
    for field in dataclasses.fields(TrainingState):
        if field.name not in values:
            values[field.name] = np.load(folder / f"{field.name}.npy", allow_pickle=False)
    return TrainingState(**values)
