"""Limits of rules: every rule has one, none of them can be written in a way that says nothing."""

import pytest

from data_contracts.config import NightlyConfig, load_config
from data_contracts.errors import ConfigError
from data_contracts.interactions import ROW_RULES, USER_RULES
from data_contracts.validation import RowRule, ShareRule


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "[validation.rules.bot]\nseverity = 'stop'",
            "must have max_share or max_rows, got neither",
        ),
        ("[validation.rules.bot]\nmax_share = 1.1", "validation.rules.bot.max_share: Input should"),
        ("[validation.rules.bots]\nmax_share = 0.1", "validation.rules.bots: unknown key"),
        ("[validation.rules.volume]\nseverity = 'ignore'", "validation.rules.volume.severity"),
        ("[validation.rules.volume]\nmax_factor = 0.9", "validation.rules.volume.max_factor"),
        ("[validation.rules.freshness]\nmax_hours = 0", "validation.rules.freshness.max_hours"),
    ],
)
def test_a_limit_that_says_nothing_is_refused(tmp_path, text, reason):
    """With its key."""
    path = tmp_path / "shop.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=reason):
        load_config(path)


def test_a_limit_is_a_section_of_its_own(tmp_path):
    """The other rules keep what they had; a factor may be without end."""
    path = tmp_path / "shop.toml"
    path.write_text(
        "[validation.rules.bot]\nseverity = 'stop'\nmax_rows = 0\n"
        "[validation.rules.volume]\nmax_factor = inf\n",
        encoding="utf-8",
    )
    rules, usual = load_config(path).validation.rules, NightlyConfig().validation.rules
    assert rules.bot == RowRule(severity="stop", max_rows=0)
    assert rules.volume.max_factor == float("inf")
    assert rules.model_copy(update={"bot": None, "volume": usual.volume}) == usual


def test_days_are_only_told_of_by_default():
    """A new version stops no night that ran before, and rows have no limit of their own."""
    rules = NightlyConfig().validation.rules
    given = [getattr(rules, name) for name in type(rules).model_fields]
    assert {each.severity for each in given if each is not None} == {"warn"}
    assert given.count(None) == len(ROW_RULES | USER_RULES)
    assert ShareRule().severity == "warn"
