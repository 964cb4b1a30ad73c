"""Whole nights around a forgetting, with training and registry."""

import shutil

import pytest

from data_contracts.manifests import TrainManifest
from tasks.forgetting.forgetting import check_forgotten, forget_people
from tasks.report.reporting import keep_page
from tasks.snapshot.snapshot import reading, verify_snapshot
from tasks.steps import read_manifest
from tests.tiny_night import run_night, tiny_shop


@pytest.mark.slow
def test_the_same_night_is_not_trained_again_and_the_next_one_does_without_them(
    tmp_path, migrated_mlflow
):
    """Pages of runs lose them too; the champion and its tables stand."""
    first, second = tiny_shop(tmp_path)
    (tmp_path / "mlflow").mkdir(exist_ok=True)
    shutil.copy(migrated_mlflow, tmp_path / "mlflow" / "mlflow.db")
    report = run_night(first)
    trained = read_manifest(first.step("train"), TrainManifest)
    keep_page(first, trained)
    people = tuple(example.user_id for example in report.examples)[:2]
    named = check_forgotten(first.config, people).found
    assert any(path.startswith("mlflow/") and path.endswith("report.html") for path in named)
    forget_people(first.config, people, reason="asked")
    again = run_night(first)
    assert read_manifest(first.step("train"), TrainManifest) == trained
    assert (again.champion_version, again.snapshot) == (report.champion_version, report.snapshot)
    assert not {example.user_id for example in again.examples} & set(people)
    following = run_night(second)
    keep_page(second, read_manifest(second.step("train"), TrainManifest))
    assert following.quarantined["forgotten"] > 0
    with reading(tmp_path) as (folder, _):
        verify_snapshot(folder)
    assert check_forgotten(first.config, people).found == ()
