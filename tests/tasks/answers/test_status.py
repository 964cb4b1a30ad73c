"""What a lake says of itself: who decided what, and where tables, registry and ledger disagree."""

from datetime import timedelta

import mlflow
import polars as pl
import pytest
from mlflow import MlflowClient

from data_contracts.ledger import LedgerEntry
from data_contracts.vocabulary import VocabularyManifest, VocabularyStatus
from flows import display_registry
from tasks.answers.status import lake_status
from tasks.lake import Night
from tasks.registry.ledger import append, ledger_path
from tasks.registry.registry_state import show
from tasks.snapshot.snapshot import point_latest, snapshots
from tasks.vocabulary.id_digest import id_digest
from tasks.vocabulary.vocabulary import extend_vocabulary, vocabulary_path
from tests.night_steps import leave
from tests.published_lake import publish
from tests.tiny_lake import DAY, night

NAME = "hoarfrost"
NEXT = DAY + timedelta(days=1)
FACTS = {"figures": {"ndcg@100": 0.0125}, "config_digest": "c0ffee", "data_digest": "da7a"}


def entry(day, champion, previous=None, **more):
    """A decision of a September night."""
    return LedgerEntry(
        run_date=day, challenger=champion, verdict="promote", reason="because [it] is better",
        champion=champion, previous=previous,
        **(FACTS | more),
    )  # fmt: skip


@pytest.fixture
def shop(tmp_path, mlflow_uri):
    """A lake with two published snapshots, two decisions, and a registry that shows them."""
    lake = tmp_path / "lake"
    first, second = (night(lake, day, mlflow={"tracking_uri": mlflow_uri}) for day in (DAY, NEXT))
    publish(first, {"home": {"u0": ["i1", "i2"]}}, "1")
    publish(second, {"home": {"u0": ["i2", "i1"]}}, "2")
    mlflow.set_tracking_uri(mlflow_uri)
    mlflow.set_registry_uri(mlflow_uri)
    client = MlflowClient()
    client.create_registered_model(NAME)
    for _ in range(3):
        client.create_model_version(NAME, source=str(tmp_path))
    for each in (entry(DAY, "1"), entry(NEXT, "2", "1")):
        append(lake, each)
        show(client, NAME, each)
    return second.config, lake, client


def test_everything_agrees(shop, capsys):
    """Nothing to mend, and the ledger tells who, when, what and why."""
    found = lake_status(shop[0])
    assert (found.whole, found.problems, found.notes) == (True, (), ())
    assert found.registry.champion == found.model_version == "2"
    display_registry.status(found, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    line = found.promotions[1]
    for words in (
        f"2. {NEXT} night promote: champion 2, previous 1, challenger 2; because [it] is better",
        f"{line.at:%Y-%m-%d %H:%M} UTC by {line.by}",
        "ndcg@100 +0.0125, configuration c0ffee, data da7a",
        f"seal {line.seal[:12]}",
        "Ledger 2 decisions, whole",
        "Ledger and registry agree.",
    ):
        assert words in shown


def test_changed_line_is_named(shop, capsys):
    """The lines before it are shown, and the sentence says which one and what to do."""
    config, lake, _ = shop
    path = ledger_path(lake)
    path.write_text(path.read_text("utf-8").replace('"champion":"2"', '"champion":"3"'), "utf-8")
    found = lake_status(config)
    assert not found.whole
    assert len(found.promotions) == 1
    (problem,) = found.problems
    assert "line 2 was changed after it was written" in problem
    assert "restore the file from a copy" in problem
    display_registry.status(found, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Ledger 1 decisions, changed" in shown
    assert "Disagreement" in shown


def test_alias_that_somebody_moved_is_told(shop):
    """Status only looks: it moves nothing back."""
    config, _, client = shop
    client.set_registered_model_alias(NAME, "champion", "3")
    found = lake_status(config)
    assert "champion of hoarfrost points to version 3" in found.problems[0]
    assert lake_status(config).registry.champion == "3"


def test_decision_that_is_not_shown_yet_has_its_command(shop):
    """A kill came between ledger and aliases."""
    config, lake, _ = shop
    append(lake, entry(NEXT, "3", "2", action="promote", forced=True))
    (problem,) = lake_status(config).problems
    assert problem.endswith("run: hoarfrost promote --version 3 --reason '...' --force")


def test_rollback_whose_tables_did_not_follow_has_its_command(shop):
    """A kill came between aliases and latest; then they follow."""
    config, lake, client = shop
    first = snapshots(lake)[0]
    back = entry(NEXT, "1", None, action="rollback", snapshot=first.snapshot_id, bad_version="2")
    append(lake, back)
    show(client, NAME, back)
    (problem,) = lake_status(config).problems
    assert problem.endswith(f"run: hoarfrost rollback --to {first.snapshot_id}")
    point_latest(lake, first, backwards=True)
    assert lake_status(config).problems == ()


def test_tables_that_follow_a_promotion_are_a_note(shop):
    """Nothing disagrees: the next night publishes them."""
    config, lake, client = shop
    by_hand = entry(NEXT, "1", "2", action="promote")
    append(lake, by_hand)
    show(client, NAME, by_hand)
    found = lake_status(config)
    assert found.problems == ()
    (note,) = found.notes
    assert note.startswith("champion is version 1, the tables are of version 2")


def test_registry_of_another_lake_is_told(shop, tmp_path, mlflow_uri):
    """A lake without a ledger must not take over aliases that are there."""
    other = tmp_path / "other"
    other.mkdir()
    config = shop[0].model_copy(update={"lake": str(other)})
    (problem,) = lake_status(config).problems
    assert "another lake moves that model, or the ledger was lost" in problem
    assert "registered_model in [mlflow]" in problem


def test_registry_that_does_not_answer_is_a_note_without_secret(tmp_path, monkeypatch):
    """Everything else is shown."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("SESAME", "open-sesame")
    uri = "http://me:${SESAME}@127.0.0.1:9"
    made = night(tmp_path, mlflow={"tracking_uri": uri})
    append(tmp_path, entry(DAY, "1"))
    found = lake_status(made.config)
    assert found.registry is None
    assert "the registry could not be asked" in found.notes[0]
    assert "open-sesame" not in found.model_dump_json()


def test_empty_lake_stays_empty(tmp_path):
    """Looking makes no database."""
    found = lake_status(night(tmp_path).config)
    assert (found.problems, found.notes, found.registry) == ((), (), None)
    assert list(tmp_path.iterdir()) == []


def test_items_are_counted_and_a_changed_vocabulary_is_named(shop, capsys):
    """Retired ones too; the sentence is the one that would stop a night."""
    config, lake, _ = shop
    assert lake_status(config).vocabulary is None
    words = extend_vocabulary(lake, pl.Series(["i1", "i2"]))
    leave(Night(config=config, run_date=NEXT), VocabularyManifest(
        step="vocabulary", run_date=NEXT, key="", n_items=2, sha256=id_digest(words["item_id"]),
        retired=1, which="", newly_retired=0, revived=0,
    ))  # fmt: skip
    found = lake_status(config)
    assert found.vocabulary == VocabularyStatus(items=2, retired=1)
    display_registry.status(found, as_json=False)
    assert "vocabulary: 2 items, 1 of them retired" in capsys.readouterr().out
    vocabulary_path(lake).unlink()
    found = lake_status(config)
    assert found.vocabulary is None
    (problem,) = found.problems
    assert "vocabulary.parquet must be there, got no file" in problem
