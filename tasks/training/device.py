"""Which device trains."""

import logging

import torch

from data_contracts.errors import ConfigError

logger = logging.getLogger(__name__)


def choose_device(wish: str) -> str:
    """Return "cuda" or "cpu"; "auto" takes the GPU where there is one.

    Raises:
        ConfigError: cuda is wished for and there is none.
    """
    if wish == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "training.device is cuda and this machine has no CUDA device: set it to auto or cpu"
        )
    device = "cuda" if wish != "cpu" and torch.cuda.is_available() else "cpu"
    name = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    logger.info("training on %s (%s)", device, name)
    return device
