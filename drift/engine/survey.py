"""The fold of a collection against the state before: what every scan does with every document it reads.

A document whose bytes are those of the last read is recognised by their digest and never parsed, nor is one that
differs in bookkeeping alone. Any other is parsed and digested, and kept only when its configuration is new. Memory
grows with what changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from drift.engine.canonical import NORMALISER_VERSION, digest_of, identify, reduce
from drift.engine.index import UNKNOWN, WIDTH, Entry, SnapshotIndex
from drift.engine.model import Document, resource_key
from drift.engine.packing import fits
from drift.engine.scalars import read_number
from errors import Invalid

_P = TypeVar("_P")
Row: TypeAlias = "bytes | bytearray | memoryview | msgspec.Raw"
MOST_EXAMPLES = 10  # of skipped documents, by reason
_LONGEST_EXAMPLE = 300
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The members that every write of a resource refreshes. The pattern can match nothing but a whole member: within a
# string each quote is escaped, and a string before a colon is a name.
_BOOKKEEPING = re.compile(
    rb'"(?:(?:etag|provisioningState)":"(?!")[^"\\]*(?:\\.[^"\\]*)*"'
    rb'|lastModifiedAt":"\d{4}-\d\d-\d\dT[\d:.+-]+Z?")'
)
_DECODER = msgspec.json.Decoder(float_hook=read_number)


class Page(NamedTuple):
    """An answer split into documents that are not parsed yet."""

    rows: list[msgspec.Raw]
    next: str  # `$skipToken` or `nextLink`; '' at the end
    total: int | None  # what the answer says that all pages have together
    truncated: bool


class _Graph(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="data")
    next: str | None = msgspec.field(name="$skipToken", default=None)
    total: int | None = msgspec.field(name="totalRecords", default=None)
    count: int | None = None
    truncated: bool | str | None = msgspec.field(name="resultTruncated", default=None)  # a string


class _List(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="value")
    next: str | None = msgspec.field(name="nextLink", default=None)


def split_graph_page(answer: bytes) -> Page:
    """Splits an answer of Resource Graph. Raises Invalid for anything else."""
    page = _decode_page(answer, _Graph)
    return Page(page.rows, page.next or "", page.total, str(page.truncated).lower() == "true")


def split_list_page(answer: bytes) -> Page:
    """Splits an ARM list. Raises Invalid for anything else."""
    page = _decode_page(answer, _List)
    return Page(page.rows, page.next or "", None, False)


def _decode_page(answer: bytes, shape: type[_P]) -> _P:
    try:
        return msgspec.json.decode(answer.removeprefix(_BYTE_ORDER_MARK), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("The answer is no page of documents.", field="page") from error


class Fresh(NamedTuple):
    """What came in other bytes than before. Without `document` its configuration is that of the state before."""

    digest: bytes
    raw: bytes
    trimmed: bytes
    document: Document | None


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection is, seen from the state before."""

    previous: SnapshotIndex | None
    changed: tuple[Document, ...]  # new resources and new configurations, by type and key
    missing: tuple[bytes, ...]  # keys of the state before that did not come
    skipped: Counter[str]  # documents left out, by reason
    examples: Mapping[str, tuple[str, ...]]  # some of them by name
    duplicates: int  # documents that came for a resource which had come already
    total: int
    parsed: int
    seen: bytearray  # one byte an entry of the state before: whether its very bytes came again
    fresh: Mapping[bytes, Fresh]  # by key

    def entries(self) -> Iterator[Entry]:
        """Every resource that came; `pack` is the one of the state before, -1 where it has none."""
        for position, entry in enumerate(self.previous.entries() if self.previous else ()):
            if self.seen[position]:
                yield entry
            elif (fresh := self.fresh.get(entry.key)) is not None:
                yield Entry(entry.key, fresh.digest, fresh.raw, entry.pack, fresh.trimmed)
        for key, fresh in self.fresh.items():
            if self.previous is None or key not in self.previous:
                yield Entry(key, fresh.digest, fresh.raw, -1, fresh.trimmed)


class Survey:
    """Takes the pages of one collection. The order of documents makes no difference."""

    def __init__(self, previous: SnapshotIndex | None, *, secret_key: bytes) -> None:
        self._previous = previous
        self._secret_key = secret_key
        self._by_raw: dict[bytes, int] = {}
        if previous is not None and previous.stamp.normaliser_version == NORMALISER_VERSION:
            self._by_raw = previous.positions_by_raw()
        self._by_trimmed: dict[bytes, int] | None = None if self._by_raw else {}
        self._seen = bytearray(len(previous) if previous is not None else 0)
        self._fresh: dict[bytes, Fresh] = {}
        self._skipped: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._duplicates = self._total = self._parsed = 0

    def add_page(self, rows: Iterable[Row]) -> None:
        """`rows` are the JSON of one ARM document each."""
        by_raw, seen, sha256 = self._by_raw, self._seen, hashlib.sha256
        for row in rows:
            self._total += 1
            raw = sha256(row).digest()[:WIDTH]
            position = by_raw.get(raw)
            if position is None:
                self._add(row, raw)
            else:
                self._duplicates += seen[position]
                seen[position] = 1

    def finish(self) -> Collected:
        changed = []
        by_bytes = any(self._seen)
        for key, fresh in list(self._fresh.items()):
            if by_bytes and self._is_outdone(key, fresh):
                del self._fresh[key]
            elif fresh.document is not None:
                changed.append(fresh.document)
        return Collected(
            previous=self._previous,
            changed=tuple(sorted(changed, key=lambda item: (item.resource_type, item.key))),
            missing=tuple(self._find_missing()),
            skipped=self._skipped,
            examples={reason: tuple(names) for reason, names in self._examples.items()},
            duplicates=self._duplicates,
            total=self._total,
            parsed=self._parsed,
            seen=self._seen,
            fresh=self._fresh,
        )

    def _add(self, row: Row, raw: bytes) -> None:
        trimmed = trim(row)
        if (position := self._find_trimmed(trimmed)) is not None:
            assert self._previous is not None
            key = self._previous.key_at(position)
            self._keep(key, Fresh(self._previous.digest_at(position), raw, trimmed, None))
            return
        self._parsed += 1
        document = _parse(row)
        if document is None:
            self._skip("no JSON object", bytes(row)[:_LONGEST_EXAMPLE])
            return
        try:
            self._keep(*self._digest(document, raw, trimmed))
        except Invalid as error:
            self._skip(error.message, document)

    def _find_trimmed(self, trimmed: bytes) -> int | None:
        if self._by_trimmed is None:
            assert self._previous is not None
            self._by_trimmed = self._previous.positions_by_trimmed()
        return self._by_trimmed.get(trimmed)

    def _keep(self, key: bytes, fresh: Fresh) -> None:
        known = self._fresh.get(key)
        self._duplicates += known is not None
        if known is None or fresh[:2] > known[:2]:
            self._fresh[key] = fresh

    def _digest(self, document: dict[str, Any], raw: bytes, trimmed: bytes) -> tuple[bytes, Fresh]:
        identity = identify(document)
        name = resource_key(identity.resource_id)
        key = bytes.fromhex(name)
        body = reduce(document, identity, self._secret_key)
        digest = digest_of(body)
        if _BOOKKEEPING.search(body):  # here it is configuration: within a template, for one
            trimmed = UNKNOWN
        if self._previous is not None and self._previous.digest_of(key) == digest:
            return key, Fresh(digest, raw, trimmed, None)
        new = Document(name, identity.resource_id, identity.resource_type, body, digest)
        if not fits(new):
            raise Invalid("The document is too large to be stored.", field="document")
        return key, Fresh(digest, raw, trimmed, new)

    def _is_outdone(self, key: bytes, fresh: Fresh) -> bool:
        """Whether the resource came twice and its unchanged document stays. Of two, the greater digest stays:
        that is arbitrary, but the same in every scan, whatever the order."""
        position = self._previous.position_of(key) if self._previous is not None else None
        if self._previous is None or position is None or not self._seen[position]:
            return False
        self._duplicates += 1
        if self._previous.digest_at(position) >= fresh.digest:
            return True
        self._seen[position] = 0
        return False

    def _find_missing(self) -> Iterator[bytes]:
        if self._previous is None:
            return
        for position, seen in enumerate(self._seen):
            if not seen and (key := self._previous.key_at(position)) not in self._fresh:
                yield key

    def _skip(self, reason: str, what: dict[str, Any] | bytes) -> None:
        self._skipped[reason] += 1
        examples = self._examples.setdefault(reason, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(_name(what))


def trim(row: Row) -> bytes:
    """The digest of a document's bytes without bookkeeping.

    Two documents with one such digest differ in the values of bookkeeping at most. That is no difference when none of
    it is left in the canonical form of one of them: what a fact drops there, it drops whatever the value (an instant
    is the exception, so only instants are taken out of a member that may hold one).
    """
    return hashlib.sha256(_BOOKKEEPING.sub(b"", row)).digest()[:WIDTH]


def _parse(row: Row) -> dict[str, Any] | None:
    """The document, None for what is no JSON object. What only the standard library reads (NaN, 1e999, half a surrogate
    pair, a byte order mark) is read by it."""
    try:
        document = _DECODER.decode(row)
    except RecursionError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            document = json.loads(
                bytes(row).removeprefix(_BYTE_ORDER_MARK),
                parse_float=read_number,
                parse_constant=str,
            )
        except (ValueError, RecursionError):
            return None
    return document if isinstance(document, dict) else None


def _name(what: dict[str, Any] | bytes) -> str:
    """How a skipped document is called: by id, else by name and type, never by its values."""
    if isinstance(what, bytes):
        return f"{len(what)} bytes"
    for member in ("id", "name", "type"):
        if isinstance(value := what.get(member), str) and value.strip():
            return value.strip()[:_LONGEST_EXAMPLE]
    return "members " + ", ".join(sorted(what))[:_LONGEST_EXAMPLE]
