"""The held-out users of a night: what they are shown, and what they are asked."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data_contracts.manifests import MatrixManifest
from tasks.lake import Night
from tasks.matrix import load_shard


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
    n_users, most = len(everybody.n_before), night.config.evaluation.max_users
    if n_users <= most:
        return everybody
    rng = np.random.default_rng(night.config.seed)
    drawn = np.sort(rng.choice(n_users, most, replace=False))
    fold_in, target, before = everybody
    return HeldOut(fold_in[drawn], target[drawn], before[drawn])


def _stacked(parts: list[sp.csr_array]) -> sp.csr_array:
    return sp.csr_array(sp.vstack(parts, format="csr"))
