"""The gate: may the challenger replace the champion?"""

from typing import Literal, NamedTuple

Verdict = Literal["promote", "hold", "reject", "cannot judge"]


class Gain(NamedTuple):
    """Mean difference of a metric and its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def decide(
    *,
    metric: str,
    n_users: int,
    min_users: int,
    over_popularity: Gain,
    over_champion: Gain | None,
    tolerated_loss: float,
    champion_saw_holdout: bool = False,
) -> tuple[Verdict, str]:
    """Return the verdict on a challenger and the sentence that explains it.

    The challenger must not be measurably worse than popularity, and must be shown not to be
    worse than the champion by more than the tolerated loss (a non-inferiority test).

    Args:
        metric: name of the deciding metric.
        n_users: judged users.
        min_users: fewest users that count as evidence.
        over_popularity: challenger minus popularity.
        over_champion: challenger minus champion; None where there is no champion.
        tolerated_loss: absolute loss against the champion that is still accepted.
        champion_saw_holdout: the champion was trained on the held-out days.
    """
    if n_users < min_users:
        return "cannot judge", f"{n_users} users were judged, at least {min_users} are needed"
    if over_popularity.high < 0:
        return "reject", f"{metric} is below the popular list: {over_popularity}"
    if over_champion is None:
        return "promote", f"first model; {metric} against the popular list: {over_popularity}"
    if champion_saw_holdout:
        return "cannot judge", "the champion was trained on the held-out days"
    against = f"{metric} against the champion: {over_champion}, tolerated loss {tolerated_loss:.4f}"
    if over_champion.low >= -tolerated_loss:
        return "promote", f"not worse than the champion; {against}"
    if over_champion.high < 0:
        return "reject", f"measurably worse than the champion; {against}"
    return "hold", f"may be worse than the champion; {against}"
