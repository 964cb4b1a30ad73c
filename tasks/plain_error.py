"""Errors of libraries without the values they quote: among them may be ids of people.

Polars, Arrow, Pandera, Pydantic and DuckDB show the values that they could not take. Their
messages get into logs, into the states that Prefect keeps and onto standard error.
"""

import functools
import re
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from data_contracts.errors import HoarfrostError

P = ParamSpec("P")
R = TypeVar("R")
_HIDDEN = "<not shown>"
_NAMES = (  # of errors that speak of columns and types only
    "ColumnNotFoundError", "DuplicateError", "SchemaFieldNotFoundError", "StructFieldNotFoundError",
    "ImportError", "ModuleNotFoundError", "AttributeError", "NameError",
)  # fmt: skip
_WHOLE = ("SchemaErrors", "SchemaError", "ValidationError")  # of Pandera and Pydantic: all values
_NAMED = r"(?P<named>\b(?:(?:column|field|dtype|type|name)s?:? |col\())"
_PATTERNS = (
    (re.compile(r"(?P<kept>(?:values|got \d+)): .*", re.DOTALL), rf"\g<kept>: {_HIDDEN}"),
    (re.compile(rf"{_NAMED}?(?<!\w)(['\"`])(?P<text>.*?)\2(?!\w)", re.DOTALL), None),
    (re.compile(r"(?<![\w.])-?\d{5,}(?![\w.])"), _HIDDEN),
)
_TYPES = re.compile(
    r"(?:str|bool|null|date|binary|cat|enum|[iu](?:8|16|32|64|128)|f(?:32|64)|large_string|"
    r"(?:list|struct|array|datetime|duration|decimal)\b.*)",
    re.DOTALL,
)


def without_values(text: str) -> str:
    """Return the message of a library without what it quotes, but for names of columns and types.

    Long numbers go too: an id may be one.
    """
    for pattern, shown in _PATTERNS:
        text = pattern.sub(_unquoted if shown is None else shown, text)
    return text


def told(error: Exception) -> str:
    """Return what a sentence of ours may tell of a library's error; paths are told."""
    return str(error) if isinstance(error, OSError) else without_values(str(error))


def hide_values(error: Exception) -> Exception:
    """Return an error that quotes no value, with its kind and traceback, and all that led to it.

    Our own errors and those of the disk stay as they are. One whose message cannot be changed is
    stood in for by a RuntimeError that names its kind.
    """
    for link in _chain(error):
        link.__cause__, suppressed = _hidden(link.__cause__), link.__suppress_context__
        link.__context__, link.__suppress_context__ = _hidden(link.__context__), suppressed
    hidden = _hidden(error)
    return hidden if isinstance(hidden, Exception) else error


def values_hidden(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, whose errors now quote no value (see hide_values)."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            hidden = hide_values(error)
            if hidden is error:
                raise
            raise hidden from hidden.__cause__

    return called


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all errors behind it, each once."""
    waiting, met = [error], set()
    while waiting:
        link = waiting.pop()
        if id(link) not in met:
            met.add(id(link))
            yield link
            waiting += [each for each in (link.__cause__, link.__context__) if each is not None]


def _hidden(error: BaseException | None) -> BaseException | None:
    if error is None or isinstance(error, HoarfrostError | OSError):
        return error
    kind = type(error).__name__
    if kind in _NAMES:
        return error
    words = without_values(str(error))
    if kind in _WHOLE or isinstance(error, KeyError):
        words = _HIDDEN
    if str(error) == words:
        return error
    error.args = (words,)
    if str(error) in (words, repr(words)):  # a KeyError adds quotes
        return error
    stand_in = RuntimeError(f"{kind}: {words}").with_traceback(error.__traceback__)
    stand_in.__cause__, stand_in.__context__ = error.__cause__, error.__context__
    return stand_in


def _unquoted(found: re.Match[str]) -> str:
    named, quote, text = found["named"] or "", found[2], found["text"]
    kept = bool(named) or _TYPES.fullmatch(text)
    return f"{named}{quote}{text if kept else _HIDDEN}{quote}"
