"""The state of an unfinished training on disk: arrays as npy, the rest as JSON, no pickle."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from tasks.files import sha256_of

logger = logging.getLogger(__name__)
_SCALARS, _DIGESTS = "state.json", "sha256"


class ResumableState(Protocol):
    """A dataclass of arrays, numbers and texts from which a fit goes on as if never stopped."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def epoch(self) -> int:
        """Epochs done."""
        ...

    @property
    def best_metric(self) -> float:
        """The best validation figure so far, below 0 if there is none."""
        ...


State = TypeVar("State", bound=ResumableState)


def save_checkpoint(folder: Path, state: ResumableState) -> None:
    """Replace the checkpoint in a folder.

    Nothing waits for the disk here, as that would cost more than a small epoch: state.json
    is replaced last and holds the digests of the arrays, by which a torn one is found out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scalars: dict[str, Any] = {_DIGESTS: {}}
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        if isinstance(value, np.ndarray):
            path = folder / f"{field.name}-{state.epoch % 2}.npy"  # the other is still in use
            np.save(path, value, allow_pickle=False)
            scalars[_DIGESTS][field.name] = sha256_of(path)
        else:
            scalars[field.name] = value
    sibling = folder / f".{_SCALARS}"
    sibling.write_text(json.dumps(scalars), encoding="utf-8")
    sibling.replace(folder / _SCALARS)


def load_checkpoint(folder: Path, state_class: type[State]) -> State | None:
    """Return the last saved state, or None where there is none that is whole.

    Args:
        folder: as save_checkpoint was given it.
        state_class: class of the state.
    """
    if not (folder / _SCALARS).is_file():
        return None
    values: dict[str, Any] = json.loads((folder / _SCALARS).read_text(encoding="utf-8"))
    for name, expected in values.pop(_DIGESTS).items():
        path = folder / f"{name}-{values['epoch'] % 2}.npy"
        if not path.is_file() or sha256_of(path) != expected:
            logger.warning("%s: the checkpoint is torn, training starts anew", folder)
            return None
        values[name] = np.load(path, allow_pickle=False)
    return state_class(**values)
