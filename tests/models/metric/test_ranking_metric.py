"""Metrics of ranked lists: golden values, their definitions, and another library's account."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.metric.ranking_metric import (
    average_precision,
    hit_matrix,
    hit_rate,
    ndcg,
    plain_recall,
    precision,
    recall,
    recall_by_group,
    reciprocal_rank,
)

N_ITEMS = 9
RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
asked, lists, names = json.load(sys.stdin)
scores = evaluate(Qrels(asked), Run(lists), names, return_mean=False)
print(json.dumps({name: list(map(float, values)) for name, values in scores.items()}))
"""


def targets(rows: list[set[int]], n_items: int = N_ITEMS) -> sp.csr_array:
    """Return the asked items as a matrix."""
    dense = np.zeros((len(rows), n_items), np.float32)
    for user, items in enumerate(rows):
        dense[user, sorted(items)] = 1.0
    return sp.csr_array(dense)


def test_golden_values():
    """Three listed, four asked, hits at places 1 and 3."""
    hit, n_targets = hit_matrix(np.array([[0, 1, 2]]), targets([{0, 2, 3, 4}])), np.array([4])
    assert recall(hit, n_targets, k=3) == pytest.approx(2 / 3)
    assert plain_recall(hit, n_targets, k=3) == pytest.approx(1 / 2)
    assert precision(hit, k=3) == pytest.approx(2 / 3)
    assert ndcg(hit, n_targets, k=3) == pytest.approx(0.70391809, abs=1e-8)
    assert average_precision(hit, n_targets, k=3) == pytest.approx((1 + 2 / 3) / 3)
    assert reciprocal_rank(hit[:, ::-1], k=3) == pytest.approx(1.0)
    assert reciprocal_rank(hit[:, 1:], k=3) == pytest.approx(1 / 2)
    assert hit_rate(hit[:, 1:2], k=3).tolist() == [0.0]


@given(
    listed=st.lists(st.permutations(range(N_ITEMS)), min_size=1, max_size=5),
    asked=st.lists(st.sets(st.integers(0, N_ITEMS - 1), min_size=1), min_size=5, max_size=5),
    depth=st.integers(1, N_ITEMS),
    k=st.integers(1, 12),
)
def test_metrics_follow_their_definitions(listed, asked, depth, k):
    """Every user, also where the list is shorter than k."""
    asked, lists = asked[: len(listed)], [list(row[:depth]) for row in listed]
    hit = hit_matrix(np.array(lists), targets(asked))
    n_targets = np.array([len(items) for items in asked])
    for user, (row, wanted) in enumerate(zip(lists, asked, strict=True)):
        places = [place for place, item in enumerate(row[:k], start=1) if item in wanted]
        means = [len([p for p in places if p <= place]) / place for place in places]
        assert precision(hit, k=k)[user] == pytest.approx(len(places) / k)
        assert hit_rate(hit, k=k)[user] == bool(places)
        assert reciprocal_rank(hit, k=k)[user] == pytest.approx(1 / places[0] if places else 0)
        ap = average_precision(hit, n_targets, k=k)[user]
        assert ap == pytest.approx(sum(means) / min(k, len(wanted)))


def test_another_library_agrees():
    """Random lists of 60 users, each metric user by user, as ranx computes it."""
    rng, k, n_items = np.random.default_rng(7), 20, 300
    lists = np.array([rng.permutation(n_items)[:40] for _ in range(60)])
    asked = [set(rng.permutation(n_items)[: rng.integers(1, 60)].tolist()) for _ in range(60)]
    theirs = ranx(
        {f"u{user:02}": {f"i{item}": 1 for item in items} for user, items in enumerate(asked)},
        {
            f"u{user:02}": {f"i{item}": float(100 - place) for place, item in enumerate(row)}
            for user, row in enumerate(lists.tolist())
        },
        [f"{name}@{k}" for name in ("recall", "precision", "ndcg", "map", "mrr", "hit_rate")],
    )
    hit = hit_matrix(lists, targets(asked, n_items))
    n = np.array([len(items) for items in asked])
    ours = {
        "recall": plain_recall(hit, n, k=k),
        "precision": precision(hit, k=k),
        "ndcg": ndcg(hit, n, k=k),
        "map": average_precision(hit, n, k=k) * np.minimum(k, n) / n,  # ranx divides by targets
        "mrr": reciprocal_rank(hit, k=k),
        "hit_rate": hit_rate(hit, k=k),
    }
    for name, values in ours.items():
        assert values.std() > 0
        np.testing.assert_allclose(values, theirs[f"{name}@{k}"], rtol=1e-12, err_msg=name)


def ranx(asked: dict, lists: dict, names: list[str]) -> dict[str, list[float]]:
    """Ask ranx in a process of its own: it takes a minute to compile, and a moment without."""
    done = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps([asked, lists, names]),
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@given(
    listed=st.lists(st.permutations(range(N_ITEMS)), min_size=1, max_size=5),
    asked=st.lists(st.sets(st.integers(0, N_ITEMS - 1)), min_size=5, max_size=5),
    group=st.lists(st.integers(-1, 2), min_size=N_ITEMS, max_size=N_ITEMS),
    k=st.integers(1, 9),
)
def test_recall_by_group_is_recall_of_the_groups_targets(listed, asked, group, k):
    """Targets of other groups are as if they were not asked; lists stay as they are."""
    asked, lists, group = asked[: len(listed)], np.array(listed), np.array(group)
    lists[0, 3:] = -1  # a list that ran out
    got = recall_by_group(
        hit_matrix(lists, targets(asked)), lists, targets(asked), group, n_groups=3, k=k
    )
    for each in range(3):
        own = [{item for item in items if group[item] == each} for items in asked]
        n = np.array([len(items) for items in own])
        kept = hit_matrix(lists, targets(own))
        expected = np.where(n > 0, recall(kept, np.maximum(n, 1), k=k), np.nan)
        np.testing.assert_allclose(got[:, each], expected, rtol=1e-12)
