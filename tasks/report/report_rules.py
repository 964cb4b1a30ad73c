"""How the report shows the rules of a day: a row for each that bounds something, and warnings."""

from collections.abc import Sequence
from typing import NamedTuple

from data_contracts.table_rules import RuleOutcome
from tasks.report.report_number import NOTHING

_WORTH_SAYING = ("warned", "quarantined", "stopped")


class RuleRow(NamedTuple):
    """An outcome in words."""

    rule: str
    day: str
    figure: str
    limit: str
    state: str


def rule_rows(outcomes: Sequence[RuleOutcome]) -> list[RuleRow]:
    """Return a row per outcome, in their order, without rules that bound nothing."""
    return [_row(each) for each in outcomes if each.least is not None or each.most is not None]


def rule_notes(outcomes: Sequence[RuleOutcome]) -> list[str]:
    """Return the sentences of the rules that a day is beyond."""
    return [each.sentence for each in outcomes if each.state in _WORTH_SAYING]


def _row(each: RuleOutcome) -> RuleRow:
    figure = NOTHING if each.figure is None else _amount(each.figure, each.unit)
    return RuleRow(each.rule, str(each.day), figure, _limit(each), each.state)


def _limit(each: RuleOutcome) -> str:
    least = None if each.least is None else _amount(each.least, each.unit)
    most = None if each.most is None else _amount(each.most, each.unit)
    if least is None:
        return f"at most {most}"
    return f"at least {least}" if most is None else f"{each.least:.4g} to {most}"


def _amount(value: float, unit: str) -> str:
    match unit:
        case "share":
            return f"{100 * value:.4g}%"
        case "rows":
            return f"{value:,.0f}"
        case "times":
            return f"{value:.4g} times usual"
    return f"{value:.4g}\N{NO-BREAK SPACE}h"
