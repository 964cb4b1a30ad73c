"""What people see: their own words, whatever is in them."""

from data_contracts.answer import QueryResult
from flows import display


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
