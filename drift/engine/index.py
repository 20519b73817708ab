"""The index of a snapshot: which resources there were, with which configuration, and in which packs that is.

It is all that a scan needs of the state before: six digests a resource, as plain bytes. Documents are loaded only for
what these digests show to differ.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from typing import NamedTuple

import msgspec

from drift.engine.model import ResourceKey
from drift.engine.recognition import UNKNOWN, WIDTH
from errors import Corrupt

_FORMAT = 4
_EARLIER = (2, 3)  # the formats before, which are still read: without the columns that came later
_ONE, _HUNDRED = struct.Struct(f"{WIDTH}s"), struct.Struct(f"{WIDTH}s" * 100)


class Stamp(msgspec.Struct, frozen=True):
    """How the documents were read. What was read differently is re-read, never compared."""

    source: str
    normaliser_version: int
    api_versions: dict[str, str] = {}  # by resource type, where the source has them


class PackRef(NamedTuple):
    """A pack and the place of its last document in the order of all (`packing.place_of`)."""

    name: str
    last_type: str
    last_key: ResourceKey


class Entry(NamedTuple):
    key: bytes
    digest: bytes  # of the canonical form
    raw: bytes  # of the bytes as last read
    pack: int
    trimmed: bytes = UNKNOWN  # of these bytes without bookkeeping, where that is all that goes
    collated: bytes = UNKNOWN  # of the same with members sorted (`recognition`)
    arranged: bytes = UNKNOWN  # and with items sorted


class Delta(NamedTuple):
    added: tuple[bytes, ...]
    removed: tuple[bytes, ...]
    modified: tuple[bytes, ...]


class _Stored(msgspec.Struct, array_like=True):
    version: int
    stamp: Stamp
    packs: list[PackRef]
    keys: bytes
    digests: bytes
    raws: bytes
    numbers: bytes
    trims: bytes
    arranged: bytes = b""
    collated: bytes = b""


@dataclass(frozen=True, slots=True)
class SnapshotIndex:
    """Entries in columns, sorted by key. Immutable; the lookup by raw digest is built by who needs it."""

    stamp: Stamp
    packs: tuple[PackRef, ...]
    keys: bytes
    digests: bytes
    raws: bytes
    numbers: bytes  # of packs, 4 bytes each
    trims: bytes
    collated: bytes
    arranged: bytes
    snapshot_id: str = field(init=False)
    _heads: array[int] = field(
        init=False, repr=False, compare=False
    )  # of keys, 8 bytes each as a number

    def __post_init__(self) -> None:
        content = hashlib.sha256(self.keys)
        content.update(self.digests)
        object.__setattr__(self, "snapshot_id", content.hexdigest()[:32])
        heads = array("Q", self.keys)
        if sys.byteorder == "little":  # keys are compared as bytes, the first byte first
            heads.byteswap()
        object.__setattr__(self, "_heads", heads[::2])

    @classmethod
    def build(
        cls, stamp: Stamp, packs: Iterable[PackRef], entries: Iterable[Entry]
    ) -> SnapshotIndex:
        """The index of entries in any order. Each key comes once."""
        ordered = sorted(entries)
        return cls(
            stamp,
            tuple(packs),
            b"".join(entry.key for entry in ordered),
            b"".join(entry.digest for entry in ordered),
            b"".join(entry.raw for entry in ordered),
            _write_numbers(entry.pack for entry in ordered),
            b"".join(entry.trimmed for entry in ordered),
            b"".join(entry.collated for entry in ordered),
            b"".join(entry.arranged for entry in ordered),
        )

    def __len__(self) -> int:
        return len(self.keys) // WIDTH

    def __contains__(self, key: bytes) -> bool:
        return self.position_of(key) is not None

    def entries(self) -> Iterator[Entry]:
        for position, pack in enumerate(_read_numbers(self.numbers)):
            yield self._entry(position, pack)

    def entry_at(self, position: int) -> Entry:
        (pack,) = _read_numbers(self.numbers[position * 4 : position * 4 + 4])
        return self._entry(position, pack)

    def _entry(self, position: int, pack: int) -> Entry:
        cell = slice(position * WIDTH, (position + 1) * WIDTH)
        return Entry(
            self.keys[cell],
            self.digests[cell],
            self.raws[cell],
            pack,
            self.trims[cell],
            self.collated[cell],
            self.arranged[cell],
        )

    def key_at(self, position: int) -> bytes:
        return self.keys[position * WIDTH : (position + 1) * WIDTH]

    def digest_at(self, position: int) -> bytes:
        return self.digests[position * WIDTH : (position + 1) * WIDTH]

    def orders_at(self, position: int) -> tuple[bytes, bytes]:
        """The collated and the arranged digest."""
        cell = slice(position * WIDTH, (position + 1) * WIDTH)
        return self.collated[cell], self.arranged[cell]

    def position_of(self, key: bytes) -> int | None:
        """Searches the heads; it is asked for what changed only, so a dict of all keys would not pay."""
        position = bisect_left(self._heads, int.from_bytes(key[:8], "big"))
        while position < len(self) and (found := self.key_at(position)) <= key:
            if found == key:
                return position
            position += 1
        return None

    def digest_of(self, key: bytes) -> bytes | None:
        position = self.position_of(key)
        return None if position is None else self.digest_at(position)

    def pack_of(self, key: bytes) -> str | None:
        """The name of the pack that holds the document."""
        number = self.number_of(key)
        return None if number is None else self.packs[number].name

    def number_of(self, key: bytes) -> int | None:
        position = self.position_of(key)
        if position is None:
            return None
        return int.from_bytes(self.numbers[position * 4 : position * 4 + 4], "little")

    def positions_by_raw(self) -> dict[bytes, int]:
        """Raw digest -> position, of the entries whose raw bytes are known."""
        return _positions(self.raws)

    def positions_by_trimmed(self) -> dict[bytes, int]:
        return _positions(self.trims)

    def positions_by_collated(self) -> dict[bytes, int]:
        return _positions(self.collated)

    def positions_by_arranged(self) -> dict[bytes, int]:
        return _positions(self.arranged)

    def encode(self) -> bytes:
        """The same index, the same bytes."""
        return msgspec.msgpack.encode(
            _Stored(
                _FORMAT,
                self.stamp,
                list(self.packs),
                self.keys,
                self.digests,
                self.raws,
                self.numbers,
                self.trims,
                self.arranged,
                self.collated,
            ),
            order="deterministic",
        )

    @classmethod
    def decode(cls, data: bytes) -> SnapshotIndex:
        """Raises Corrupt for anything that `encode` did not write."""
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Corrupt("A snapshot's index cannot be read.") from error
        length = len(stored.keys) // WIDTH
        if stored.version in _EARLIER:
            stored.arranged = stored.arranged or UNKNOWN * length
            stored.collated, stored.version = UNKNOWN * length, _FORMAT
        digests = (stored.digests, stored.raws, stored.trims, stored.collated, stored.arranged)
        columns = [len(column) for column in (stored.keys, *digests)]
        columns.append(len(stored.numbers) * 4)
        if stored.version != _FORMAT or any(column != length * WIDTH for column in columns):
            raise Corrupt("A snapshot's index is not of this form.")
        index = cls(
            stored.stamp,
            tuple(stored.packs),
            stored.keys,
            stored.digests,
            stored.raws,
            stored.numbers,
            stored.trims,
            stored.collated,
            stored.arranged,
        )
        if max(_read_numbers(stored.numbers), default=-1) >= len(stored.packs):
            raise Corrupt("A snapshot's index names a pack that it does not have.")
        return index


def delta(before: SnapshotIndex, after: SnapshotIndex) -> Delta:
    """What differs between two snapshots, by digests alone. Keys are in order."""
    if before.keys == after.keys:
        return Delta((), (), () if before.digests == after.digests else _modified(before, after))
    old = {entry.key: entry.digest for entry in before.entries()}
    new = {entry.key: entry.digest for entry in after.entries()}
    return Delta(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        modified=tuple(key for key, digest in old.items() if new.get(key, digest) != digest),
    )


def evolved_types(before: SnapshotIndex, after: SnapshotIndex) -> frozenset[str]:
    """The resource types that `after` was read with a newer version of their API, as far as both sides know."""
    known = before.stamp.api_versions
    return frozenset(
        kind
        for kind, version in after.stamp.api_versions.items()
        if "" < known.get(kind, "") < version
    )


def _modified(before: SnapshotIndex, after: SnapshotIndex) -> tuple[bytes, ...]:
    """Of indexes with the same keys, those whose digests differ."""
    return tuple(
        before.key_at(position)
        for position in range(len(before))
        if before.digest_at(position) != after.digest_at(position)
    )


def _write_numbers(numbers: Iterable[int]) -> bytes:
    listed = list(numbers)
    return struct.pack(f"<{len(listed)}I", *listed)


def _read_numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data)


def _positions(column: bytes) -> dict[bytes, int]:
    """By hundreds: this is done in every scan for every resource."""
    hundreds = len(column) - len(column) % _HUNDRED.size
    cells = chain(
        chain.from_iterable(_HUNDRED.iter_unpack(column[:hundreds])),
        chain.from_iterable(_ONE.iter_unpack(column[hundreds:])),
    )
    found = dict(zip(cells, count()))
    found.pop(UNKNOWN, None)
    return found
