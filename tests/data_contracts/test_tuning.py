"""Search spaces: what they may say, and how they are written."""

import tomllib

import pytest

from data_contracts.config import ELSAConfig, NightlyConfig, load_config
from data_contracts.config_text import config_text
from data_contracts.errors import ConfigError
from data_contracts.tuning import Choices, Range, TuneConfig, takes_integers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tune.space.elsa]\nrate = { low = 1, high = 2 }", "keys of .model. .*, got rate"),
        ("[tune.space.elsa]\nkind = { choices = ['elsa'] }", "keys of .model. .*, got kind"),
        ("[tune.space.als]\nn_factors = { choices = [8] }", "kinds of models .elsa, .*, got als"),
        ("[tune.space.elsa]\nalpha = { low = 0, high = 2 }", "elsa.alpha: 2.0 does not fit"),
        ("[tune.space.elsa]\nn_factors = { low = 0.5, high = 2 }", "n_factors: 0.5 does not fit"),
        ("[tune.space.elsa]\nn_factors = { choices = [8, 'x'] }", "n_factors: x does not fit"),
        ("[tune.space.elsa]\nalpha = { low = 0.5, high = 0.5 }", "low must be below high"),
        ("[tune.space.elsa]\nalpha = { low = 0, high = 1, log = true }", "low must be positive"),
        (
            "[tune.space.elsa]\nalpha = { low = 0.1, high = 1, log = true, step = 0.1 }",
            "step must be left out",
        ),
        (
            "[tune.space.elsa]\nn_factors = { low = 2, high = 9, step = 0.5 }",
            "elsa.n_factors: step must be whole, got 0.5",
        ),
        ("[tune.space.elsa]\nalpha = { choices = [] }", "at least 1 item"),
        ("[tune.space.elsa]\nalpha = { lo = 0, high = 1 }", "range.lo: unknown key"),
        ("[tune]\nn_trials = -1", "tune.n_trials: Input should be greater"),
    ],
)
def test_bad_space_is_refused_by_name(tmp_path, text, reason):
    """Before the first trial, not in the middle of a night of them."""
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=reason):
        load_config(path)


def test_given_space_replaces_that_of_its_kind():
    """What is not named is not searched."""
    config = NightlyConfig.model_validate(
        {"tune": {"space": {"elsa": {"n_factors": {"choices": [8, 16]}}}}}
    )
    assert config.tune.space == {"elsa": {"n_factors": Choices(choices=(8, 16))}}


def test_space_survives_its_text():
    """Nested tables are written as people write them, and read back as they were."""
    space = {"elsa": {"alpha": Range(low=0.1, high=0.9, step=0.2)}}
    config = NightlyConfig(tune=TuneConfig(n_trials=3, space=space))
    text = config_text(config)
    assert "\n[tune.space.elsa]\nalpha = { low = 0.1, high = 0.9, step = 0.2 }\n" in text
    assert NightlyConfig.model_validate(tomllib.loads(text)) == config


def test_whole_numbers_are_known_by_their_key():
    """A range over a whole key must not try 64.3 factors, one over a share not only 0 and 1."""
    whole = [name for name in ELSAConfig.model_fields if takes_integers(ELSAConfig, name)]
    assert {"n_factors", "batch_size", "n_epochs", "max_output"} <= set(whole)
    assert not {"alpha", "learning_rate", "kind"} & set(whole)
