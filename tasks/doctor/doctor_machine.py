"""What the machine has: where models are trained, free memory, free disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from data_contracts.config import NightlyConfig
from data_contracts.health import Finding
from tasks.training.model_memory import free_memory

_GB = 1e9
_LITTLE_MEMORY, _LITTLE_DISK, _NO_DISK = 2.0, 5.0, 0.2  # GB


def machine_findings(config: NightlyConfig | None) -> Iterator[Finding]:
    """Yield the device that trains, and what is free of memory and disk."""
    yield _device("auto" if config is None else config.training.device)
    yield _memory()
    yield _disk(Path.cwd() if config is None else Path(config.lake))


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())


def _device(wish: str) -> Finding:
    if torch.cuda.is_available() and wish != "cpu":
        return Finding(name="device", state="ok", found=f"cuda: {torch.cuda.get_device_name()}")
    cpu = f"cpu, {torch.get_num_threads()} threads"
    if wish == "cuda":
        return Finding(
            name="device", state="problem", found=f"{cpu}; training.device asks for cuda",
            remedy="set training.device to auto or cpu, or install torch built for CUDA",
        )  # fmt: skip
    if wish == "auto" and shutil.which("nvidia-smi"):
        return Finding(
            name="device", state="advice", found=f"{cpu}; there is a GPU that torch cannot use",
            remedy="install torch built for CUDA (pytorch.org says how), and a driver that fits",
        )  # fmt: skip
    return Finding(name="device", state="ok", found=cpu)


def _memory() -> Finding:
    free = free_memory() / _GB
    found = f"{free:.1f} GB free"
    if free >= _LITTLE_MEMORY:
        return Finding(name="memory", state="ok", found=found)
    return Finding(
        name="memory", state="advice", found=found,
        remedy="'hoarfrost plan' tells what a night takes; more shards (history.n_user_shards) "
        "and fewer factors take less",
    )  # fmt: skip


def _disk(lake: Path) -> Finding:
    place = existing(lake)
    free = shutil.disk_usage(place).free / _GB
    found = f"{free:.1f} GB free at {place}"
    if free >= _LITTLE_DISK:
        return Finding(name="disk", state="ok", found=found)
    return Finding(
        name="disk", state="advice" if free >= _NO_DISK else "problem", found=found,
        remedy="make room, move the lake, or keep fewer snapshots (tables.keep_snapshots)",
    )  # fmt: skip
