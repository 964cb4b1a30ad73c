"""Old nights keep their manifests and accepted rows, and lose what can be made again."""

from datetime import date

from data_contracts.config import HistoryConfig, NightlyConfig
from tasks.housekeeping import drop_old_state
from tasks.lake import Night, night_folder

DAYS = [date(2026, 9, day) for day in (26, 27, 28, 29)]


def test_only_what_can_be_made_again_of_old_nights_goes(tmp_path):
    """Tonight and the night before stay whole, a later night is not touched."""
    files = ("ingest/shard-000.parquet", "history/shard-000.parquet", "matrices/shard-000/full.npy")
    for day in DAYS:
        for file in (*files, "history/manifest.json"):
            path = night_folder(tmp_path, day) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    night = Night(config=NightlyConfig(lake=str(tmp_path)), run_date=date(2026, 9, 28))
    assert drop_old_state(night) == 2
    left = {day: sorted(p.name for p in night_folder(tmp_path, day).rglob("*.*")) for day in DAYS}
    whole = ["full.npy", "manifest.json", "shard-000.parquet", "shard-000.parquet"]
    assert left[DAYS[0]] == ["manifest.json", "shard-000.parquet"]
    assert left[DAYS[1]] == left[DAYS[2]] == left[DAYS[3]] == whole
    assert drop_old_state(night) == 0


def test_events_go_when_no_night_of_the_window_could_ask_for_them(tmp_path):
    """After twice the window; the manifest still tells which files were read."""
    for day in DAYS:
        for name in ("manifest.json", "shard-000.parquet"):
            path = night_folder(tmp_path, day) / "ingest" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    config = NightlyConfig(lake=str(tmp_path), history=HistoryConfig(window_days=1))
    assert drop_old_state(Night(config=config, run_date=DAYS[2])) == 0
    assert drop_old_state(Night(config=config, run_date=DAYS[3])) == 1
    left = [path.name for path in (night_folder(tmp_path, DAYS[0]) / "ingest").iterdir()]
    assert left == ["manifest.json"]
