"""ELSA's step on any torch device, in any of its forms, without a word to the host in between.

The matrix lies on the device in CSR; batches are gathered there. What a batch holds is known to
the host from its own copy of the row pointers, so that nothing inside an epoch waits for a result.
"""

import logging
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from models.elsa.elsa_exact import derivatives
from models.elsa.elsa_state import Parameter
from models.elsa.nadam import BETA1, BETA2, EPSILON, Coefficients, Schedule

logger = logging.getLogger(__name__)
_CHUNK = 1 << 26  # numbers of the parameter updated at once: temporaries of 256 MB
_NORM_FLOOR = 1e-12


class Batch(NamedTuple):
    """Rows of X, shape (batch, n_items), and their transpose, in sparse CSR."""

    X: Tensor
    Xt: Tensor
    weight: Tensor  # what a row's loss counts, shape (batch,)


Form = Callable[[Tensor, Batch], tuple[Tensor, Tensor]]  # A, batch -> loss, dL/dA


class DeviceRows:
    """A CSR matrix on a device; the host keeps a copy of the row pointers."""

    def __init__(
        self, indptr: np.ndarray, columns: Tensor, values: Tensor, weight: Tensor, n_items: int
    ) -> None:
        """Hold rows that lie on a device already.

        Args:
            indptr: where each row begins, shape (n_users + 1,), in main memory.
            columns: items of all rows, no item twice in one, int32, shape (nnz,).
            values: their weights, shape (nnz,).
            weight: what a row's loss counts, shape (n_users,).
            n_items: width of the matrix.
        """
        self.device = str(columns.device)
        self.n_users, self.n_items = len(indptr) - 1, n_items
        self._indptr, self._columns, self._values = indptr, columns, values
        self._weight = weight
        self._starts = torch.tensor(indptr[:-1].astype(np.int64), device=self.device)
        self._items = torch.arange(n_items + 1, dtype=torch.int32, device=self.device)

    @classmethod
    def from_csr(
        cls, X: sp.csr_array, device: str, weight: np.ndarray | None = None
    ) -> "DeviceRows":
        """Copy a matrix, shape (n_users, n_items), to a device; rows count alike by default."""
        columns = torch.tensor(X.indices, dtype=torch.int32, device=device)
        values = torch.tensor(X.data, device=device)
        counted = np.ones(X.shape[0], X.dtype) if weight is None else weight
        return cls(X.indptr, columns, values, torch.tensor(counted, device=device), X.shape[1])

    def take(self, rows: np.ndarray) -> Batch:
        """Return some rows, in their order."""
        counts = self._indptr[rows + 1] - self._indptr[rows]
        indptr = np.concatenate(([0], np.cumsum(counts)))
        n = int(indptr[-1])
        offsets = _upload(indptr, self.device)
        row = torch.repeat_interleave(
            torch.arange(len(rows), device=self.device), offsets.diff(), output_size=n
        )
        users = _upload(rows, self.device)
        shift = self._starts[users] - offsets[:-1]
        place = torch.arange(n, device=self.device) + shift[row]
        columns, values = self._columns[place], self._values[place]
        sorted_columns, order = torch.sort(columns, stable=True)
        shape = (len(rows), self.n_items)
        return Batch(
            _csr(offsets, columns, values, shape),
            _csr(
                torch.searchsorted(sorted_columns, self._items),
                row[order], values[order], shape[::-1],
            ),
            self._weight[users],
        )  # fmt: skip


class TorchEngine:
    """Runs epochs of any form on a parameter that lies on a device."""

    def __init__(
        self, rows: DeviceRows, parameter: Parameter, *, form_of_epoch: Callable[[int], Form]
    ) -> None:
        """Copy the parameter to the device of the rows.

        Args:
            rows: at least one item in each.
            parameter: where to start.
            form_of_epoch: from the number of steps made before an epoch, what gives loss and
                gradient of its batches by A.
        """
        self._rows = rows
        self._parameter = [torch.tensor(each, device=rows.device) for each in parameter]
        self._form_of_epoch = form_of_epoch
        self._most = rows.n_users  # rows that fit into the device's memory, as far as we know

    @property
    def parameter(self) -> Parameter:
        """The parameter in main memory; on the CPU it is the parameter itself."""
        return Parameter(*(each.cpu().numpy() for each in self._parameter))

    def run_epoch(
        self, order: np.ndarray, *, batch_size: int, learning_rate: float, schedule: Schedule
    ) -> tuple[np.ndarray, Schedule]:
        """Visit the rows in an order; return the loss of every batch and the next schedule.

        Where a batch does not fit into the device's memory it is halved, then and for good.

        Raises:
            torch.OutOfMemoryError: a single row does not fit.
        """
        losses, start, form = [], 0, self._form_of_epoch(schedule.step)
        while start < len(order):
            n_rows = min(batch_size, self._most)
            rows = order[start : start + n_rows]
            try:
                loss, dA = form(self._parameter[0], self._rows.take(rows))
            except torch.OutOfMemoryError:
                if len(rows) == 1:
                    raise
                self._most = len(rows) // 2
                logger.warning("out of memory: %d users per step from here on", self._most)
                torch.cuda.empty_cache()
                continue
            schedule, coefficients = schedule.advance(learning_rate)
            self._update(dA, coefficients)
            losses.append(loss)
            start += len(rows)
        return torch.stack(losses).cpu().numpy(), schedule

    def _update(self, dA: Tensor, coefficients: Coefficients) -> None:
        n_rows = max(1, _CHUNK // dA.shape[1])
        for start in range(0, len(dA), n_rows):
            items = slice(start, start + n_rows)
            A, norm, first, second = (each[items] for each in self._parameter)
            descend(A, norm, first, second, dA[items], coefficients)


def descend(
    A: Tensor, norm: Tensor, first: Tensor, second: Tensor, dA: Tensor, coefficients: Coefficients
) -> None:
    """Take dL/dA through the normalisation and make NAdam's step, all in place; dA is used up."""
    length = norm[:, None]
    radial = (A * dA).sum(dim=1, keepdim=True)
    slope = dA.addcmul_(A, radial, value=-1.0).div_(length)
    first.mul_(BETA1).add_(slope, alpha=1.0 - BETA1)
    second.mul_(BETA2).addcmul_(slope, slope, value=1.0 - BETA2)
    step = slope.mul_(coefficients.gradient).add_(first, alpha=coefficients.momentum)
    step.div_((second * coefficients.variance).sqrt_().add_(EPSILON))
    A.mul_(length).sub_(step)
    torch.linalg.vector_norm(A, dim=1, out=norm)
    norm.clamp_min_(_NORM_FLOOR)
    A.div_(norm[:, None])


def exact_form(*, scale: float, product: torch.dtype | None = None) -> Form:
    """Return the exact linear form.

    Args:
        scale: factor of the mean of 1 - cos(x, y), 2 / n_items for NMSE.
        product: precision of the two products that cost most, AᵀA and A dG; by default A's.
    """

    def form(A: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        A_product = A if product is None else A.to(product)
        G = (A_product.T @ A_product).to(A.dtype)
        n_rows, floor = batch.X.shape[0], torch.finfo(A.dtype).eps
        squares = _squared_rows(batch.X)
        losses, dH, dG = derivatives(
            batch.X @ A, G, squares, batch.weight, scale=scale / n_rows, floor=floor
        )
        dA = batch.Xt @ dH
        dA += (A_product @ (2.0 * dG).to(A_product.dtype)).to(A.dtype)
        return losses.sum() * (scale / n_rows), dA

    return form


def _upload(array: np.ndarray, device: str) -> Tensor:
    tensor = torch.from_numpy(array.astype(np.int64))
    if device == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def _csr(indptr: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():  # torch calls its CSR tensors beta, once per process
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            indptr.to(torch.int32), columns.to(torch.int32), values, shape, check_invariants=False
        )


def _squared_rows(X: Tensor) -> Tensor:
    values = X.values().square()
    return torch.segment_reduce(values, "sum", offsets=X.crow_indices().to(torch.int64))
