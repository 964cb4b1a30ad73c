"""A fitted GRU layer in numpy: the state after the last item of each sequence."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from models.network.sequence import Sequences

ROWS = 1024  # sequences that are read side by side


class GRU(NamedTuple):
    """Gates in the order reset, update, new, side by side; float32 arrays.

    Reference: Cho et al., EMNLP 2014, arXiv:1406.1078, in the form of torch.nn.GRU.
    """

    W_in: Float[np.ndarray, "n_in n_gates"]
    W_state: Float[np.ndarray, "n_hidden n_gates"]
    b_in: Float[np.ndarray, " n_gates"]
    b_state: Float[np.ndarray, " n_gates"]

    def last_states(
        self, sequences: Sequences, embedding: Float[np.ndarray, "n_items n_in"]
    ) -> Float[np.ndarray, "n_rows n_hidden"]:
        """Return the state after the last item of every row, float64, zeros for an empty row.

        Rows of like length are read together, item by item, so that no time goes into padding.

        Args:
            sequences: items of the rows.
            embedding: what is fed for each item.
        """
        states = np.zeros((len(sequences.lengths), len(self.W_state)))
        order = np.argsort(-sequences.lengths, kind="stable")
        wide = GRU(*(each.astype(np.float64) for each in self))
        for start in range(0, len(order), ROWS):
            rows = order[start : start + ROWS]
            states[rows] = _read(wide, sequences, rows, embedding)
        return states

    def step(
        self, x: Float[np.ndarray, "batch n_in"], h: Float[np.ndarray, "batch n_hidden"]
    ) -> Float[np.ndarray, "batch n_hidden"]:
        """Return the states after one more input."""
        given, own = x @ self.W_in + self.b_in, h @ self.W_state + self.b_state
        n = h.shape[1]
        reset = expit(given[:, :n] + own[:, :n])
        update = expit(given[:, n : 2 * n] + own[:, n : 2 * n])
        new = np.tanh(given[:, 2 * n :] + reset * own[:, 2 * n :])
        return np.asarray((1.0 - update) * new + update * h)


def _read(
    gru: GRU, sequences: Sequences, rows: Int[np.ndarray, " batch"], embedding: np.ndarray
) -> np.ndarray:
    lengths, first = sequences.lengths[rows], sequences.offsets[rows]
    h = np.zeros((len(rows), len(gru.W_state)))
    for place in range(int(lengths.max(initial=0))):
        n_left = int(np.searchsorted(-lengths, -place))  # rows longer than this come first
        items = sequences.item[first[:n_left] + place]
        h[:n_left] = gru.step(embedding[items].astype(np.float64), h[:n_left])
    return h
