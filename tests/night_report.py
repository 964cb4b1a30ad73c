"""Reports of nights that never were, for the page that shows them."""

from datetime import date, timedelta
from typing import Any

from data_contracts.drift import Drift, SurfaceDrift
from data_contracts.log_drift import LogFigure
from data_contracts.manifests import Interval, RefusedFile, SegmentFigure
from data_contracts.plan import Outcome
from data_contracts.report import NightReport, Recommendation, UserExample
from data_contracts.table_rules import RuleOutcome

LAST = date(2026, 10, 26)
REASON = "may be worse than the champion; ndcg@100 against the champion: -0.0092, tolerated 0.0104"
METRICS = ("recall@20", "ndcg@100")


def interval(mean: float, half: float = 0.01) -> Interval:
    """A mean with as much on both sides."""
    return Interval(mean=mean, low=mean - half, high=mean + half)


def surface(overlap: float = 0.8) -> SurfaceDrift:
    """Lists of which a share stayed."""
    return SurfaceDrift(
        users=4839, shared_users=4800, new_users=39, gone_users=2, overlap=overlap,
        rank_overlap=0.83, changed_users=0.97, items_in=0.04, items_out=0.05,
        popular_users=0.02, popular_overlap=0.11,
    )  # fmt: skip


def recommendation(rank: int, text: str) -> Recommendation:
    """One line of a list, with a text wherever one can stand."""
    return Recommendation(
        rank=rank, item_id=text, title=text, score=18.4, source="model", because_item_id=text,
        because_title=text, because_share=0.231,
    )  # fmt: skip


def night_report(
    day: date = LAST, *, text: str = "Fiorelli chain lock", **more: Any
) -> NightReport:
    """A held night with something in every section.

    Args:
        day: run date.
        text: stands wherever words of the data can stand.
        more: fields to set otherwise.
    """
    fields: dict[str, Any] = {
        "run_date": day, "verdict": "hold", "reason": REASON, "champion_version": "27",
        "challenger_version": "29", "judged_users": 1417,
        "gain_over_popularity": dict.fromkeys(METRICS, interval(0.13)),
        "gain_over_champion": {"recall@20": interval(-0.002), "ndcg@100": interval(-0.03)},
        "settings": {"split": f"temporal {text}"}, "lineage": {"model": text},
        "rows": 7402, "accepted": 7302, "quarantined": {text: 99, "bot": 1},
        "users": 4839, "items": 1997, "interactions": 121023, "fallback_share": 0.02,
        "table_rows": {"top_n": 96780, "similar_items": 39940}, "short_lists": 3,
        "snapshot": f"lake/snapshots/{text}", "is_latest": True, "quarantine": f"lake/{text}",
    }  # fmt: skip
    return NightReport.model_validate(fields | _parts(day, text) | more)


def _parts(day: date, text: str) -> dict[str, Any]:
    segment = SegmentFigure(mean=0.2, standard_error=0.01, n_users=1417)
    models = {"challenger": 0.2, "popularity": 0.07, "champion": 0.21}
    refused = RefusedFile(path=text, partition=day, rule="unreadable_file", reason=text)
    lists = tuple(recommendation(rank, text) for rank in (1, 2))
    return {
        "segments": {text: {text: dict.fromkeys(models, segment)}},
        "exposure": {name: {"head": 0.5, "mid": 0.4, "tail": 0.1} for name in models},
        "detectable": {"ndcg@100": 0.0092},
        "metrics": {
            name: {**dict.fromkeys(METRICS, interval(value)), "coverage@20": interval(value, 0.0)}
            for name, value in models.items()
        },
        "refused_files": (refused,),
        "drift": Drift(
            previous_snapshot=f"{day - timedelta(1)}-{text}",
            surfaces={text: surface()},
            warnings=(f"{text}: moved",),
        ),
        "rules": outcomes(day, text),
        "log_drift": {
            "items_psi": LogFigure(value=0.012, usual=0.01, noise=0.02, state="ok"),
            "event_types_js": LogFigure(value=0.21, usual=0.01, noise=0.02, state="drift"),
            "new_users": LogFigure(value=0.02, usual=0.03, noise=0.011, state="ok"),
            "silence": LogFigure(value=0.5, usual=0.4, noise=1.5, state="ok"),
            "volume": LogFigure(value=7300.0, usual=None, noise=None, state="not enough data"),
        },
        "log_warnings": (f"{text}: is unlike",),
        "plan": (
            Outcome(what="train", unit="s", low=1.0, high=9.0, got=4.0, inside=True),
            Outcome(what="log", unit="rows", low=7402.0, high=7402.0, got=9402.0, inside=False),
        ),
        "examples": (UserExample(user_id=text, history=(text, text), recommendations=lists),),
    }


def outcomes(day: date, text: str = "part-0.parquet") -> tuple[RuleOutcome, ...]:
    """One rule in every state, and one of rows without a limit."""
    shared: dict[str, Any] = {"day": day, "figure": 0.123, "unit": "share", "most": 0.1}
    given: list[dict[str, Any]] = [
        {"rule": "bot", "state": "passed", "most": None},
        {"rule": "duplicate", "state": "stopped", "figure": 8.0, "most": 7.0, "unit": "rows"},
        {"rule": "uniqueness", "state": "warned", "file": text},
        {"rule": "freshness", "state": "quarantined", "figure": 13.25, "most": 12.0,
         "unit": "hours"},
        {"rule": "volume", "state": "passed", "figure": 1.25, "least": 0.5, "most": 2.0,
         "unit": "times"},
        {"rule": "new_items", "state": "not enough data", "figure": None},
    ]  # fmt: skip
    return tuple(
        RuleOutcome(**shared | {"sentence": f"{each['rule']}: {text}"} | each) for each in given
    )


def nights_before(n: int, day: date = LAST, **more: Any) -> list[NightReport]:
    """As many nights in a row before one, each with other numbers."""
    return [
        night_report(day - timedelta(k), accepted=7300 - 20 * k, users=4839 - k, **more)
        for k in range(n, 0, -1)
    ]
