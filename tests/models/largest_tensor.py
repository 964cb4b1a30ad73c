"""How large a tensor a computation ever makes."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LargestTensor(TorchDispatchMode):
    """Inside the with block, numel follows the largest result of any operation."""

    numel = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run the operation and look at what it returns."""
        result = func(*args, **(kwargs or {}))
        strided = (
            x for x in tree_leaves(result) if isinstance(x, torch.Tensor) and not x.is_sparse
        )
        for tensor in strided:
            if tensor.layout == torch.strided:
                self.numel = max(self.numel, tensor.numel())
        return result
