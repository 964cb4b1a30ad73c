"""How the rules of a day are shown: on the page, as Markdown, and what is worth a warning."""

import re

from tasks.report.report_page import report_page
from tasks.report.report_rules import rule_notes, rule_rows
from tasks.report.report_text import markdown
from tests.night_report import LAST, night_report, outcomes

SHOWN = [
    ("duplicate", "8", "at most 7", "stopped"),
    ("uniqueness", "12.3%", "at most 10%", "warned"),
    ("freshness", "13.25\N{NO-BREAK SPACE}h", "at most 12\N{NO-BREAK SPACE}h", "quarantined"),
    ("volume", "1.25 times usual", "0.5 to 2 times usual", "passed"),
    ("new_items", "\N{EN DASH}", "at most 10%", "not enough data"),
]


def test_every_rule_with_a_limit_is_a_row():
    """Figure and limit in one unit; a rule of rows without a limit bounds nothing."""
    rows = rule_rows(outcomes(LAST))
    assert [(each.rule, each.figure, each.limit, each.state) for each in rows] == SHOWN
    assert {each.day for each in rows} == {"2026-10-26"}


def test_a_single_bound_is_told_alone():
    """Whichever it is."""
    volume = next(each for each in outcomes(LAST) if each.rule == "volume")
    (row,) = rule_rows([volume.model_copy(update={"most": None})])
    assert row.limit == "at least 0.5 times usual"


def test_what_a_day_is_beyond_is_a_warning():
    """Whatever becomes of it; what passed or cannot be said is none."""
    assert rule_notes(outcomes(LAST, "x")) == ["duplicate: x", "uniqueness: x", "freshness: x"]


def test_page_and_markdown_tell_the_same():
    """The page among what to look at, too."""
    report = night_report()
    page, text = report_page(report), markdown(report)
    section = page[page.index('id="rules"') : page.index('id="log_drift"')]
    told = re.findall(r'scope="row">([^<]+)</th><td class="nowrap">[^<]+</td>', section)
    assert told == [rule for rule, *_ in SHOWN]
    for rule, figure, limit, state in SHOWN:
        assert f"| {rule} | 2026-10-26 | {figure} | {limit} | {state} |" in text
        assert f'>{figure}</td><td class="number">{limit}</td><td>{state}</td>' in section
    for note in rule_notes(report.rules):
        assert page.count(note) == 2
        assert f"Warning: {note}" in text


def test_a_report_of_an_older_version_has_no_such_section():
    """Rather than an empty table."""
    old = night_report(rules=())
    assert 'id="rules"' not in report_page(old)
    assert "Rules of the day" not in markdown(old)
