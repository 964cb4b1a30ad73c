"""The commands about published tables: ask them, copy them, explain them."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from data_contracts.answer import Sink
from data_contracts.config import load_config
from data_contracts.errors import ConfigError
from flows import display, display_tables
from flows.flag import DEFAULT_CONFIG, Config, Json, run_date

Table = Annotated[str | None, Parameter(help="the only table to copy; by default all")]


def query(sql: str, *, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Ask the latest snapshot in SQL: views top_n, short_lists, similar_items, item_embeddings.

    Where there are any also rating_predictions, items and segments. A query writes nothing.

    Example: hoarfrost query "SELECT * FROM top_n WHERE user_id = 'u-00042' ORDER BY rank"
    """
    from tasks.answers.query import run_query
    from tasks.lake import Night

    loaded = load_config(config)
    night = Night(config=loaded, run_date=run_date(None, loaded))
    display.table(run_query(night, sql), as_json=json)


def export(
    *,
    to: Sink,
    table: Table = None,
    into: Annotated[
        str | None,
        Parameter(help="folder, file, or '${NAME}' of the variable with the URI of Postgres"),
    ] = None,
    snapshot: Annotated[str | None, Parameter(help="snapshot id; by default the latest")] = None,
    compression: Annotated[
        Literal["none", "gzip", "zstd"], Parameter(help="of CSV files")
    ] = "none",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Copy the tables to CSV, one DuckDB file, Delta tables or Postgres.

    A copy that is stopped leaves what was there before. By default it goes to the folder export
    of the lake; the URI of Postgres is read from the environment (HOARFROST_POSTGRES_URI).

    Example: hoarfrost export --to duckdb --into shop.duckdb
    """
    from tasks.export.export import export_snapshot

    lake = Path(load_config(config).lake)
    result = export_snapshot(
        lake, to, table=table, into=into, snapshot=snapshot, compression=compression
    )
    display_tables.exported(result, as_json=json)


def why(
    *,
    user: Annotated[str | None, Parameter(help="user id, as in the log")] = None,
    item: Annotated[str | None, Parameter(help="item id, as in the log")] = None,
    surface: Annotated[str | None, Parameter(help="with --user: the only list to show")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Tell why a user sees what they see, or where an item is shown.

    Example: hoarfrost why --user u-00042 --surface home
    """
    from tasks.answers.why import why_item, why_user
    from tasks.lake import Night

    if (user is None) == (item is None):
        raise ConfigError("give either --user or --item")
    if item is not None and surface is not None:
        raise ConfigError("--surface is for --user: leave it out with --item")
    loaded = load_config(config)
    night = Night(config=loaded, run_date=run_date(None, loaded))
    if user is not None:
        display_tables.user_story(why_user(night, user, surface), as_json=json)
    elif item is not None:
        display_tables.item_story(why_item(night, item), as_json=json)
