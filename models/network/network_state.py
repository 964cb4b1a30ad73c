"""What the training of a network changes, and what it needs to go on after an epoch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

_REMEMBERED: dict[type[torch.optim.Optimizer], tuple[str, ...]] = {
    torch.optim.Adam: ("exp_avg", "exp_avg_sq"),
    torch.optim.AdamW: ("exp_avg", "exp_avg_sq"),
    torch.optim.RMSprop: ("square_avg",),
    torch.optim.Adagrad: ("sum",),
    torch.optim.Rprop: ("prev", "step_size"),
    torch.optim.SGD: ("momentum_buffer",),  # with momentum
}


@dataclass(frozen=True)
class NetworkState:
    """A training after an epoch; a fit resumed from it ends as if never stopped, to the bit."""

    parameters: np.ndarray  # (n_parameters,) float32, one after the other
    best_parameters: np.ndarray  # likewise
    memory: np.ndarray  # (n_memories, n_parameters), the optimiser's, by name
    step: int
    epoch: int
    best_epoch: int
    best_metric: float

    def advanced(
        self, parameters: np.ndarray, memory: np.ndarray, *, n_steps: int, value: float | None
    ) -> "NetworkState":
        """Return the state after another epoch.

        Args:
            parameters: as they are now.
            memory: likewise.
            n_steps: made in this epoch.
            value: the larger, the better the epoch; None: the last epoch counts as best.
        """
        after = replace(
            self, parameters=parameters, memory=memory, step=self.step + n_steps,
            epoch=self.epoch + 1,
        )  # fmt: skip
        if value is None:
            return replace(after, best_parameters=parameters, best_epoch=after.epoch)
        if value > self.best_metric:
            return replace(
                after, best_parameters=parameters, best_epoch=after.epoch, best_metric=value
            )
        return after

    def is_stale(self, patience: int | None) -> bool:
        """Tell whether none of the last ``patience`` epochs was better than those before."""
        return patience is not None and self.epoch - self.best_epoch >= patience


def fresh_state(network: nn.Module) -> NetworkState:
    """Return the state before the first epoch."""
    start = flat_parameters(network)
    return NetworkState(start, start, np.zeros((0, 0), np.float32), 0, 0, 0, -np.inf)


def flat_parameters(network: nn.Module) -> np.ndarray:
    """Return a copy of the parameters that are trained, one after the other."""
    return _flat(each for each in network.parameters() if each.requires_grad)


def set_parameters(network: nn.Module, flat: np.ndarray) -> None:
    """Put parameters back that flat_parameters returned."""
    trained = [each for each in network.parameters() if each.requires_grad]
    with torch.no_grad():
        for parameter, values in zip(trained, _parts(trained, flat), strict=True):
            parameter.copy_(values)


def flat_memory(optimiser: torch.optim.Optimizer) -> np.ndarray:
    """Return what an optimiser remembers of every parameter, a row for each thing."""
    parameters = _parameters(optimiser)
    memory = np.empty(
        (len(_names(optimiser)), sum(each.numel() for each in parameters)), np.float32
    )
    for row, name in zip(memory, _names(optimiser), strict=True):
        _flat((optimiser.state[each][name] for each in parameters), row)
    return memory


def set_memory(optimiser: torch.optim.Optimizer, memory: np.ndarray, step: int) -> None:
    """Put back what flat_memory returned, for an optimiser that has not stepped yet."""
    parameters = _parameters(optimiser)
    for name, flat in zip(_names(optimiser), memory, strict=True):
        for parameter, values in zip(parameters, _parts(parameters, flat), strict=True):
            optimiser.state[parameter][name] = values
            if not isinstance(optimiser, torch.optim.SGD):
                where = parameter.device if optimiser.defaults.get("fused") else "cpu"
                optimiser.state[parameter]["step"] = torch.tensor(float(step), device=where)


def _names(optimiser: torch.optim.Optimizer) -> tuple[str, ...]:
    for kind, names in _REMEMBERED.items():
        if type(optimiser) is kind:
            return names
    raise TypeError(f"the optimiser must be one of {list(_REMEMBERED)}, got {type(optimiser)}")


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [each for group in optimiser.param_groups for each in group["params"]]


def _flat(tensors: Iterable[Tensor], out: np.ndarray | None = None) -> np.ndarray:
    """Return the numbers of tensors, one after the other, in an array that is given or new."""
    parts = [each.detach().cpu().numpy().ravel() for each in tensors]  # views, on the CPU
    return np.concatenate(parts, out=out)


def _parts(like: Sequence[Tensor], flat: np.ndarray) -> list[Tensor]:
    sizes = [each.numel() for each in like]
    pieces = np.split(flat, np.cumsum(sizes)[:-1])
    return [
        torch.tensor(piece, dtype=each.dtype, device=each.device).view_as(each)
        for piece, each in zip(pieces, like, strict=True)
    ]
