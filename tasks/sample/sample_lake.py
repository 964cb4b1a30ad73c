"""Write a sample lake: the log of a made-up shop with planted faults, and a configuration."""

import logging
import shutil
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from data_contracts.config import EVENT_WEIGHTS, NightlyConfig
from data_contracts.config_text import config_text
from data_contracts.errors import ConfigError
from data_contracts.sample import SampleLake
from models.shop.shop import open_shop
from tasks.files import empty_folder, replace_folder, write_text
from tasks.sample.sample_log import FIRST_DAY, plan_faults, write_items, write_log

logger = logging.getLogger(__name__)
MARKER, CONFIG, STAGING = "sample_lake.json", "hoarfrost.toml", ".sample"
FOLDERS = ("interactions", "items")
_EVENTS_PER_USER_DAY = 1.5  # roughly


def write_sample_lake(
    lake: Path, *, seed: int, n_users: int = 5000, n_items: int = 2000, n_days: int = 30
) -> SampleLake:
    """Return what the sample lake holds, having written it if it was not there.

    The same arguments give the same files, byte for byte. A lake that holds this sample is
    left as it is, with all that nights have added; one that a kill left half-written is
    written again.

    Args:
        lake: a folder that is empty, absent, or holds this very sample.
        seed: decides everything.
        n_users: customers of the shop, at least 10.
        n_items: items of the shop, at least 20.
        n_days: days of the log, at least 5.

    Raises:
        ConfigError: the folder holds something else; nothing is touched.
        ValueError: the shop would be too small.
    """
    arguments = {"seed": seed, "n_users": n_users, "n_items": n_items, "n_days": n_days}
    known = _read_marker(lake)
    if known is not None:
        _refuse_other_sample(lake, known, arguments)
        shutil.rmtree(lake / STAGING, ignore_errors=True)
        return known
    _refuse_foreign(lake)
    sample = _write(lake, empty_folder(lake / STAGING), arguments)
    logger.info(
        "sample: %d rows of %d days in %s, %d faults", sample.rows, n_days, lake, len(sample.faults)
    )
    return sample


def _write(lake: Path, staging: Path, arguments: dict[str, int]) -> SampleLake:
    shop = open_shop(**arguments)
    seed, n_users, n_days = (arguments[name] for name in ("seed", "n_users", "n_days"))
    plan = plan_faults(n_days, round(_EVENTS_PER_USER_DAY * n_users * n_days))
    log = write_log(staging / "interactions", shop, plan, seed=seed)
    write_items(staging / "items" / "items.parquet", shop)
    for folder in FOLDERS:
        replace_folder(staging / folder, lake / folder)
    config = NightlyConfig(lake=".", events=EVENT_WEIGHTS | {"search_click": 0.0})
    write_text(lake / CONFIG, config_text(config))
    sample = SampleLake(
        **arguments,
        first_day=FIRST_DAY,
        last_day=FIRST_DAY + timedelta(days=n_days - 1),
        run_date=FIRST_DAY + timedelta(days=plan.run_day),
        rows=log.rows,
        late_file=f"interactions/date={FIRST_DAY + timedelta(days=plan.late_to)}/late.parquet",
        late_rows=log.late_rows,
        faults=tuple(log.faults),
    )
    write_text(lake / MARKER, sample.model_dump_json() + "\n")  # last: now the sample is whole
    shutil.rmtree(staging)
    return sample


def _read_marker(lake: Path) -> SampleLake | None:
    path = lake / MARKER
    try:
        return SampleLake.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        raise ConfigError(
            f"{path} must describe a sample lake of this version: name another folder, or remove "
            "this one"
        ) from error


def _refuse_other_sample(lake: Path, known: SampleLake, arguments: dict[str, int]) -> None:
    got = {name: getattr(known, name) for name in arguments}
    if got != arguments:
        raise ConfigError(
            f"{lake} must hold the sample of {arguments}, got that of {got}: name another folder, "
            "or remove this one"
        )


def _refuse_foreign(lake: Path) -> None:
    if lake.exists() and not lake.is_dir():
        raise ConfigError(f"{lake} must be a folder, got a file: name another one")
    found = {path.name for path in lake.iterdir()} if lake.exists() else set()
    ours = {STAGING, CONFIG, f".{CONFIG}.new", f".{MARKER}.new", *FOLDERS}
    foreign = found - ours if STAGING in found else found  # staging: ours, cut short
    if foreign:
        raise ConfigError(
            f"{lake} must be empty for a sample lake, got {', '.join(sorted(foreign)[:5])}: name "
            "another folder"
        )
