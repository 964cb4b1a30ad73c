"""A lake of its own for replays: it reads what nights have left and writes only to itself.

It lies in ``state/replay``. Ingests of the nights are linked into it, vocabulary and ledger are
copied as they were at the night, and the matrices are built again, since those of old nights
have made room (tasks.housekeeping). The registry is only read.
"""

import shutil
from pathlib import Path

from data_contracts.bucket_pattern import in_bucket
from data_contracts.config import NightlyConfig
from data_contracts.manifests import IngestManifest, MatrixManifest
from data_contracts.model_config import ContentELSAConfig, ModelConfig
from tasks.files import make_folder, move_file, staged_path
from tasks.history.history import build_history
from tasks.history.history_part import parts_folder
from tasks.history.matrix import build_matrices
from tasks.ingest.id_codes import codes_folder
from tasks.lake import Night, night_folder, nights
from tasks.registry.ledger import ledger_path
from tasks.registry.tracking import tracking_uri
from tasks.vocabulary.vocabulary import STEP as VOCABULARY
from tasks.vocabulary.vocabulary import copy_vocabulary


def replay_lake(lake: Path) -> Path:
    """Where the replays of a lake lie."""
    return lake / "state" / "replay"


def night_apart(night: Night) -> Night:
    """Return the same night on the lake of replays, with what it needs to be judged again."""
    apart = replay_lake(night.lake)
    for day in nights(night.lake):
        ingest = night_folder(night.lake, day) / "ingest"
        if day <= night.run_date and ingest.is_dir():
            _link(ingest, night_folder(apart, day) / "ingest")
    if codes_folder(night.lake).is_dir():
        _link(codes_folder(night.lake), codes_folder(apart))
    if ledger_path(night.lake).exists():
        _copy(ledger_path(night.lake), ledger_path(apart))
    return Night(config=_config_apart(night.config, apart), run_date=night.run_date)


def rebuild_matrices(
    night: Night, apart: Night, ingest: IngestManifest, matrices: MatrixManifest
) -> MatrixManifest | None:
    """Return the manifest of the night's matrices, built again; None if they are not the same.

    Args:
        night: as it was.
        apart: the same on the lake of replays (see night_apart).
        ingest: of the night.
        matrices: what the night had.
    """
    copy_vocabulary(night.lake, apart.lake, matrices.n_items)
    again = build_matrices(apart, build_history(apart, ingest))
    return again if again.files == matrices.files else None


def drop_rebuilt(apart: Night) -> None:
    """Remove what was only needed to judge a night again."""
    for step in ("history", VOCABULARY, "matrices", "train", "judge"):
        shutil.rmtree(apart.step(step), ignore_errors=True)
    shutil.rmtree(parts_folder(apart.lake), ignore_errors=True)


def model_apart(model: ModelConfig, lake: Path) -> ModelConfig:
    """Return a model whose vectors of items are those of the lake that is replayed."""
    if not isinstance(model, ContentELSAConfig) or not model.embeddings:
        return model
    if in_bucket(model.embeddings):
        return model
    return model.model_copy(update={"embeddings": str(lake / model.embeddings)})


def _config_apart(config: NightlyConfig, apart: Path) -> NightlyConfig:
    mlflow, items = config.mlflow, config.items
    if mlflow.tracking_uri is None:
        mlflow = mlflow.model_copy(update={"tracking_uri": tracking_uri(config)})
    if not in_bucket(items.files):
        items = items.model_copy(update={"files": str(Path(config.lake) / items.files)})
    return config.model_copy(update={"lake": str(apart), "mlflow": mlflow, "items": items})


def _link(source: Path, link: Path) -> None:
    if not link.is_symlink():
        make_folder(link.parent)
        link.symlink_to(source.resolve())


def _copy(source: Path, target: Path) -> None:
    make_folder(target.parent)
    staged = staged_path(target)
    shutil.copyfile(source, staged)
    move_file(staged, target)
