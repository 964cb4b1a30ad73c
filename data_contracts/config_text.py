"""The commented configuration that ``hoarfrost init`` writes, made from the models themselves."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel

from data_contracts.config import NightlyConfig
from data_contracts.model_config import model_kinds

_HEAD = """\
# Configuration of a Hoarfrost lake. Every value below is the default: keep what you change.
# Unknown keys are refused. Secrets are written as ${NAME} and read from the environment.
"""


def config_text(config: NightlyConfig | None = None) -> str:
    """Return a TOML file with every key, its meaning and its value."""
    return _HEAD + "\n".join(_section(config or NightlyConfig(), ())) + "\n"


def section_text(model: BaseModel, name: str) -> str:
    """Return one section of a TOML file with every key, its meaning and its value."""
    return "\n".join(_section(model, (name,))).lstrip() + "\n"


def _section(model: BaseModel, path: tuple[str, ...]) -> Iterator[str]:
    if path:
        yield f"\n# {(type(model).__doc__ or '').splitlines()[0]}\n[{'.'.join(path)}]"
    fields = type(model).model_fields
    values = {name: getattr(model, name) for name in fields}
    for name, value in values.items():
        if not isinstance(value, BaseModel | dict):
            yield _line(name, value, fields[name].description)
    if path == ("model",):
        yield from _other_kinds(values["kind"])
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _table(value, (*path, name), fields[name].description)
        elif isinstance(value, BaseModel):
            yield from _section(value, (*path, name))


def _other_kinds(kind: str) -> Iterator[str]:
    yield "# Other kinds, with keys of their own (deploy/models.md):"
    for name, each in model_kinds().items():
        if name != kind:
            keys = ", ".join(key for key in each.model_fields if key != "kind")
            yield f'# kind = "{name}"  # {keys or "no other key"}'


def _table(values: Mapping[str, Any], path: tuple[str, ...], about: str | None) -> Iterator[str]:
    if any(isinstance(value, dict) for value in values.values()):
        for key, value in values.items():
            yield from _table(value, (*path, key), about)
        return
    if any(getattr(value, "as_section", False) for value in values.values()):
        for key, value in values.items():
            yield from _section(value, (*path, key))
        return
    yield f"\n# {about}\n[{'.'.join(path)}]"
    yield from (_line(key, value, None) for key, value in values.items())


def _line(name: str, value: object, description: str | None) -> str:
    comment = f"  # {description}" if description else ""
    return f"# {name} ={comment}" if value is None else f"{name} = {_value(value)}{comment}"


def _value(value: object) -> str:
    if isinstance(value, BaseModel):
        pairs = value.model_dump(exclude_defaults=True).items()
        return f"{{ {', '.join(f'{key} = {_value(each)}' for key, each in pairs)} }}"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)
