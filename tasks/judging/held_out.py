"""The held-out users of a night: what they are shown, and what they are asked."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data_contracts.manifests import MatrixManifest
from data_contracts.model_config import Consumed
from tasks.history.matrix import load_shard
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
    for shard in range(matrices.n_shards):
        arrays = load_shard(night.step("matrices"), shard)
        asked = np.flatnonzero(np.diff(arrays.target.indptr))
        fold_ins.append(arrays.fold_in[asked])
        targets.append(arrays.target[asked])
        n_before.append(np.diff(arrays.train.indptr)[asked])
    everybody = HeldOut(_stacked(fold_ins), _stacked(targets), np.concatenate(n_before))
    drawn = _drawn(night, len(everybody.n_before))
    if drawn is None:
        return everybody
    fold_in, target, before = everybody
    return HeldOut(fold_in[drawn], target[drawn], before[drawn])


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
    rows, parts = RowValues(night, matrices, consumes), []
    for shard in range(matrices.n_shards):
        arrays = load_shard(night.step("matrices"), shard)
        asked = np.flatnonzero(np.diff(arrays.target.indptr))
        parts.append(rows.of(shard, "fold_in", arrays)[asked])
    shown = _stacked(parts)
    drawn = _drawn(night, shown.shape[0])
    return shown if drawn is None else shown[drawn]


def _drawn(night: Night, n_users: int) -> np.ndarray | None:
    """Return the judged of so many users, sorted; None if all of them are."""
    most = night.config.evaluation.max_users
    if n_users <= most:
        return None
    rng = np.random.default_rng(night.config.seed)
    return np.sort(rng.choice(n_users, most, replace=False))


def _stacked(parts: list[sp.csr_array]) -> sp.csr_array:
    return sp.csr_array(sp.vstack(parts, format="csr"))
