"""The command about items: how many there are, and how they are brought back when they are lost."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from data_contracts.config import load_config
from data_contracts.errors import ConfigError
from flows.display import OUT, print_json
from flows.flag import DEFAULT_CONFIG, Config, Json


def vocabulary(
    *,
    restore: Annotated[
        bool, Parameter(negative="", help="write it anew from a registered version")
    ] = False,
    version: Annotated[
        str | None, Parameter(help="with --restore: which; by default the newest")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Check the items of a lake against its last night; bring them back when they were lost.

    Example: hoarfrost vocabulary --restore
    """
    from tasks.vocabulary.vocabulary_restore import restore_vocabulary, vocabulary_status

    loaded = load_config(config)
    if version is not None and not restore:
        raise ConfigError("--version is for --restore: give both, or neither")
    lake = Path(loaded.lake)
    found = restore_vocabulary(loaded, version) if restore else vocabulary_status(lake)
    if json:
        print_json(found)
        return
    OUT.print(f"{found.items:,} items, {found.retired:,} of them retired; the ids are the same.")
