"""The commented configuration that ``hoarfrost init`` writes, made from the models themselves."""

import json
from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel

from data_contracts.config import NightlyConfig

_HEAD = """\
# Configuration of a Hoarfrost lake. Every value below is the default: keep what you change.
# Unknown keys are refused. Secrets are written as ${NAME} and read from the environment.
"""


def config_text(config: NightlyConfig | None = None) -> str:
    """Return a TOML file with every key, its meaning and its value."""
    return _HEAD + "\n".join(_section(config or NightlyConfig(), ())) + "\n"


def _section(model: BaseModel, path: tuple[str, ...]) -> Iterator[str]:
    if path:
        yield f"\n# {(type(model).__doc__ or '').splitlines()[0]}\n[{'.'.join(path)}]"
    fields = type(model).model_fields
    values = {name: getattr(model, name) for name in fields}
    for name, value in values.items():
        if not isinstance(value, BaseModel | dict):
            yield _line(name, value, fields[name].description)
    for name, value in values.items():
        if isinstance(value, dict):
            yield f"\n# {fields[name].description}\n[{'.'.join((*path, name))}]"
            yield from (_line(key, weight, None) for key, weight in value.items())
        elif isinstance(value, BaseModel):
            yield from _section(value, (*path, name))


def _line(name: str, value: object, description: str | None) -> str:
    comment = f"  # {description}" if description else ""
    if value is None:
        return f"# {name} ={comment}"
    text = value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)
    return f"{name} = {text}{comment}"
