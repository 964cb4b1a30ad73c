"""The command that brings foreign files into the log."""

import zoneinfo
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from data_contracts.config import NightlyConfig, load_config
from data_contracts.errors import ConfigError
from data_contracts.id_type import IdType
from data_contracts.import_source import LogFormat, LogSource
from flows import display_import
from flows.flag import DEFAULT_CONFIG, Config, Day, Json, run_date

Kind = Literal["csv", "jsonl", "movielens", "goodbooks", "amazon", "gowalla", "recsys15"]
Column = Annotated[str | None, Parameter(help="column; by default called as in the log")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How a file of one's own is written; data sets know it themselves."""

    user_id: Column = None
    item_id: Column = None
    timestamp: Column = None
    event_column: Annotated[str | None, Parameter(help="column with the event type")] = None
    time: Annotated[
        str, Parameter(help="iso, s, ms, us, ns, or a pattern of strptime such as %d.%m.%Y")
    ] = "iso"
    time_zone: Annotated[str, Parameter(help="of times without one; by default the log's")] = ""
    user_ids: Annotated[IdType, Parameter(help="type in the log")] = "string"
    item_ids: Annotated[IdType, Parameter(help="type in the log")] = "string"
    keep: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="another column to keep, as text"),
    ] = ()
    number: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="another column to keep, as number"),
    ] = ()
    separator: Annotated[str, Parameter(help="between the fields of a CSV, or: tab")] = ","


def import_log(
    kind: Annotated[Kind, Parameter(help="layout of a file of your own, or a public data set")],
    path: Annotated[Path, Parameter(help="file (also .gz), or folder of a data set")],
    *,
    file: FileOptions | None = None,
    event_type: Annotated[str | None, Parameter(help="of all events, without a column")] = None,
    day: Annotated[
        Day, Parameter(name="--date", help="of all events, if they have no times")
    ] = None,
    name: Annotated[str | None, Parameter(help="in the names of the log's files")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Bring a CSV, JSON lines or a public data set into the log, one Parquet file per day.

    Rows that cannot be placed go to imports/NAME/refused.parquet with row and reason; columns
    that are not kept are named. A stopped import is simply repeated; no file is overwritten.

    Example: hoarfrost import csv clicks.csv.gz --user-id visitor --time ms --config shop.toml
    """
    from tasks.importing.import_dataset import import_dataset, log_name
    from tasks.importing.importing import import_files

    loaded, of_all = load_config(config), day.date() if day else None
    today = run_date(None, loaded) + timedelta(days=1)
    if kind in ("csv", "jsonl"):
        form = _format(loaded, "csv" if kind == "csv" else "jsonl", file or FileOptions(),
                       event_type, of_all)  # fmt: skip
        source = LogSource(
            name=log_name(name or path.name), path=str(path), format=form, day=of_all
        )
        result = import_files(loaded, [source], today=today)
    elif file is not None:
        raise ConfigError(f"options of columns must be left out for {kind}: its layout is known")
    else:
        result = import_dataset(
            loaded, kind, path, today=today, event_type=event_type, day=of_all, name=name
        )
    display_import.imported(result, as_json=json)


def _format(
    config: NightlyConfig,
    layout: Literal["csv", "jsonl"],
    file: FileOptions,
    event_type: str | None,
    day: date | None,
) -> LogFormat:
    log = config.interactions
    separator = "\t" if file.separator == "tab" else file.separator
    if len(separator.encode()) != 1:
        raise ConfigError(f"--separator must be one plain character or tab, got {separator!r}")
    if file.time_zone and file.time_zone not in zoneinfo.available_timezones():
        raise ConfigError(
            f"--time-zone must be an IANA name such as Europe/Prague, got {file.time_zone}"
        )
    if day is not None and file.timestamp is not None:
        raise ConfigError("--date is for a file without times: leave it or --timestamp out")
    if event_type is not None and file.event_column is not None:
        raise ConfigError("give either --event-type or --event-column")
    columns = [*file.keep, *file.number]
    if len(set(columns)) < len(columns):
        raise ConfigError(f"a column must be kept once, got {', '.join(columns)}")
    event_column = file.event_column or log.columns.event_type
    return LogFormat(
        layout=layout,
        separator=separator,
        user_id=file.user_id or log.columns.user_id,
        item_id=file.item_id or log.columns.item_id,
        timestamp="" if day else file.timestamp or log.columns.timestamp,
        time=file.time,
        time_zone=file.time_zone,
        event_column="" if event_type else event_column,
        event_type=event_type or log.default_event_type,
        user_ids=file.user_ids,
        item_ids=file.item_ids,
        keep=dict.fromkeys(file.keep, "text") | dict.fromkeys(file.number, "number"),
    )
