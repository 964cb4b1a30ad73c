"""A model that has seen the future: leaky splits reward it, a cut in time does not."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from models.item_item.item_item import ItemItem
from models.metric.metric import evaluate
from models.split.split import leave_last_n, temporal_cut
from models.split.split_by_draw import random_pairs
from models.split.split_result import Split, split_rows
from models.statistics.bootstrap import MeanInterval, paired_bootstrap

N_USERS, N_ITEMS, N_DAYS, CUT = 400, 120, 40, 30
Log = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def log() -> Log:
    """Users, items and days of a shop whose fashions change: users come for ten days each."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(N_USERS), 20)
    day = rng.integers(0, N_DAYS - 10, N_USERS)[user] + rng.integers(0, 10, len(user))
    fashion = (3 * day + rng.integers(0, 6, len(user))) % N_ITEMS  # three new items a day
    item = np.where(rng.random(len(user)) < 0.8, fashion, rng.integers(0, N_ITEMS, len(user)))
    return user, item, day


def recall_of(split: Split, learns: np.ndarray, log: Log) -> np.ndarray:
    """Return recall@20 per user of a model of what was met together in some of the events."""
    user, item, _ = log
    shape = {"n_users": N_USERS, "n_items": N_ITEMS}
    rows = split_rows(dataclasses.replace(split, train=learns), user, item, **shape)
    B = (rows.train.T @ rows.train).toarray()
    np.fill_diagonal(B, 0.0)
    everything = np.ones(N_ITEMS, dtype=bool)
    pair = {"fold_in": sp.csr_array(rows.fold_in), "target": sp.csr_array(rows.target)}
    return evaluate(ItemItem(B), eligible=everything, **pair)["recall@20"]


def gain_of_the_future(split: Split, log: Log) -> MeanInterval:
    """Return what a model gains that learns from all of training, not from before the cut alone.

    Both learn from as many events, so that it is what they tell that counts.
    """
    past = split.train & (log[2] < CUT)
    drawn = np.random.default_rng(1).permutation(np.flatnonzero(split.train))[: past.sum()]
    anything = np.zeros_like(past)
    anything[drawn] = True
    gain = recall_of(split, anything, log) - recall_of(split, past, log)
    return paired_bootstrap(gain, n_resamples=500, confidence=0.99, seed=0)


@pytest.mark.parametrize(
    "leaky", [lambda *log: random_pairs(*log[:2], share=0.2, seed=2), leave_last_n]
)
def test_future_is_rewarded_by_a_leaky_split(leaky, log):
    """With the future in training the same model is visibly better."""
    split = leaky(*log)
    assert split.description.leak != "none"
    assert gain_of_the_future(split, log).low > 0.03


def test_future_is_not_rewarded_by_our_cut(log):
    """There is none in training; and the test would see it if there were."""
    split = temporal_cut(*log, cut=CUT)
    assert split.description.leak == "none"
    assert gain_of_the_future(split, log) == (0.0, 0.0, 0.0)
    user, _, day = log
    judged = user < N_USERS // 2  # the later days of the others are let into training
    leaking = dataclasses.replace(
        split, train=split.train | (~judged & (day >= CUT)), target=split.target & judged
    )
    assert gain_of_the_future(leaking, log).low > 0.03
