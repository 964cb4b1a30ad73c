"""The list contract: good lists break nothing, every rule is broken once, by hand."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from models.ranking.list_contract import (
    ALLOW_LIST,
    CATALOGUE,
    SEEN,
    SOURCES,
    Lists,
    Terms,
    violations,
)

# four users, five items; item 4 is of nobody's surface, item 3 unknown to the model
TERMS = Terms(
    n=2,
    eligible=np.array([[True, True, True, True, False], [True, False, True, True, False]]),
    known=np.array([True, True, True, False, True]),
    group=np.array([0, 0, 1, 0]),
    hidden=sp.csr_array(np.array([[1, 0, 0, 0, 0], [0] * 5, [0] * 5, [1, 1, 1, 0, 0]])),
    allowed=sp.csr_array(np.array([[0] * 5, [0, 1, 0, 0, 0], [0] * 5, [0] * 5])),
    category=np.array([0, 0, 1, -1, 1]),
    caps=np.array([1, 2]),
    complete=True,
    scores_fall=True,
)
LISTS = Lists(
    user=np.array([0, 0, 1, 2, 2, 3]),
    item=np.array([1, 2, 1, 0, 2, 3]),
    rank=np.array([1, 2, 1, 1, 2, 1]),
    score=np.array([0.9, 0.5, 0.7, 0.6, 0.6, 3.0], dtype=np.float32),
    by_model=np.array([True, True, True, True, True, False]),
)
REASON = np.array([-1, ALLOW_LIST, -1, SEEN])


def broken(lists=LISTS, terms=TERMS, reason=REASON):
    """The rules that are broken."""
    counts = violations(lists, terms, reason, n_proven=10)
    return {rule for rule, count in counts.items() if count}


def with_cell(column, row, value):
    """The good lists with one cell changed."""
    values = getattr(LISTS, column).copy()
    values[row] = value
    return dataclasses.replace(LISTS, **{column: values})


def with_reason(user, reason):
    """The good reasons with one changed."""
    changed = REASON.copy()
    changed[user] = reason
    return changed


def test_good_lists_break_nothing():
    """Two lists are whole, two are short for the reason they give."""
    assert broken() == set()


@pytest.mark.parametrize(
    ("lists", "rule"),
    [
        (with_cell("item", 0, 0), "hidden"),
        (with_cell("item", 0, 4), "ineligible"),
        (with_cell("item", 3, 1), "ineligible"),  # of another segment
        (with_cell("item", 1, 3), "ineligible"),  # said to be the model's, which does not know it
        (with_cell("item", 1, -1), "ineligible"),
        (with_cell("item", 2, 2), "not_allowed"),
        (with_cell("item", 1, 1), "repeated"),
        (with_cell("score", 1, np.nan), "not_finite"),
        (with_cell("rank", 1, 3), "rank_gap"),
        (with_cell("rank", 0, 0), "rank_gap"),
        (with_cell("score", 1, 0.95), "rank_gap"),
        (with_cell("user", 1, 1), "wrong_length"),
    ],
)
def test_broken_list_is_found_under_its_rule(lists, rule):
    """Other rules may be broken as well, this one is."""
    assert rule in broken(lists)


def test_category_above_its_cap_is_found():
    """Items 0 and 1 are of one category, of which a list may hold one."""
    lists = dataclasses.replace(LISTS, item=np.array([1, 2, 1, 0, 2, 3]))
    terms = dataclasses.replace(TERMS, category=np.array([0, 1, 1, -1, 1]), caps=np.array([1, 1]))
    assert broken(lists, terms) == {"category_caps"}


@pytest.mark.parametrize("reason", [CATALOGUE, SEEN, SOURCES])
def test_untrue_reason_is_found(reason):
    """User 1's allow list is to blame and nothing else."""
    assert broken(reason=with_reason(1, reason)) == {"untrue_reason"}


def test_short_list_without_a_reason_is_found():
    """And a whole one that gives a reason."""
    assert broken(reason=with_reason(1, -1)) == {"wrong_length"}
    assert "wrong_length" in broken(reason=with_reason(0, SOURCES))


def test_list_that_could_be_longer_is_found_where_a_fallback_knows_all():
    """User 3 has one item left to see and gets none."""
    none = {
        name: getattr(LISTS, name)[:5] for name in ("user", "item", "rank", "score", "by_model")
    }
    assert broken(Lists(**none)) == {"untrue_reason"}
    assert broken(Lists(**none), dataclasses.replace(TERMS, complete=False)) == set()


def test_scores_may_rise_where_a_rule_says_so_and_between_sources():
    """A fallback's scores are of another kind."""
    risen = with_cell("score", 1, 0.95)
    assert broken(risen, dataclasses.replace(TERMS, scores_fall=False)) == set()
    mixed = dataclasses.replace(risen, by_model=np.array([True, False, True, True, True, False]))
    assert broken(mixed) == set()


def test_no_lists_at_all():
    """A shard without users."""
    terms = dataclasses.replace(
        TERMS, group=np.zeros(0, int), hidden=sp.csr_array((0, 5)), allowed=None
    )
    nothing = Lists(
        np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32),
        np.zeros(0, bool),
    )  # fmt: skip
    assert broken(nothing, terms, np.zeros(0, int)) == set()
