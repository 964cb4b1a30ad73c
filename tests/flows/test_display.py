"""What people see: their own words, whatever is in them."""

import json

from data_contracts.answer import LogCheck, QueryResult
from flows import display
from tests.night_report import LAST, night_report, outcomes


def test_brackets_of_a_title_are_shown(capsys):
    """A title is text, not a command to the terminal."""
    display.table(
        QueryResult(columns=("[id]",), rows=(("[red]Kettle[/red]",), (None,))), as_json=False
    )
    shown = capsys.readouterr().out
    assert "[id]" in shown
    assert "[red]Kettle[/red]" in shown
    assert "None" not in shown


def test_json_keeps_letters_of_all_languages(capsys):
    """Scripts get the text itself."""
    display.table(QueryResult(columns=("title",), rows=(("Žofie",),)), as_json=True)
    assert capsys.readouterr().out == '[{"title": "Žofie"}]\n'


def log_check(**more):
    """What validating gives for a good log."""
    given = {
        "lake": "lake", "run_date": LAST, "files": 1, "rows": 9, "accepted": 8,
        "quarantined": {"bot": 1}, "refused_files": (), "rules": {"bot": "few events"},
        "table_rules": {}, "outcomes": outcomes(LAST), "problem": None, "exit_code": 0,
    }  # fmt: skip
    return LogCheck.model_validate(given | more)


def test_outcomes_of_rules_are_shown_before_and_after_a_night(capsys):
    """With what a person should look at; a night without them says nothing of rules."""
    display.validation(log_check(), as_json=False)
    display.report(night_report(), as_json=False)
    shown = capsys.readouterr().out
    for words in ("at most 12", "not enough data", "Warning uniqueness: ", "0.5 to 2 times usual"):
        assert shown.count(words) == 2, words
    display.validation(log_check(outcomes=()), as_json=False)
    display.report(night_report(rules=()), as_json=False)
    assert "of the day:" not in capsys.readouterr().out


def test_scripts_get_every_outcome(capsys):
    """Also those that bound nothing."""
    display.validation(log_check(), as_json=True)
    told = json.loads(capsys.readouterr().out)["outcomes"]
    assert [each["rule"] for each in told] == [each.rule for each in outcomes(LAST)]
