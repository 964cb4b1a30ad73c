"""The people a lake has forgotten, known by keyed hashes only: enough to refuse them, not to name.

``state/forgotten`` holds a key made once and one hash per person, both readable by their owner
alone. Who has both can still ask whether somebody whose id they know is on the list; nobody can
read ids off it.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from data_contracts.errors import ContractViolationError, HoarfrostError
from data_contracts.forgetting import Unfinished
from tasks.files import sync
from tasks.private_file import write_private

_KEY_BYTES, _HASH_BYTES = 32, 16
_WORDS = (r"[^\s,;|\"'{}\[\]()<>=&]+", r"[^\s,;|\"'{}\[\]()<>=&:/]+")  # an id may hold : and /


@dataclass(frozen=True)
class Forgotten:
    """Hashes of people, and the key they were made with; false where there is nobody."""

    hashes: frozenset[str]
    key: bytes = field(repr=False)

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def hash_of(self, user_id: str | int) -> str:
        """Return the keyed hash that stands for an id, 32 hex digits."""
        text = str(user_id).encode()
        return hashlib.blake2b(text, key=self.key, digest_size=_HASH_BYTES).hexdigest()

    def mask(self, user_ids: pl.Series) -> pl.Series:
        """Return for every id whether its person is forgotten, false for null.

        Args:
            user_ids: strings or integers; the integer 7 and the text "7" are one person.
        """
        if not self:
            return pl.repeat(value=False, n=len(user_ids), eager=True)
        ids = user_ids.drop_nulls().unique()
        texts = ids.cast(pl.String).to_list()
        hits = [self.hash_of(text) in self.hashes for text in texts]
        return user_ids.is_in(ids.filter(pl.Series(hits, dtype=pl.Boolean)).implode()).fill_null(
            value=False
        )

    def mask_words(self, texts: pl.Series) -> pl.Series:
        """Return for every text whether it, or a word of it, is the id of somebody forgotten."""
        distinct = texts.drop_nulls().unique().alias("text")
        hit = self.mask(distinct)
        for pattern in _WORDS:
            words = distinct.str.extract_all(pattern)
            row = pl.int_range(len(distinct), eager=True).repeat_by(words.list.len()).explode()
            named = row.drop_nulls().filter(self.mask(words.explode().drop_nulls()))
            hit |= pl.int_range(len(distinct), eager=True).is_in(named.implode())
        return texts.is_in(distinct.filter(hit).implode()).fill_null(value=False)


NOBODY = Forgotten(frozenset(), b"")


def forgotten(lake: Path) -> Forgotten:
    """Return whom a night must refuse; nobody, at the cost of one look, where none is listed.

    Raises:
        HoarfrostError: a forgetting was cut short, so the state may still hold some of them.
        ContractViolationError: the list lies there without its key, or is damaged.
    """
    if not folder_of(lake).is_dir():
        return NOBODY
    refuse_half_forgotten(lake)
    return read_list(lake)


def refuse_half_forgotten(lake: Path) -> None:
    """Raise HoarfrostError if a forgetting was cut short: the state may still hold some people."""
    if unfinished(lake) is not None:
        raise HoarfrostError(
            f"people are being forgotten in {lake} and that was cut short: run the same "
            "'hoarfrost forget' again, then the night"
        )


def folder_of(lake: Path) -> Path:
    """Where key and hashes lie."""
    return lake / "state" / "forgotten"


def read_list(lake: Path) -> Forgotten:
    """Return the list, whether or not everything is clean.

    Raises:
        ContractViolationError: the list lies there without its key, or is damaged.
    """
    hashes, key = folder_of(lake) / "hashes.txt", folder_of(lake) / "key"
    if not hashes.exists():
        return NOBODY
    lines = hashes.read_text(encoding="ascii").split()
    made = _read_key(key)
    if made is None or any(len(line) != 2 * _HASH_BYTES for line in lines):
        raise ContractViolationError(
            f"{folder_of(lake)} must hold the key and the whole list made with it, got one "
            "without the other: restore both from a copy, else nobody on it is refused"
        )
    return Forgotten(frozenset(lines), made)


def with_people(lake: Path, user_ids: Iterable[str]) -> Forgotten:
    """Return the list with more people on it; the key is made where there is none. Not written."""
    known = read_list(lake)
    key = known.key or _read_key(folder_of(lake) / "key") or _make_key(folder_of(lake) / "key")
    new = Forgotten(known.hashes, key)
    return Forgotten(known.hashes | {new.hash_of(user_id) for user_id in user_ids}, key)


def write_list(lake: Path, people: Forgotten) -> None:
    """Replace the list; the order of its lines tells nothing."""
    write_private(folder_of(lake) / "hashes.txt", "".join(f"{h}\n" for h in sorted(people.hashes)))


def list_digest(people: Forgotten) -> str:
    """Return what stands for the whole list."""
    return hashlib.sha256("\n".join(sorted(people.hashes)).encode()).hexdigest()


def unfinished(lake: Path) -> Unfinished | None:
    """Return the forgetting that was cut short, if one was."""
    try:
        return Unfinished.model_validate_json(_mark(lake).read_bytes())
    except FileNotFoundError:
        return None


def begin(lake: Path, mark: Unfinished) -> None:
    """Note a forgetting under way: from now on no night starts until it is finished."""
    write_private(_mark(lake), mark.model_dump_json() + "\n")


def finish(lake: Path) -> None:
    """Note that every copy is clean."""
    _mark(lake).unlink(missing_ok=True)
    sync(folder_of(lake))


def _mark(lake: Path) -> Path:
    return folder_of(lake) / "unfinished.json"


def _read_key(path: Path) -> bytes | None:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return key if len(key) == _KEY_BYTES else None


def _make_key(path: Path) -> bytes:
    key = secrets.token_bytes(_KEY_BYTES)
    write_private(path, key.hex())
    return key
