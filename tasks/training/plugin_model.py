"""Networks that users bring in packages of their own, found by entry points."""

import contextlib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

import torch
from torch import nn

from data_contracts.embedding_config import ModuleConfig
from data_contracts.errors import ConfigError
from data_contracts.kind_config import KindConfig
from models.factors.pair_network import check_embeddings

GROUP = "hoarfrost.models"
_HOW = "deploy/bring-your-own-model.md tells how"


def make_network(
    name: str, shape: tuple[int, int], settings: Mapping[str, bool | int | float | str]
) -> nn.Module:
    """Return a network of a plug-in, made for so many users and items.

    Args:
        name: of its entry point in the group hoarfrost.models.
        shape: users and items.
        settings: handed on as named arguments.

    Raises:
        ConfigError: there is no such entry point, it cannot be loaded or called, or what it
            returns has no embeddings of that many users and items.
    """
    entry = _entry_point(name)
    try:
        factory = entry.load()
        network = factory(*shape, **settings)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"model.name: {name} ({entry.value}) must return a torch.nn.Module for (n_users, "
            f"n_items) and the keys of model.settings ({', '.join(settings) or 'none'}), got "
            f"{reason}"
        ) from error
    try:
        check_embeddings(network, shape)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"model.name: {name} ({entry.value}): {error}; {_HOW}") from error
    return network


def plugin_inputs(config: KindConfig) -> dict[str, str]:
    """Return which package a model of a plug-in is made by, nothing for other kinds.

    Raises:
        ConfigError: there is no such entry point.
    """
    if not isinstance(config, ModuleConfig):
        return {}
    entry = _entry_point(config.name)
    package = "" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
    return {"plugin": f"{entry.value} of {package}"}


@contextlib.contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Give what a plug-in draws from torch's global generator a seed, and restore it after."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _entry_point(name: str) -> EntryPoint:
    there = {each.name: each for each in entry_points(group=GROUP)}
    if name not in there:
        known = ", ".join(sorted(there)) or "none is installed"
        raise ConfigError(
            f"model.name must name an entry point of the group {GROUP} ({known}), got "
            f"{name or 'nothing'}: install the package that has it; {_HOW}"
        )
    return there[name]
