"""Find the files of a public data set in a folder, and which layout they have."""

import fnmatch
import re
from datetime import date
from pathlib import Path

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError
from data_contracts.import_dataset import DATASETS, Variant
from data_contracts.import_source import CatalogueFormat, ImportResult, LogFormat, LogSource
from tasks.importing.import_reading import file_columns
from tasks.importing.importing import CatalogueSource, import_files

_CATALOGUE = "meta_"  # begins the names of some files of items, which no pattern of events excludes


def import_dataset(
    config: NightlyConfig,
    dataset: str,
    path: Path,
    *,
    today: date,
    event_type: str | None = None,
    day: date | None = None,
    name: str | None = None,
) -> ImportResult:
    """Bring a public data set into log and catalogue, from the user's own copy.

    Args:
        config: of the lake.
        dataset: one of data_contracts.import_dataset.DATASETS.
        path: folder of the files; or one file of events, which comes without a catalogue.
        today: last day that is taken.
        event_type: in place of the data set's own, where all its events are of one kind.
        day: of all events of a data set without times.
        name: in place of the data set's, in the names of files.

    Raises:
        ConfigError: no file there has a layout of the data set.
        ContractViolationError: see import_files.
    """
    known = DATASETS[dataset]
    for variant in known.variants:
        logs = _logs(variant, path)
        if logs:
            break
    else:
        shapes = "; ".join(", ".join(variant.logs) for variant in known.variants)
        raise ConfigError(
            f"{path} must hold {known.title} as it is published ({shapes}), got no such file with "
            f"such columns: unpack the archive and name its folder; see {known.source}"
        )
    kinds = {form.event_type for _, form in logs}
    if event_type is not None and len(kinds) > 1:
        raise ConfigError(
            f"--event-type must be left out for events of several kinds, got {event_type}: the "
            f"files tell {', '.join(sorted(kinds))} apart"
        )
    changed = {} if event_type is None else {"event_type": event_type}
    prefix = log_name(name or dataset)
    sources = [
        LogSource(
            name=f"{prefix}-{log_name(file.name)}", path=str(file), day=day,
            format=form.model_copy(update=changed),
        )
        for file, form in logs
    ]  # fmt: skip
    return import_files(config, sources, _catalogue(variant, path, prefix), today=today)


def log_name(file: str) -> str:
    """Return a file's name without its endings, fit for a part of other names."""
    plain = re.sub(r"(\.(csv|tsv|txt|dat|data|jsonl?|ndjson|gz|bz2|zst|lz4))+$", "", file)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", plain).lstrip(".") or "log"


def _logs(variant: Variant, path: Path) -> list[tuple[Path, LogFormat]]:
    found = []
    for pattern, form in variant.logs.items():
        for file in _files(path, pattern):
            if file.name.startswith(_CATALOGUE) or not _fits(file, form):
                continue
            found.append((file, form))
    return found


def _catalogue(variant: Variant, path: Path, name: str) -> CatalogueSource | None:
    if path.is_file():
        return None
    for pattern, form in variant.catalogues:
        for file in _files(path, pattern):
            if _fits(file, form):
                return CatalogueSource(name, file, form)
    return None


def _files(path: Path, pattern: str) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.glob("*"))
    plain = ((file, re.sub(r"\.(gz|bz2|zst|lz4)$", "", file.name)) for file in files)
    return [file for file, name in plain if fnmatch.fnmatchcase(name, pattern) and file.is_file()]


def _fits(file: Path, form: LogFormat | CatalogueFormat) -> bool:
    wanted = (
        form.columns() if isinstance(form, LogFormat) or form.layout == "csv" else [form.item_id]
    )
    return set(wanted) <= set(file_columns(file, form))
