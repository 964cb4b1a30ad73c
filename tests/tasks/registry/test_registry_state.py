"""Aliases follow the ledger, whatever was cut short; what a stranger moved is reported."""

from datetime import date

import mlflow
import pytest
from mlflow import MlflowClient

from data_contracts.errors import ContractViolationError
from data_contracts.ledger import LedgerEntry
from tasks.registry.registry_state import read_aliases, reconcile, ruling, show

NAME = "shop"


def entry(day, champion, previous=None, challenger=None):
    """A decision of a September night."""
    return LedgerEntry(
        run_date=date(2026, 9, day), challenger=challenger or champion, verdict="promote",
        reason="", champion=champion, previous=previous,
    )  # fmt: skip


FIRST, SECOND = entry(1, "1"), entry(2, "2", "1", challenger="3")


@pytest.fixture
def client(mlflow_uri, tmp_path):
    """A registry with four versions and no alias."""
    mlflow.set_tracking_uri(mlflow_uri)
    mlflow.set_registry_uri(mlflow_uri)
    client = MlflowClient()
    client.create_registered_model(NAME)
    for _ in range(4):
        client.create_model_version(NAME, source=str(tmp_path))
    return client


def test_aliases_show_the_decision(client):
    """And one that it does not name is taken away."""
    show(client, NAME, SECOND)
    assert read_aliases(client, NAME) == {"challenger": "3", "champion": "2", "previous": "1"}
    show(client, NAME, FIRST)
    assert read_aliases(client, NAME) == {"challenger": "1", "champion": "1", "previous": None}
    assert not reconcile(client, NAME, [FIRST])


@pytest.mark.parametrize("moved", [[], ["challenger"], ["challenger", "champion"]])
def test_what_a_kill_left_half_done_is_finished(client, moved):
    """The ledger has the second decision, some aliases show the first still."""
    show(client, NAME, FIRST)
    for alias in moved:
        client.set_registered_model_alias(NAME, alias, getattr(SECOND, alias))
    assert reconcile(client, NAME, [FIRST, SECOND])
    assert read_aliases(client, NAME) == {"challenger": "3", "champion": "2", "previous": "1"}


def test_registry_without_aliases_is_brought_to_the_first_decision(client):
    """The first night was killed between ledger and registry."""
    assert reconcile(client, NAME, [FIRST])
    assert read_aliases(client, NAME)["champion"] == "1"


def test_alias_that_a_stranger_moved_is_reported(client):
    """Nothing is guessed and nothing is moved; the sentence says what to do."""
    show(client, NAME, SECOND)
    client.set_registered_model_alias(NAME, "champion", "4")
    with pytest.raises(
        ContractViolationError, match=r"points to version 4, .* says version 2.*--version 2"
    ):
        reconcile(client, NAME, [FIRST, SECOND])
    assert read_aliases(client, NAME)["champion"] == "4"


def test_alias_that_a_stranger_moved_back_is_reported(client):
    """A kill leaves no such state: champion is moved before previous."""
    show(client, NAME, SECOND)
    client.set_registered_model_alias(NAME, "champion", "1")
    with pytest.raises(ContractViolationError, match=r"champion of shop points to version 1"):
        reconcile(client, NAME, [FIRST, SECOND])


def test_aliases_without_a_ledger_are_anothers(client):
    """The first night of a lake takes no model from another lake."""
    assert not reconcile(client, NAME, [])
    show(client, NAME, SECOND)
    with pytest.raises(ContractViolationError, match=r"another lake moves that model, or the led"):
        reconcile(client, NAME, [])


def test_decision_of_the_latest_night_rules():
    """A night that is run again later does not move the aliases back."""
    assert ruling([SECOND, FIRST]) == SECOND
    assert ruling([]) is None
