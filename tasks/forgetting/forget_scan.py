"""The proof: look into every file of a lake for forgotten people.

Tables are read value by value, by the keyed hashes, so that everybody ever forgotten is looked
for. Everything else is read byte by byte for the ids themselves, where they are known.
"""

import html
import json
import logging
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.forgetting import Proof
from tasks.forgetting.forget_codes import holds_codes, n_nameless
from tasks.forgetting.forget_parquet import Sought, count_hits
from tasks.forgetting.forget_reports import page_users
from tasks.progress import track
from tasks.report.reporting import PAGE

logger = logging.getLogger(__name__)
OURS = ("state", "snapshots", "quarantine", "imports", "mlflow")
_REFUSED = ("quarantine", "imports")
_SHORTEST = 5  # letters of an id that is looked for anywhere
_BLOCK = 2**24  # bytes read at once
_INSIDE = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


class _Words(NamedTuple):
    """Bytes to look for, as latin-1 texts."""

    anywhere: list[str]  # as whole words
    marked: list[str]  # with what stands around a user's id in our texts


def prove(lake: Path, wanted: Sought, ids: Collection[str], *, are_numbers: bool) -> Proof:
    """Look into every file; links are not followed.

    Args:
        lake: its root.
        wanted: everybody forgotten.
        ids: those whose ids are known.
        are_numbers: the lake's ids are integers, which stand for many things.
    """
    words = _words(ids, are_numbers=are_numbers)
    found: list[str] = []
    yours: list[str] = []
    n_tables = n_bytes = 0
    files = list(_files(lake))
    for path in track(files, "looking into every file"):
        name = path.relative_to(lake).as_posix()
        n_bytes += path.stat().st_size
        is_table = path.suffix == ".parquet"
        n_tables += is_table
        ours = name.partition("/")[0] in OURS
        refused = name.partition("/")[0] in _REFUSED
        if (
            _table_names(path, wanted._replace(words=refused), lake)
            if is_table
            else _text_names(path, wanted, words)
        ):
            (found if ours else yours).append(name)
    return Proof(
        files=len(files), tables=n_tables, texts=len(files) - n_tables, bytes=n_bytes,
        people=len(wanted.people.hashes), ids=len(ids),
        ids_too_short=sum(are_numbers or len(each) < _SHORTEST for each in ids),
        found=tuple(sorted(found)), yours=tuple(sorted(yours)),
    )  # fmt: skip


def _files(lake: Path) -> Iterator[Path]:
    for place, _, names in os.walk(lake):
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _table_names(path: Path, wanted: Sought, lake: Path) -> bool:
    try:
        if holds_codes(path) and n_nameless(lake, path):
            return True
        return count_hits(path, wanted) > 0
    except (OSError, ValueError):  # an Arrow error is a ValueError: no Parquet, whatever its name
        return False


def _words(ids: Collection[str], *, are_numbers: bool) -> _Words:
    long = [] if are_numbers else [each for each in ids if len(each) >= _SHORTEST]
    spelt = {each: {each, html.escape(each), json.dumps(each)[1:-1]} for each in ids}
    anywhere = {form for each in long for form in spelt[each]}
    fields = {f'"user_id":{space}{each}' for each in ids for space in ("", " ")}
    fields |= {f'"user_id":{s}"{form}"' for each in ids for form in spelt[each] for s in ("", " ")}
    return _Words(*([_latin(each) for each in sorted(some)] for some in (anywhere, fields)))


def _latin(text: str) -> str:
    return text.encode().decode("latin-1")


def _text_names(path: Path, wanted: Sought, words: _Words) -> bool:
    if path.name == PAGE:
        shown = page_users(path.read_text(encoding="utf-8", errors="replace"))
        if any(wanted.people.hash_of(user) in wanted.people.hashes for user in shown):
            return True
    patterns = words.anywhere + words.marked
    if not patterns or _holds_numbers(path):
        return False
    longest, before = max(map(len, patterns)) + 2, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            content = (before or b"\0") + block
            if _names(content if file.peek(1) else content + b"\0", patterns):
                return True
            before = content[-longest:]
    return False


def _holds_numbers(path: Path) -> bool:
    """Tell whether a file is an array of numbers: no text can stand in it."""
    if path.suffix != ".npy":
        return False
    try:
        return bool(np.load(path, mmap_mode="r", allow_pickle=False).dtype.kind in "fiub")
    except (OSError, ValueError):
        return False


def _names(content: bytes, patterns: list[str]) -> bool:
    """Tell whether one of the patterns stands in the bytes as a word, not at their very ends."""
    text = pl.Series([content.decode("latin-1")])
    if not text.str.contains_any(patterns)[0]:
        return False
    for pattern in patterns:
        word, start = pattern.encode("latin-1"), -1
        while 0 <= (start := content.find(word, start + 1)) < len(content) - len(word):
            around = {content[start - 1], content[start + len(word)]}
            if start and not around & _INSIDE:
                return True
    return False
