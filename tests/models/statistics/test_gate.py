"""The gate: every verdict has a case, and every case its sentence; chances are as stated."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data_contracts.config import NightlyConfig
from models.statistics.bootstrap import bootstrap_means
from models.statistics.gate import Gain, Guard, decide
from models.statistics.power import users_needed

BETTER, SAME, WORSE = Gain(0.1, 0.05, 0.15), Gain(0.0, -0.01, 0.01), Gain(-0.1, -0.15, -0.05)
SMALL_LOSS = Gain(-0.01, -0.015, -0.005)
MAYBE = Gain(-0.01, -0.023, 0.003)  # a loss of 0.0186 is found four times out of five
UNSURE = Gain(-0.01, -0.04, 0.02)  # only one of 0.0429 is
NUMBERS = st.floats(-0.05, 0.05)


def verdict_on(over_champion: Gain | None = SAME, **given: object) -> tuple[str, str]:
    """Return the verdict where nothing else is said."""
    plain = {
        "metric": "ndcg@100", "n_users": 500, "min_users": 100, "over_popularity": BETTER,
        "over_champion": over_champion, "tolerated_loss": 0.02,
    }  # fmt: skip
    return decide(**plain | given)


@pytest.mark.parametrize(
    ("over_popularity", "over_champion", "n_users", "saw_holdout", "verdict", "words"),
    [
        (BETTER, None, 500, False, "promote", "first model"),
        (BETTER, BETTER, 500, False, "promote", "better than the champion"),
        (BETTER, SAME, 500, False, "promote", "not worse than the champion"),
        (BETTER, SMALL_LOSS, 500, False, "promote", "not worse than the champion"),
        (BETTER, MAYBE, 500, False, "hold", "may be worse than the champion"),
        (BETTER, UNSURE, 500, False, "cannot judge", "500 users show a change of 0.0429"),
        (BETTER, UNSURE, 500, False, "cannot judge", "but not of 0.0200: about 2299 users"),
        (BETTER, WORSE, 500, False, "reject", "measurably worse than the champion"),
        (WORSE, None, 500, False, "reject", "below the popular list"),
        (WORSE, BETTER, 500, False, "reject", "below the popular list"),
        (BETTER, BETTER, 99, False, "cannot judge", "99 users were judged, at least 100"),
        (BETTER, WORSE, 99, False, "cannot judge", "99 users were judged, at least 100"),
        (BETTER, BETTER, 500, True, "cannot judge", "trained on the held-out days"),
    ],
)
def test_verdict(over_popularity, over_champion, n_users, saw_holdout, verdict, words):
    """The verdict follows from the intervals alone."""
    got, reason = verdict_on(
        over_champion,
        n_users=n_users,
        over_popularity=over_popularity,
        champion_saw_holdout=saw_holdout,
    )
    assert got == verdict
    assert words in reason


@pytest.mark.parametrize(
    ("guard", "verdict", "words"),
    [
        (Guard("coverage", Gain(0.1, 0.09, 0.11), "lower", 0.02), "promote", "coverage"),
        (Guard("coverage", Gain(-0.01, -0.015, -0.005), "lower", 0.02), "promote", "coverage"),
        (Guard("coverage", Gain(-0.03, -0.035, -0.025), "lower", 0.02), "reject", "coverage"),
        (Guard("lift", Gain(-0.9, -1.0, -0.8), "higher", 0.1), "promote", "lift"),
        (Guard("lift", Gain(0.3, 0.25, 0.35), "higher", 0.1), "reject", "increase 0.1000"),
        (Guard("drift", Gain(0.3, 0.25, 0.35), "higher", 0.1, "hold"), "hold", "is beyond"),
        (Guard("lift", Gain(0.08, 0.03, 0.13), "higher", 0.1), "hold", "may be beyond"),
        (Guard("lift", Gain(0.0, -0.5, 0.5), "higher", 0.1), "cannot judge", "users are needed"),
        (Guard("lift", Gain(0.0, -0.5, 0.5), "higher", 0.0), "cannot judge", "no number of users"),
        (Guard("fallbacks", Gain(0.02, 0.02, 0.02), "higher", 0.02), "promote", "fallbacks"),
        (Guard("fallbacks", Gain(0.03, 0.03, 0.03), "higher", 0.02), "reject", "fallbacks"),
    ],
)
def test_guards(guard, verdict, words):
    """A guard that is broken or may be keeps a model back that is better otherwise."""
    got, reason = verdict_on(BETTER, guards=[guard])
    assert got == verdict
    assert words in reason


def test_a_better_model_pays_for_no_guard_that_holds():
    """The sentence of a promotion names the guards that were kept."""
    kept = [Guard(name, SAME, "lower", 0.02) for name in ("coverage@20", "novelty@20")]
    verdict, reason = verdict_on(BETTER, guards=kept)
    assert verdict == "promote"
    assert reason.endswith("; within what is tolerated: coverage@20, novelty@20")


def test_holm_asks_more_of_the_first_of_many():
    """A loss that one test finds is not enough among ten; a certain one is."""
    just = Gain(-0.021, -0.0415, -0.0005)
    harmless = [Guard(f"guard {n}", Gain(0.0, -0.01, 0.01), "lower", 0.1) for n in range(9)]
    assert verdict_on(just)[0] == "reject"
    assert verdict_on(just, guards=harmless)[0] == "cannot judge"
    assert verdict_on(WORSE, guards=harmless)[0] == "reject"


@given(numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS), tolerated=st.floats(0.0, 0.05))
def test_without_guards_the_interval_decides(numbers, tolerated):
    """Promotion is the lower end above the tolerance, rejection the upper end below nought."""
    low, mean, high = sorted(numbers)
    assume(abs(high) > 1e-9)  # at nought itself the last digit decides
    verdict, _ = verdict_on(Gain(mean, low, high), tolerated_loss=tolerated)
    if low >= -tolerated:
        assert verdict == "promote"
    elif high < 0:
        assert verdict == "reject"
    else:
        assert verdict in ("hold", "cannot judge")


@given(
    numbers=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=4),
    bad=st.sampled_from(["higher", "lower"]),
)
def test_promotion_means_everything_was_shown(numbers, bad):
    """No guard, however many there are, may be open or broken in a promotion."""
    gains = [Gain(mean, low, high) for low, mean, high in map(sorted, numbers)]
    guards = [Guard("guard", gain, bad, 0.02) for gain in gains[1:]]
    verdict, _ = verdict_on(gains[0], guards=guards)
    ends = [gains[0].low, *(gain.low if bad == "lower" else -gain.high for gain in gains[1:])]
    assert (verdict == "promote") == (min(ends) >= -0.02)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"over_champion": Gain(np.nan, np.nan, np.nan)}, "interval must be finite and in order"),
        ({"over_champion": Gain(0.0, 0.1, -0.1)}, "interval must be finite and in order"),
        ({"over_popularity": Gain(np.nan, np.nan, np.nan)}, "must be finite, got over_popularity"),
        ({"tolerated_loss": -0.1}, r"tolerance of ndcg@100 must be 0 or more, got -0\.1"),
        ({"confidence": 1.0}, r"confidence must be between 0 and 1, got 1\.0"),
    ],
)
def test_figures_that_are_none_are_refused(given, words):
    """An interval of nan is neither below nor above anything: it must not pass."""
    with pytest.raises(ValueError, match=words):
        verdict_on(**given)


# Simulated nights, one column for one pair of models. Most metrics of most users are small, the
# two models agree on most users; by how much they do not is that of two fits of ELSA on
# Goodbooks-10k, whose nDCG@100 differs by 0.35 to 0.42 of its mean from user to user.
DEFAULT = NightlyConfig()
MARGIN, EVIDENCE = DEFAULT.gate.margin, DEFAULT.gate.min_users
CONFIDENCE, N_PAIRS = DEFAULT.evaluation.confidence, 200


def simulated(n_users: int, n_pairs: int, *, loss: float, seed: int) -> tuple:
    """Return values per user of champions and challengers, shape (n_users, n_pairs)."""
    rng = np.random.default_rng(seed)
    shape = (n_users, n_pairs)
    ease = rng.beta(1.0, 4.0, shape)
    champion, other = rng.binomial(8, ease, (2, *shape))
    challenger = np.where(rng.random(shape) < 0.8, champion, other)
    return champion / 8, rng.binomial(challenger, 1.0 - loss) / 8


def verdicts(n_users: int, *, loss: float, n_shops: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the verdicts of a gate on 200 pairs of models per shop, and who is called better."""
    told = [
        verdict
        for seed in range(n_shops)
        for verdict in shop_verdicts(*simulated(n_users, N_PAIRS, loss=loss, seed=seed), seed)
    ]
    got, reasons = zip(*told, strict=True)
    return np.array(got), np.array(["better" in reason for reason in reasons])


def shop_verdicts(champion: np.ndarray, challenger: np.ndarray, seed: int) -> list[tuple[str, str]]:
    """Return the verdict and the reason for every column."""
    difference, level = challenger - champion, champion.mean(axis=0)
    got = bootstrap_means(difference, n_resamples=1000, confidence=CONFIDENCE, seed=seed)
    columns = np.transpose([got.mean, got.low, got.high]).tolist()
    return [
        verdict_on(Gain(*column), n_users=len(champion), tolerated_loss=MARGIN * mean)
        for column, mean in zip(columns, level.tolist(), strict=True)
    ]


def test_default_evidence_is_what_the_default_margin_needs():
    """Twelve hundred users find a loss of 5 % more often than 19 times in 20."""
    champion, challenger = simulated(200_000, 1, loss=MARGIN, seed=9)
    assert (challenger - champion).mean() / champion.mean() == pytest.approx(-MARGIN, rel=0.05)
    spread = (challenger - champion).std() / champion.mean()
    assert 0.35 < spread < 0.45
    needed = users_needed(spread, difference=MARGIN, confidence=CONFIDENCE, power=0.975)
    assert 0.9 * EVIDENCE < needed < EVIDENCE


@pytest.mark.parametrize("n_users", [100, 300, EVIDENCE])
def test_as_good_a_model_is_seldom_called_better_or_rejected(n_users):
    """Of models as good as their champion, at most the stated level of 5 %."""
    got, better = verdicts(n_users, loss=0.0, n_shops=5)
    assert np.mean(got == "reject") <= 1 - CONFIDENCE
    assert np.mean(better) <= 1 - CONFIDENCE
    if n_users == EVIDENCE:
        assert np.mean(got == "promote") >= 0.9


@pytest.mark.parametrize("n_users", [100, 300, EVIDENCE])
def test_false_promotion_is_at_most_the_level(n_users):
    """Of models that truly lose the whole margin at most 5 % pass, however few the users."""
    got, _ = verdicts(n_users, loss=MARGIN, n_shops=5)
    assert np.mean(got == "promote") <= 1 - CONFIDENCE


def test_real_loss_is_rejected_at_the_default_evidence():
    """Of models that are worse by 5 %, 95 % and more."""
    got, _ = verdicts(EVIDENCE, loss=0.05, n_shops=5)
    assert np.mean(got == "reject") >= 0.95


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_too_few_users_cannot_be_judged(loss):
    """Below the smallest number nothing is judged; a little above it little is, and none held."""
    assert set(verdicts(99, loss=loss)[0]) == {"cannot judge"}
    got, _ = verdicts(110, loss=loss)
    assert np.mean(got == "cannot judge") > 0.6
    assert not (got == "hold").any()


def test_many_guards_reject_no_more_by_chance_than_one():
    """Five metrics at the edge of rejection: Holm keeps the level that five tests would break."""
    rng = np.random.default_rng(8)
    n, error, half = 1000, 0.01, 1.959964 * 0.01
    chance = rng.normal(0.0, error, (n, 5))

    def night(row: np.ndarray, guards: slice) -> str:
        gains = [Gain(mean, mean - half, mean + half) for mean in row.tolist()]
        edge = [
            Guard("guard", Gain(*(x - 0.1 for x in gain)), "lower", 0.1) for gain in gains[guards]
        ]
        return verdict_on(gains[0], guards=edge, tolerated_loss=0.0)[0]

    together = np.mean([night(row, slice(1, 5)) == "reject" for row in chance])
    alone = np.mean([(row < -half).any() for row in chance])
    assert alone > 0.09
    assert together <= 0.035
    assert np.mean([night(row, slice(0)) == "reject" for row in chance]) <= 0.035
