"""The data behind a model and its figures, as MLflow datasets under our own digests.

MLflow would digest what it is shown, a sample; the manifests already hold a digest of every
file, so a dataset here is named by them and by the settings that cut it.
"""

import json
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from data_contracts.manifests import IngestManifest, MatrixManifest
from tasks.files import digest
from tasks.lake import Night
from tasks.steps import content_digest, read_manifest

_DIGEST_SIZE = 36  # as long as MLflow allows


def log_lineage(
    client: MlflowClient, run_id: str, night: Night, matrices: MatrixManifest
) -> Dataset:
    """Log what a night took from the log and what it judged on; return the latter.

    The matrices of the fit are logged by the training. Logging the same again changes nothing.

    Args:
        client: of the night's MLflow.
        run_id: the training's run.
        night: its ingest has finished.
        matrices: of the night.
    """
    held_out = held_out_data(night, matrices)
    inputs = [DatasetInput(held_out, [_context("evaluation")])]
    ingest = read_manifest(night.step("ingest"), IngestManifest)
    if ingest is not None:
        inputs.append(DatasetInput(taken_events(night, ingest), [_context("training")]))
    client.log_inputs(run_id, inputs)
    return held_out


def log_fitted(client: MlflowClient, run_id: str, night: Night, matrices: MatrixManifest) -> None:
    """Log the matrices that a model is fitted on to the training's run."""
    fitted = _dataset(
        f"matrices-{night.run_date}", content_digest(matrices), night.step("matrices"),
        users=matrices.n_users, items=matrices.n_items, interactions=matrices.n_interactions,
    )  # fmt: skip
    client.log_inputs(run_id, [DatasetInput(fitted, [_context("training")])])


def taken_events(night: Night, ingest: IngestManifest) -> Dataset:
    """Return the events that a night took from the log.

    Its digest follows the content of the log's files and of what was taken from them, not when
    they were written.
    """
    content = {
        "log": {file.path: file.sha256 for file in ingest.log_files},
        "taken": {file.path: file.sha256 for file in ingest.files},
    }
    return _dataset(
        f"interactions-{night.run_date}", digest(content), night.step("ingest"),
        log_files=len(ingest.log_files), rows=ingest.rows, accepted=ingest.accepted,
        quarantined=sum(ingest.quarantined.values()), late_rows=ingest.late_rows,
    )  # fmt: skip


def held_out_data(night: Night, matrices: MatrixManifest) -> Dataset:
    """Return the held-out interactions that all models are judged on."""
    cut = {"evaluation": night.config.evaluation.model_dump(), "seed": night.config.seed}
    return _dataset(
        f"holdout-{night.run_date}", digest(cut | {"matrices": content_digest(matrices)}),
        night.step("matrices"), users=matrices.n_heldout_users,
        users_without_target=matrices.n_users_without_target, items=matrices.n_items,
        first_day=str(matrices.cut),
    )  # fmt: skip


def _dataset(name: str, whole_digest: str, place: Path, **profile: int | str) -> Dataset:
    return Dataset(
        name=name,
        digest=whole_digest[:_DIGEST_SIZE],
        source_type="local",
        source=json.dumps({"uri": str(place)}),
        profile=json.dumps(profile),
    )


def _context(value: str) -> InputTag:
    return InputTag(MLFLOW_DATASET_CONTEXT, value)
