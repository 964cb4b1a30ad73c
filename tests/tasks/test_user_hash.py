"""Users in words: the same hash each time, no id, and no way back after a forgetting."""

import re
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError, ContractViolationError
from tasks.forgetting.forgetting import forget_people
from tasks.private_file import create_private
from tasks.user_hash import key_path, masked
from tests.tiny_lake import DAY, good_rows, night, write_day

GIVEN = {"privacy": {"user_hash_key": "${HASH_KEY}"}}


def test_a_user_has_one_hash_per_lake(tmp_path):
    """Whatever type the id has; another lake draws another key."""
    one, other = (night(tmp_path / name).config for name in ("one", "other"))
    assert re.fullmatch(r"user#[0-9a-f]{12}", masked(one, "u-1"))
    assert masked(one, "u-1") == masked(one, "u-1") != masked(one, "u-2")
    assert masked(one, 7) == masked(one, "7")
    assert masked(one, "u-1") != masked(other, "u-1")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A lake with a key."""
    return night(tmp_path_factory.mktemp("lake")).config


@given(user=st.text(min_size=4))
def test_the_hash_has_one_shape_and_not_the_id(config, user):
    """Any id, hexadecimal digits among them."""
    assert re.fullmatch(r"user#[0-9a-f]{12}", masked(config, user))
    assert user not in masked(config, user).removeprefix("user#")


def test_the_known_answer(tmp_path, monkeypatch):
    """HMAC-SHA256 of RFC 4231, test case 2, cut to 48 bits; its key of 4 letters is too short."""
    monkeypatch.setenv("HASH_KEY", "Jefe")
    config = night(tmp_path, **GIVEN).config
    with pytest.raises(ConfigError, match="user_hash_key must have 16 letters or more, got 4"):
        masked(config, "what do ya want for nothing?")
    monkeypatch.setenv("HASH_KEY", "\x0b" * 20)  # test case 1
    assert masked(config, "Hi There") == "user#b0344c61d8db"
    assert not key_path(tmp_path).exists()


def test_a_literal_key_is_refused(tmp_path):
    """It would stand in every copy of the configuration."""
    with pytest.raises(ValueError, match="must be written as"):
        NightlyConfig.model_validate({"privacy": {"user_hash_key": "0123456789abcdef"}})


def test_only_its_owner_reads_the_key(tmp_path):
    """It lies in state, and nothing is left beside it."""
    masked(night(tmp_path).config, "u-1")
    path = key_path(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_of_two_processes_one_draws_the_key(tmp_path):
    """The other takes that one."""
    path = key_path(tmp_path)
    assert create_private(path, "ab" * 32)
    assert not create_private(path, "cd" * 32)
    assert path.read_text() == "ab" * 32


def test_a_damaged_key_is_told(tmp_path):
    """It is not replaced in silence."""
    create_private(key_path(tmp_path), "ab")
    with pytest.raises(ContractViolationError, match="must hold a key of 32 bytes"):
        masked(night(tmp_path).config, "u-1")


def test_forgetting_leaves_no_way_back(tmp_path, mlflow_uri, caplog):
    """Nobody can find the lines of before by an id any more, of nobody."""
    write_day(tmp_path, good_rows())
    tonight = night(tmp_path, DAY, mlflow={"tracking_uri": mlflow_uri})
    before = {user: masked(tonight.config, user) for user in ("u0", "u1")}
    key = key_path(tmp_path).read_text()
    forget_people(tonight.config, ("u0",), reason="asked")
    assert not key_path(tmp_path).exists()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if key in path.read_text("latin-1")] == []
    assert all(masked(tonight.config, user) != hashed for user, hashed in before.items())
    assert "user_hash_key" not in caplog.text


def test_a_given_key_is_not_ours_to_change(tmp_path, mlflow_uri, monkeypatch, caplog):
    """Forgetting says so."""
    monkeypatch.setenv("HASH_KEY", "k" * 20)
    write_day(tmp_path, good_rows())
    tonight = night(tmp_path, DAY, mlflow={"tracking_uri": mlflow_uri}, **GIVEN)
    forget_people(tonight.config, ("u0",), reason="asked")
    assert "change it there" in caplog.text
    assert "k" * 20 not in caplog.text
