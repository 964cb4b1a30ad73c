"""Who is champion after a verdict."""

from datetime import date

import pytest

from data_contracts.errors import GateRejectedError
from data_contracts.ledger import LedgerEntry
from data_contracts.manifests import JudgeManifest
from tasks.registry.promotion import choose_champion

STANDING = LedgerEntry(
    run_date=date(2026, 9, 1), challenger="4", verdict="promote", reason="", champion="4",
    previous="2",
)  # fmt: skip


def judged(verdict, *, promotes=None):
    """A judge's manifest with this verdict."""
    promotes = verdict == "promote" if promotes is None else promotes
    return JudgeManifest(
        step="judge", run_date=date(2026, 9, 2), key="", verdict=verdict, reason="because",
        n_users=1, incumbent_version="4", metrics={}, gain_over_popularity={},
        gain_over_champion={}, settings={}, promotes=promotes,
        detectable={}, segments={}, exposure={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "champion", "previous"),
    [("promote", "5", "4"), ("hold", "4", "2"), ("reject", "4", "2"), ("cannot judge", "4", "2")],
)
def test_only_a_promotion_changes_the_champion(verdict, champion, previous):
    """Held or rejected, the champion stays and so does the one before."""
    assert choose_champion(judged(verdict), "5", STANDING) == (champion, previous)


def test_challenger_that_cannot_be_judged_is_promoted_where_the_gate_says_so():
    """The configuration has decided, the verdict stays what it is."""
    judge = judged("cannot judge", promotes=True)
    assert choose_champion(judge, "5", STANDING) == ("5", "4")


@pytest.mark.parametrize("verdict", ["promote", "hold", "cannot judge"])
def test_first_model_becomes_champion(verdict):
    """A lake without a champion has no tables."""
    assert choose_champion(judged(verdict), "1", None) == ("1", None)


def test_first_model_worse_than_popularity_publishes_nothing():
    """There is nothing to fall back on, and the message says why."""
    with pytest.raises(GateRejectedError, match=r"rejected \(because\) and there is no champion"):
        choose_champion(judged("reject"), "1", None)
