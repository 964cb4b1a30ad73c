"""The command that forgets people: exit codes, what it shows, and that it asks first."""

import json

import polars as pl
import pytest

from data_contracts.errors import ConfigError
from flows import display_forget
from flows.cli import app
from tasks.forgetting.forgotten import folder_of
from tests.command_line import hoarfrost
from tests.forgotten_lake import NAMES, make_lake, naming


@pytest.fixture
def lake(tmp_path):
    """A lake with a configuration, and a file of two people."""
    make_lake(tmp_path / "lake")
    history = "[history]\nn_user_shards = 3\n"
    (tmp_path / "shop.toml").write_text(f'lake = "{tmp_path}/lake"\n{history}', encoding="utf-8")
    pl.DataFrame({"user_id": NAMES[:2]}).write_parquet(tmp_path / "leaving.parquet")
    return tmp_path


def flags(lake, *more):
    """The command's flags."""
    return ["--users", lake / "leaving.parquet", "--config", lake / "shop.toml", *more]


def command(*arguments):
    """Run the command line in this process."""
    app(list(map(str, arguments)), exit_on_error=False, result_action="return_value")


def test_people_are_forgotten_and_the_proof_is_shown(lake, capsys):
    """JSON for scripts; neither output nor log names anybody."""
    with pytest.raises(SystemExit) as ended:
        command("forget", *flags(lake, "--check"))
    assert ended.value.code == 3
    answer = hoarfrost("forget", *flags(lake, "--yes", "--json"))
    assert answer.returncode == 0, answer.stderr
    done = json.loads(answer.stdout)
    assert (done["people"], done["listed"], done["proof"]["found"]) == (2, 2, [])
    assert done["proof"]["files"] > 100
    assert not any(name in answer.stdout + answer.stderr for name in NAMES)
    assert naming(lake / "lake", NAMES[:2]) == []
    capsys.readouterr()
    command("forget", *flags(lake, "--check"))
    shown = capsys.readouterr().out
    assert "No file of the lake names any of them" in shown
    assert "files of your own do" in shown


def test_without_a_yes_nothing_is_done(lake, monkeypatch):
    """A script must say it, a person is asked."""
    with pytest.raises(ConfigError, match="add --yes"):
        command("forget", *flags(lake, "--json"))
    assert not folder_of(lake / "lake").exists()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr(display_forget.OUT, "input", lambda text: asked.append(text) or "n")
    with pytest.raises(ConfigError, match="nobody was forgotten"):
        command("forget", *flags(lake))
    assert "2 people" in asked[0]
    assert not folder_of(lake / "lake").exists()


def test_status_shows_that_people_were_forgotten(lake, capsys):
    """As one line of the ledger."""
    command("forget", *flags(lake, "--yes", "--reason", "letter 12"))
    command("status", "--config", lake / "shop.toml")
    assert "forget 2 people: letter 12" in capsys.readouterr().out
