"""A lost vocabulary comes back from the registry, or not at all."""

import shutil
from datetime import timedelta

import pytest

from data_contracts.errors import ContractViolationError
from data_contracts.vocabulary import VocabularyStatus
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices, finished_matrices
from tasks.ingest.ingest import ingest
from tasks.lake_id import lake_id_path
from tasks.vocabulary.vocabulary import (
    extend_vocabulary,
    items_of,
    read_vocabulary,
    vocabulary_path,
)
from tasks.vocabulary.vocabulary_restore import restore_vocabulary, vocabulary_status
from tests.tiny_lake import DAY, at, night, write_day
from tests.tiny_night import run_night

pytestmark = pytest.mark.slow
SECTIONS = {
    "model": {"n_factors": 2, "n_epochs": 1}, "gate": {"unjudged": "promote"},
    "tables": {"max_fallback_share": 1.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory, migrated_mlflow):
    """A lake after one whole night."""
    lake = tmp_path_factory.mktemp("lake")
    for n, day in enumerate((DAY - timedelta(days=1), DAY)):
        rows = [
            (f"u{u}", f"i{i}", "view", at(1 + u / 9 + i / 99, day))
            for u in range(9)
            for i in (n, 2 + (u + n) % 4)
        ]
        write_day(lake, rows, day=day)
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    tonight = night(lake, **SECTIONS)
    run_night(tonight)
    return tonight


@pytest.fixture
def words(made):
    """The ids; afterwards the state is as it was."""
    kept = made.lake.with_name("kept")
    shutil.copytree(made.state, kept)
    yield read_vocabulary(made.lake)["item_id"].to_list()
    shutil.rmtree(made.state)
    kept.rename(made.state)


def lose(lake):
    """Lose the file."""
    vocabulary_path(lake).unlink()


def mix_up(lake):
    """Take the file of another lake."""
    extend_vocabulary(lake / "other", read_vocabulary(lake)["item_id"])
    shutil.copy(vocabulary_path(lake / "other"), vocabulary_path(lake))


def lose_identity(lake):
    """Lose whose it is."""
    lake_id_path(lake).unlink()


def garble_identity(lake):
    """Find something else there."""
    lake_id_path(lake).write_text("[]")


@pytest.mark.parametrize("damage", [lose, mix_up, lose_identity, garble_identity])
def test_the_ids_come_back_as_they_were(made, words, damage):
    """And the night's matrices mean the same again."""
    damage(made.lake)
    with pytest.raises(ContractViolationError, match="or run: hoarfrost vocabulary --restore"):
        vocabulary_status(made.lake)
    assert restore_vocabulary(made.config) == VocabularyStatus(items=len(words), retired=0)
    assert items_of(made.lake, finished_matrices(made)).to_list() == words
    assert vocabulary_status(made.lake).items == len(words)


def test_a_version_with_fewer_ids_is_no_proof(made, words):
    """A later night has met another item and registered nothing; the file stays as it is."""
    tomorrow = night(made.lake, DAY + timedelta(days=1), **SECTIONS)
    write_day(made.lake, [("u0", "new", "view", at(1, tomorrow.run_date))], day=tomorrow.run_date)
    build_matrices(tomorrow, build_history(tomorrow, ingest(tomorrow)))
    before = vocabulary_path(made.lake).read_bytes()
    with pytest.raises(ContractViolationError, match=f"{len(words)} that are not these"):
        restore_vocabulary(made.config)
    assert vocabulary_path(made.lake).read_bytes() == before


def test_a_lake_without_a_night_has_nothing_to_restore(tmp_path):
    """There is no digest to prove it by."""
    with pytest.raises(ContractViolationError, match="run a night first"):
        restore_vocabulary(night(tmp_path).config)
