"""The held-out users of a night: what they are shown, and what they are asked."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data_contracts.manifests import MatrixManifest
from data_contracts.model_config import Consumed
from tasks.history.matrix_shard import MatrixShard, load_shard
from tasks.history.row_values import RowValues
from tasks.lake import Night


class HeldOut(NamedTuple):
    """The judged users."""

    fold_in: sp.csr_array  # (n_judged, n_items)
    target: sp.csr_array  # (n_judged, n_items), an item in every row
    n_before: np.ndarray  # (n_judged,) items met before the cut, 0 of new users


def held_out_users(night: Night, matrices: MatrixManifest) -> HeldOut:
    """Return everybody with a target, or as many drawn as evaluation.max_users allows."""
    fold_ins, targets, n_before = [], [], []
    for arrays, asked in _judged(night, matrices):
        fold_ins.append(arrays.fold_in[asked])
        targets.append(arrays.target[asked])
        n_before.append(arrays.n_before[asked])
    return HeldOut(_stacked(fold_ins), _stacked(targets), np.concatenate(n_before))


def shown_to(
    night: Night, matrices: MatrixManifest, held_out: HeldOut, consumes: Consumed
) -> sp.csr_array:
    """Return what the judged users are shown as some sort of models consumes it.

    The entries are those of held_out.fold_in, but for pairs without a rating.

    Raises:
        ConfigError: ratings are asked for, and the log has none.
    """
    if consumes == "weights":
        return held_out.fold_in
    rows = RowValues(night, matrices, consumes)
    judged = enumerate(_judged(night, matrices))
    return _stacked([rows.of(shard, "fold_in", arrays)[asked] for shard, (arrays, asked) in judged])


def _judged(night: Night, matrices: MatrixManifest) -> Iterator[tuple[MatrixShard, np.ndarray]]:
    """Yield every user shard with the rows of its users that are judged."""
    drawn, first = _drawn(night, matrices.n_heldout_users), 0
    for shard in range(matrices.n_shards):
        arrays = load_shard(night.step("matrices"), shard)
        asked = np.flatnonzero(arrays.is_judged)
        yield arrays, asked[drawn[first : first + len(asked)]]
        first += len(asked)


def _drawn(night: Night, n_users: int) -> np.ndarray:
    """Tell which of so many users are judged, shape (n_users,) bool."""
    most, chosen = night.config.evaluation.max_users, np.ones(n_users, bool)
    if n_users > most:
        rng = np.random.default_rng(night.config.seed)
        chosen[:] = False
        chosen[rng.choice(n_users, most, replace=False)] = True
    return chosen


def _stacked(parts: list[sp.csr_array]) -> sp.csr_array:
    return sp.csr_array(sp.vstack(parts, format="csr"))
