"""What every rule says of a day: figure, limit, and what becomes of it, in words."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from data_contracts.forgetting import FORGOTTEN
from data_contracts.interactions import ROW_RULES, USER_RULES
from data_contracts.manifests import LogFile
from data_contracts.table_rules import RuleOutcome, RuleState
from data_contracts.validation import RowRule, RulesConfig, Severity, ShareRule
from tasks.day_rules.volume import Usual

SECTION = "validation.rules"
_STATES: Mapping[Severity, RuleState] = {
    "warn": "warned",
    "quarantine": "quarantined",
    "stop": "stopped",
}
ROW_LIMITS = (*ROW_RULES, *USER_RULES)  # rules with an optional limit


class DayEvents(NamedTuple):
    """What the events of a day tell; None where nothing can be said."""

    hours: float | None  # between the last one and the day's end
    unknown: float | None  # share on items that the catalogue does not have
    new: float | None  # share on items that nobody met in the days before
    unsaid: Mapping[str, str]  # rule -> why nothing can be said


def day_outcomes(
    rules: RulesConfig,
    day: date,
    files: Sequence[LogFile],
    usual: Usual | None,
    events: DayEvents,
) -> list[RuleOutcome]:
    """Return the outcome of every rule on one day: those of rows, then those of the day.

    Args:
        rules: the limits.
        day: which day.
        files: of the day, counted.
        usual: good rows of a usual day; None where no day is usual yet.
        events: of the day.
    """
    rows = sum(file.rows - file.by_rule.get(FORGOTTEN, 0) for file in files)
    by_rows = [_of_rows(rule, getattr(rules, rule), day, files, rows) for rule in ROW_LIMITS]
    accepted = sum(file.accepted for file in files)
    return [
        *by_rows,
        _uniqueness(rules, day, files, rows),
        _freshness(rules, day, events),
        _volume(rules, day, accepted, usual),
        _on_items("unknown_items", rules.unknown_items, day, events.unknown, events.unsaid),
        _on_items("new_items", rules.new_items, day, events.new, events.unsaid),
    ]


def _of_rows(
    rule: str, limit: RowRule | None, day: date, files: Sequence[LogFile], rows: int
) -> RuleOutcome:
    broken = sum(file.by_rule.get(rule, 0) for file in files)
    worst = max(files, key=lambda file: file.by_rule.get(rule, 0)).path if broken else None
    share = broken / rows if rows else None
    told = f"{rule}: {broken:,} of {rows:,} rows of {day} break it"
    found = RuleOutcome(
        rule=rule, day=day, state="passed" if rows else "not enough data", figure=share,
        unit="share", sentence=told, file=worst,
    )  # fmt: skip
    if limit is None or share is None:
        return found
    crossed = _crossed(rule, limit, broken, share)
    shown: dict[str, object] = {"figure": share, "most": limit.max_share}
    if limit.max_share is None or list(crossed) == ["max_rows"]:
        shown = {"unit": "rows", "figure": float(broken), "most": limit.max_rows}
    if crossed:
        sentence = f"{told}, {' and '.join(crossed.values())}; most lie in {worst}"
        shown |= {"state": _STATES[limit.severity], "sentence": sentence}
    return found.model_copy(update=shown)


def _crossed(rule: str, limit: RowRule, broken: int, share: float) -> dict[str, str]:
    """Return the limits that a day is beyond, each in words."""
    crossed = {}
    if limit.max_share is not None and share > limit.max_share:
        crossed["max_share"] = f"{percent(share)}, more than {percent(limit.max_share)}"
    if limit.max_rows is not None and broken > limit.max_rows:
        crossed["max_rows"] = f"more than {limit.max_rows:,}"
    return {key: f"{words} ({SECTION}.{rule}.{key})" for key, words in crossed.items()}


def _uniqueness(rules: RulesConfig, day: date, files: Sequence[LogFile], rows: int) -> RuleOutcome:
    repeated = sum(file.by_rule.get("duplicate", 0) for file in files)
    worst = max(files, key=lambda file: file.by_rule.get("duplicate", 0)).path if repeated else None
    return _at_most(
        "uniqueness", day, rules.uniqueness.severity, repeated / rows if rows else None,
        rules.uniqueness.max_share, unit="share", key="max_share", file=worst,
        about="rows that tell an event again", unsaid="the day has no rows",
    )  # fmt: skip


def _freshness(rules: RulesConfig, day: date, events: DayEvents) -> RuleOutcome:
    rule = rules.freshness
    return _at_most(
        "freshness", day, rule.severity, events.hours, rule.max_hours, unit="hours",
        key="max_hours", about="hours from the last event to the day's end",
        unsaid=events.unsaid.get("freshness", ""),
    )  # fmt: skip


def _on_items(
    name: str, rule: ShareRule, day: date, share: float | None, unsaid: Mapping[str, str]
) -> RuleOutcome:
    about = {
        "unknown_items": "events on items that the catalogue does not have",
        "new_items": "events on items that nobody met in the days before",
    }
    return _at_most(
        name, day, rule.severity, share, rule.max_share, unit="share", key="max_share",
        about=about[name], unsaid=unsaid.get(name, ""),
    )  # fmt: skip


def _volume(rules: RulesConfig, day: date, accepted: int, usual: Usual | None) -> RuleOutcome:
    rule = rules.volume
    most = rule.max_factor if math.isfinite(rule.max_factor) else None
    told = f"volume: {accepted:,} good rows on {day}"
    found = RuleOutcome(
        rule="volume", day=day, state="not enough data", figure=None, unit="times",
        least=rule.min_factor, most=most, sentence=f"{told}; no day before is usual yet",
    )  # fmt: skip
    if usual is None:
        return found
    factor = accepted / usual.rows
    told = f"{told} are {factor:.4g} times the usual {usual.rows:,.0f} ({usual.days})"
    state: RuleState = _STATES[rule.severity]
    if factor < rule.min_factor:
        told += f", suspiciously few: less than {rule.min_factor:g} ({SECTION}.volume.min_factor)"
    elif most is not None and factor > most:
        told += f", suspiciously many: more than {most:g} ({SECTION}.volume.max_factor)"
    else:
        state = "passed"
    return found.model_copy(update={"figure": factor, "state": state, "sentence": told})


def _at_most(
    name: str,
    day: date,
    severity: Severity,
    figure: float | None,
    most: float,
    *,
    unit: str,
    key: str,
    about: str,
    unsaid: str,
    file: str | None = None,
) -> RuleOutcome:
    state: RuleState = "passed"
    if figure is None:
        state, sentence = "not enough data", f"{name} of {day}: {unsaid}"
    else:
        form = percent if unit == "share" else _decimal
        sentence = f"{name} of {day}: {about}: {form(figure)}"
        if figure > most:
            state = _STATES[severity]
            sentence += f", more than {form(most)} ({SECTION}.{name}.{key})"
            sentence += f"; most lie in {file}" if file else ""
    return RuleOutcome.model_validate(
        {"rule": name, "day": day, "state": state, "figure": figure, "unit": unit, "most": most,
         "sentence": sentence, "file": file}
    )  # fmt: skip


def percent(share: float) -> str:
    """Return a share as a percentage, with enough digits to tell it from its limit."""
    return f"{100 * share:.4g}%"


def _decimal(value: float) -> str:
    return f"{value:.4g}"
