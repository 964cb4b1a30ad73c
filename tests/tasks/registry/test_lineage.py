"""Datasets under the digests that the manifests hold."""

import json
from datetime import date

import mlflow
import pytest

from data_contracts.manifests import FileEntry
from tasks.registry.lineage import held_out_data, log_lineage, taken_events
from tasks.registry.tracking import connect, training_run
from tests.night_steps import ingest_of, leave, matrices_of, night_in

DAY = date(2026, 9, 2)


@pytest.fixture
def night(tmp_path, mlflow_uri):
    """Its log has been ingested."""
    night = night_in(tmp_path, DAY)
    leave(night, ingest_of(night))
    leave(night, matrices_of(night))
    return night


def test_run_names_what_it_took_and_what_it_judged_on(night):
    """Once each, with its part in the night, where it lies, and how much of it there is."""
    with training_run(night.config, DAY, "key") as run:
        run_id = run.info.run_id
    client = connect(night.config)
    for _ in range(2):
        log_lineage(client, run_id, night, matrices_of(night))
    inputs = {each.dataset.name: each for each in client.get_run(run_id).inputs.dataset_inputs}
    assert len(client.get_run(run_id).inputs.dataset_inputs) == 2
    taken, judged = inputs[f"interactions-{DAY}"], inputs[f"holdout-{DAY}"]
    contexts = {each.dataset.name: each.tags[0].value for each in (taken, judged)}
    assert contexts == {f"interactions-{DAY}": "training", f"holdout-{DAY}": "evaluation"}
    assert taken.dataset.digest == taken_events(night, ingest_of(night)).digest
    assert json.loads(taken.dataset.profile) == {
        "log_files": 1, "rows": 10, "accepted": 9, "quarantined": 1, "late_rows": 2,
    }  # fmt: skip
    assert json.loads(judged.dataset.profile)["users"] == 3
    source = mlflow.data.get_source(judged)
    assert source.load() == str(night.step("matrices"))


def test_digest_follows_the_files(night):
    """Another byte in the log is other data; when it was written, or taken, is not."""
    plain = taken_events(night, ingest_of(night)).digest
    assert taken_events(night, ingest_of(night, sha256="ef" * 32)).digest != plain
    entry = FileEntry(path="shard-000.parquet", rows=9, bytes=9, sha256="01" * 32)
    other = ingest_of(night).model_copy(update={"files": (entry,)})
    assert taken_events(night, other).digest != plain
    (file,) = ingest_of(night).log_files
    touched = file.model_copy(update={"modified_ns": 2})
    same = ingest_of(night).model_copy(update={"key": "x", "log_files": (touched,)})
    assert taken_events(night, same).digest == plain


def test_digest_follows_the_cut(night, tmp_path):
    """The same matrices judged otherwise, or drawn otherwise, are other data."""
    matrices = matrices_of(night)
    others = (
        held_out_data(night, matrices_of(night, vocabulary="ef" * 32)),
        held_out_data(night_in(tmp_path, DAY, seed=night.config.seed + 1), matrices),
        held_out_data(night_in(tmp_path, DAY, evaluation={"max_users": 5}), matrices),
    )
    digests = {held_out_data(night, matrices).digest, *(each.digest for each in others)}
    assert len(digests) == 4
    assert {len(each) for each in digests} == {36}
