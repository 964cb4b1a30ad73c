"""The configuration: refused keys, plain reasons, secrets kept as references."""

import tomllib
from pathlib import Path

import pytest

from data_contracts.config import NightlyConfig, load_config
from data_contracts.config_text import config_text
from data_contracts.environment import resolve
from data_contracts.errors import ConfigError


def write(path: Path, text: str) -> Path:
    """Write a configuration file."""
    path.write_text(text, encoding="utf-8")
    return path


def test_written_configuration_is_valid_and_holds_the_defaults(tmp_path):
    """What init writes loads, and says what the models say."""
    config = load_config(write(tmp_path / "shop.toml", config_text()))
    assert config == NightlyConfig(lake=str(tmp_path / "lake"))


def test_every_key_is_explained():
    """A key without a comment would leave its reader alone; a space is explained as a whole."""
    lines = [
        line for line in config_text().splitlines() if "=" in line and not line.startswith("# C")
    ]
    bare = [line for line in lines if "#" not in line.lstrip("# ") and "= {" not in line]
    assert bare == ["view = 1.0", "add_to_cart = 2.0", "purchase = 4.0"]


def test_example_configuration_is_what_init_writes():
    """The example in deploy never falls behind the models."""
    example = Path(__file__).parents[2] / "deploy" / "example.toml"
    assert example.read_text(encoding="utf-8") == config_text()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sed = 1", "sed: unknown key"),
        ("[history]\nhalflife = 3", "history.halflife: unknown key"),
        ("[history]\nwindow_days = 0", "history.window_days: Input should be greater than 0"),
        ("[events]\nview = 0", "at least one event type must have a weight above 0"),
        ("[interactions]\nfiles = 'log/*.parquet'", "files must hold {date} once"),
        ("[interactions]\ntime_zone = 'Mars'", "time_zone must be an IANA name"),
        (
            "[interactions]\ndefault_event_type = 'x'\n[interactions.columns]\nevent_type = ''",
            "got x",
        ),
        ("lake = 's3://bucket'", "lake must be a local folder, got s3://bucket"),
        ("lake = ", "must be a readable TOML file"),
    ],
)
def test_bad_configuration_names_key_and_reason(tmp_path, text, reason):
    """The message says which key and what must hold."""
    with pytest.raises(ConfigError, match=reason.replace("{", r"\{").replace("(", r"\(")):
        load_config(write(tmp_path / "bad.toml", text))


def test_missing_file_says_how_to_make_one(tmp_path):
    """A newcomer is told about init."""
    with pytest.raises(ConfigError, match="write one with 'hoarfrost init'"):
        load_config(tmp_path / "none.toml")


def test_secret_stays_a_reference(tmp_path, monkeypatch):
    """The loaded configuration can be logged: the secret is not in it."""
    monkeypatch.setenv("HOARFROST_TEST_PASSWORD", "frost")
    text = "[mlflow]\ntracking_uri = 'postgresql://u:${HOARFROST_TEST_PASSWORD}@h/db'"
    config = load_config(write(tmp_path / "secret.toml", text))
    assert "frost@" not in config.model_dump_json()
    assert resolve(str(config.mlflow.tracking_uri)) == "postgresql://u:frost@h/db"


def test_unset_secret_fails_the_load(tmp_path, monkeypatch):
    """A missing variable is found before the night, by its name."""
    monkeypatch.delenv("HOARFROST_TEST_PASSWORD", raising=False)
    text = "[mlflow]\ntracking_uri = 'http://${HOARFROST_TEST_PASSWORD}'"
    with pytest.raises(ConfigError, match="HOARFROST_TEST_PASSWORD must be set"):
        load_config(write(tmp_path / "secret.toml", text))


def test_doubled_dollar_is_literal():
    """A literal reference can be written."""
    assert resolve("a $${b} c") == "a ${b} c"


def test_defaults_of_the_text_are_toml():
    """Every value survives a parse by the standard library."""
    parsed = tomllib.loads(config_text())
    assert parsed["events"] == {"view": 1.0, "add_to_cart": 2.0, "purchase": 4.0}


def test_lake_whose_path_reads_like_a_pattern_is_refused(tmp_path):
    """Better at once than as a day that seems to be missing."""
    path = tmp_path / "shop [eu]" / "hoarfrost.toml"
    path.parent.mkdir()
    path.write_text('lake = "lake"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"without \*, \? and \[ in its path, got .*shop \[eu\]"):
        load_config(path)
