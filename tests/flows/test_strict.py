"""``--strict``: exit code 5 when the gate rejects, and only then; tables are published anyway."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from data_contracts.errors import GateRejectedError
from flows.nightly import nightly
from tasks.snapshot.snapshot import latest_snapshot
from tests.tiny_night import tiny_shop

NOTHING_LEARNT = {"n_epochs": 1, "learning_rate": 1e-9, "n_neighbours": 0}


@pytest.fixture
def shop(tmp_path, prefect_api, migrated_mlflow):
    """A lake with a champion, and the day after it."""
    first, _ = tiny_shop(tmp_path)
    (tmp_path / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, tmp_path / "mlflow" / "mlflow.db")
    config = with_values(first.config, "gate", min_users=2)
    assert nightly(config, first.run_date, strict=True).champion_version == "1"
    return config, first.run_date + timedelta(days=1)


def with_values(config, section, **values):
    """A configuration with other values in one section."""
    changed = getattr(config, section).model_copy(update=values)
    return config.model_copy(update={section: changed})


@pytest.mark.slow
def test_strict_run_fails_for_a_rejection_alone(shop):
    """A night that is held or cannot be judged did what it should: there are fresh tables."""
    good, day = shop
    lake = Path(good.lake)
    bad = with_values(good, "model", **NOTHING_LEARNT)
    with pytest.raises(GateRejectedError, match="the challenger was rejected: ndcg@100") as caught:
        nightly(bad, day, strict=True)
    assert caught.value.exit_code == 5
    shown = latest_snapshot(lake)[1]
    assert (shown.run_date, shown.model_version) == (day, "1")
    assert nightly(bad, day, strict=False).verdict == "reject"
    few = with_values(bad, "gate", min_users=100_000)
    assert nightly(few, day, strict=True).verdict == "cannot judge"
    held = with_values(good, "gate", margin=9.0, max_list_change=0.0)
    assert nightly(held, day, strict=True).verdict == "hold"
    assert latest_snapshot(lake)[1].model_version == "1"
