"""Lists under random rules, catalogues and histories: no rule is broken, a short list says why."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.surface import SurfaceConfig
from models.ranking.list_contract import Lists, Terms, violations
from tasks.judging.contender import from_arrays
from tasks.lists.content import ContentVectors
from tasks.lists.ranker import CONTENT, MODEL, SOURCES, Ranker
from tasks.lists.rules import UserRules
from tests.tiny_surface import ranker_of, rules_of, sparse, tiers_of

DAY = date(2026, 9, 10)


@st.composite
def nights(draw):
    """Everything a surface can be given, small."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_users, n_items, n_groups = draw(st.integers(1, 7)), draw(st.integers(1, 12)), 2
    n_categories, n = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    surface = SurfaceConfig(
        n_top=n,
        diversity=draw(st.sampled_from([0.0, 0.5])),
        rotation=draw(st.sampled_from([0.0, 0.3])),
        pool=draw(st.integers(1, 3)),
        min_score=draw(st.sampled_from([None, 0.0, 0.4])),
        content_places=draw(st.integers(0, 2)),
        fallback=draw(st.sampled_from([(), ("popular",), ("popular_in_segment", "newest")])),
    )
    A = rng.integers(-1, 2, (n_items, 3)).astype(np.float32)
    A /= np.maximum(np.linalg.norm(A, axis=1, keepdims=True), 1e-9)
    A[~A.any(axis=1)] = [1, 0, 0]
    counts = rng.integers(0, 3, n_items)
    hidden = rng.random((n_users, n_items)) < draw(st.sampled_from([0.1, 0.6]))
    X = (rng.random((n_users, n_items)) < 0.3).astype(np.float32)
    allowed = None
    if draw(st.booleans()):
        allowed = sparse((rng.random((n_users, n_items)) < 0.5) & (rng.random((n_users, 1)) < 0.5))
    rules = rules_of(
        surface,
        eligible=rng.random((n_groups, n_items)) < draw(st.sampled_from([0.5, 1.0])),
        category=rng.integers(-1, n_categories, n_items).astype(np.int32),
        caps=rng.integers(1, n + 1, n_categories).astype(np.int32),
        boost=draw(st.sampled_from([None, np.linspace(0.5, 2, n_items).astype(np.float32)])),
    )
    users = UserRules(rng.integers(0, n_groups, n_users).astype(np.int32), sparse(hidden), allowed)
    ranker = Ranker(
        champion=from_arrays(A, counts, np.array([0.1, 0.1]), n_items=n_items),
        tiers=tiers_of(counts * 2.0, n_groups), content=None, rules=rules,
        item_ids=pl.Series([f"i{k}" for k in range(n_items)]), run_date=DAY, device="cpu",
        block_size=draw(st.sampled_from([None, 2])),
    )  # fmt: skip
    return SimpleNamespace(ranker=ranker, X=sparse(X), users=users, rules=rules)


def ranked(night):
    """The lists of all users as a table."""
    ids = pl.Series([f"u{k}" for k in range(night.X.shape[0])])
    blocks = [block for _, block in night.ranker.rank(night.X, night.users, ids)]
    return SimpleNamespace(
        **{
            name: np.concatenate([getattr(block, name) for block in blocks])
            for name in ("items", "scores", "source", "reason", "because", "share")
        }
    )


def terms_of(night):
    """The same rules as the contract takes them."""
    surface, rules, users = night.rules.surface, night.rules, night.users
    return Terms(
        n=surface.n_top, eligible=rules.eligible, known=night.ranker.champion.known,
        group=users.group, hidden=users.hidden, allowed=users.allowed, category=rules.category,
        caps=rules.caps, complete="newest" in surface.fallback,
        scores_fall=not (surface.diversity or surface.rotation or surface.content_places),
    )  # fmt: skip


@given(nights())
def test_no_rule_is_ever_broken(night):
    """The finished lists keep their contract, and a short one gives a true reason."""
    found = ranked(night)
    user, place = np.nonzero(found.items >= 0)
    lists = Lists(
        user, found.items[user, place].astype(np.int64), place + 1, found.scores[user, place],
        found.source[user, place] == MODEL,
    )  # fmt: skip
    broken = violations(lists, terms_of(night), found.reason, n_proven=10**6)
    assert {rule: count for rule, count in broken.items() if count} == {}


@given(nights())
def test_reasons_stand_with_items_of_the_model_only(night):
    """A fallback explains nothing; a reason is an item of the user's history."""
    found = ranked(night)
    explained = found.because >= 0
    assert not (explained & (found.source != MODEL)).any()
    user, place = np.nonzero(explained)
    assert (night.X.toarray()[user, found.because[user, place]] > 0).all()


def test_model_s_list_is_best_first_where_no_rule_says_otherwise():
    """Scores by hand: the user has met item 0."""
    A = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], dtype=np.float32)
    ranker = ranker_of(A, np.ones(4, int), np.ones(4))
    X = sparse([[1, 0, 0, 0]])
    users = UserRules(np.zeros(1, np.int32), X, None)
    found = ranked(SimpleNamespace(ranker=ranker, X=X, users=users))
    assert found.items.tolist() == [[1, 2]]
    assert found.scores[0].tolist() == pytest.approx([0.8, 0.6])
    assert found.because.tolist() == [[0, 0]]
    assert found.reason.tolist() == [-1]


def test_item_that_may_be_shown_again_is_not_its_own_reason():
    """Views hide nothing: item 1 was met, and item 0 speaks for it."""
    A = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    ranker = ranker_of(A, np.ones(3, int), np.ones(3), n_top=1)
    X = sparse([[1, 1, 0]])
    users = UserRules(np.zeros(1, np.int32), sparse([[1, 0, 0]]), None)
    found = ranked(SimpleNamespace(ranker=ranker, X=X, users=users))
    assert found.items.tolist() == [[1]]
    assert found.scores[0].tolist() == pytest.approx([0.8])
    assert found.because.tolist() == [[0]]
    assert found.share.tolist() == [[1.0]]


def test_small_segment_s_fallback_is_called_popular():
    """A user of no segment gets everybody's list, and the source says so."""
    A = np.zeros((2, 1), dtype=np.float32)
    ranker = ranker_of(A, np.zeros(2, int), np.array([1.0, 2.0]))
    users = UserRules(np.zeros(1, np.int32), sparse([[0, 0]]), None)
    found = ranked(SimpleNamespace(ranker=ranker, X=sparse([[0, 0]]), users=users))
    assert found.items.tolist() == [[1, 0]]
    assert [SOURCES[code] for code in found.source[0]] == ["popular", "popular"]


def test_places_kept_for_content_go_to_items_nobody_met():
    """The likest new item takes the last place; without one the model has it back."""
    A = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8]], dtype=np.float32)
    V = np.array([[1, 0], [0, 1], [0, 1], [0.9, 0.1], [-1, 0]], dtype=np.float32)
    ranker = ranker_of(A, np.array([1, 1, 1, 0, 0]), np.ones(5))
    surface = SurfaceConfig(n_top=2, content_places=1)
    ranker = replace(
        ranker,
        content=ContentVectors(V, np.ones(5, bool)),
        rules=ranker.rules._replace(surface=surface),
    )
    X = sparse([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]])
    users = UserRules(np.zeros(2, np.int32), X, None)
    found = ranked(SimpleNamespace(ranker=ranker, X=X, users=users))
    assert found.items.tolist() == [[1, 3], [2, 3]]
    assert (found.source == [[MODEL, CONTENT], [MODEL, CONTENT]]).all()
