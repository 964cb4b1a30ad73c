"""The gate: every verdict has a case, and every case its sentence."""

import pytest

from models.gate import Gain, decide

BETTER, SAME, WORSE = Gain(0.1, 0.05, 0.15), Gain(0.0, -0.01, 0.01), Gain(-0.1, -0.15, -0.05)
UNSURE = Gain(-0.01, -0.04, 0.02)


@pytest.mark.parametrize(
    ("over_popularity", "over_champion", "n_users", "saw_holdout", "verdict", "words"),
    [
        (BETTER, None, 500, False, "promote", "first model"),
        (BETTER, BETTER, 500, False, "promote", "not worse"),
        (BETTER, SAME, 500, False, "promote", "not worse"),
        (BETTER, UNSURE, 500, False, "hold", "may be worse"),
        (BETTER, WORSE, 500, False, "reject", "measurably worse"),
        (WORSE, None, 500, False, "reject", "below the popular list"),
        (WORSE, BETTER, 500, False, "reject", "below the popular list"),
        (BETTER, BETTER, 99, False, "cannot judge", "99 users were judged, at least 100"),
        (BETTER, BETTER, 500, True, "cannot judge", "trained on the held-out days"),
    ],
)
def test_verdict(over_popularity, over_champion, n_users, saw_holdout, verdict, words):
    """The verdict follows from the intervals alone."""
    got, reason = decide(
        metric="ndcg@100",
        n_users=n_users,
        min_users=100,
        over_popularity=over_popularity,
        over_champion=over_champion,
        tolerated_loss=0.02,
        champion_saw_holdout=saw_holdout,
    )
    assert got == verdict
    assert words in reason
