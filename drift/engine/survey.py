"""The fold of a collection against the state before: what every scan does with every document it reads.

A document whose bytes are those of the last read is recognised by their digest and never parsed, nor is one that
differs in bookkeeping alone. Any other is parsed and digested, and kept only when its configuration is new. Memory
grows with what changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from drift.engine.canonical import NORMALISER_VERSION, digest_of, identify, mend, reduce
from drift.engine.index import Entry, SnapshotIndex
from drift.engine.model import Document, ResourceKey, resource_key
from drift.engine.packing import fits, in_order
from drift.engine.press import Press
from drift.engine.recognition import (
    UNKNOWN,
    Digester,
    Row,
    arrange,
    collate,
    holds_bookkeeping,
    order,
    trim,
)
from drift.engine.scalars import read_number
from errors import Invalid

_P = TypeVar("_P")
MOST_EXAMPLES = 10  # of skipped documents, by reason
_LONGEST_EXAMPLE = 300
_MANY = 1_000  # documents, a few megabytes
_PATIENCE = 20  # of many documents, those that were recognised, and none of them by trimming
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
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


Marks: TypeAlias = tuple[bytes, bytes, bytes, bytes]
"""What a document will be recognised by in the next scan (`recognition`): raw, trimmed, collated, arranged. Plain
tuples: one is made for every document that moved."""

_Unknown: TypeAlias = tuple[bytes, Marks]  # a document that was not recognised yet


class Fresh(NamedTuple):
    """A new resource or a new configuration."""

    digest: bytes
    marks: Marks
    document: Document

    def entry(self, key: bytes, pack: int) -> Entry:
        return _enter(key, self.digest, pack, self.marks)


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
    seen: bytearray  # one byte an entry of the state before: whether it came again with its configuration
    renewed: Mapping[int, Marks]  # of the seen ones, by position, what came in other bytes
    fresh: Mapping[bytes, Fresh]  # by key

    def documents(self) -> Mapping[ResourceKey, Document]:
        """The changed ones by key. A view: of a first scan a dict would be as large as the digests of all."""
        return _Documents(self.fresh)

    def entries(self) -> Iterator[Entry]:
        """Every resource that came; `pack` is the one of the state before, -1 where it has none."""
        for position, entry in enumerate(self.previous.entries() if self.previous else ()):
            if self.seen[position]:
                marks = self.renewed.get(position)
                yield entry if marks is None else _enter(*entry[:2], entry.pack, marks)
            elif (fresh := self.fresh.get(entry.key)) is not None:
                yield fresh.entry(entry.key, entry.pack)
        for key, fresh in self.fresh.items():
            if self.previous is None or key not in self.previous:
                yield fresh.entry(key, -1)


class _Documents(Mapping[ResourceKey, Document]):
    def __init__(self, fresh: Mapping[bytes, Fresh]) -> None:
        self._fresh = fresh

    def __getitem__(self, key: ResourceKey) -> Document:
        return self._fresh[bytes.fromhex(key)].document

    def __iter__(self) -> Iterator[ResourceKey]:
        return (ResourceKey(key.hex()) for key in self._fresh)

    def __len__(self) -> int:
        return len(self._fresh)


class Survey:
    """Takes the pages of one collection. The order of documents makes no difference."""

    def __init__(self, previous: SnapshotIndex | None, *, secret_key: bytes) -> None:
        self._previous = previous
        self._secret_key = secret_key
        self._digester = Digester(secret_key)
        self._digest = self._digester.digest
        comparable = (
            previous is not None and previous.stamp.normaliser_version == NORMALISER_VERSION
        )
        self._known = previous if comparable else None
        self._by_raw = self._known.positions_by_raw() if self._known else {}
        # Made at the first use: most scans of a large subscription need none of them.
        self._by_trimmed: dict[bytes, int] | None = None
        self._by_collated: dict[bytes, int] | None = None
        self._by_arranged: dict[bytes, int] | None = None
        self._is_trimming = True
        self._new: list[_Unknown] = []
        self._seen = bytearray(len(previous) if previous is not None else 0)
        self._renewed: dict[int, Marks] = {}
        self._fresh: dict[bytes, Fresh] = {}
        self._press = Press()
        self._skipped: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._duplicates = self._total = self._parsed = 0

    def add_page(self, rows: Iterable[Row]) -> None:
        """`rows` are the JSON of one ARM document each.

        Those whose bytes are new are put by until there are many: every later step takes those that the one before
        did not recognise, and its code and tables stay in the processor's cache.
        """
        self._new += self._find_raw(rows)
        if len(self._new) >= _MANY:
            self._take_new()

    def _take_new(self) -> None:
        new, self._new = self._new, []
        if self._known and new:
            new = self._find_alike(self._known, new)
        self._parsed += len(new)
        for row, marks in new:
            self._read(row, marks)

    def finish(self) -> Collected:
        self._take_new()
        changed = []
        by_bytes = any(self._seen)
        for key, fresh in list(self._fresh.items()):
            if by_bytes and self._is_outdone(key, fresh):
                del self._fresh[key]
            else:
                changed.append(fresh.document)
        return Collected(
            previous=self._previous,
            changed=tuple(in_order(changed)),
            missing=tuple(self._find_missing()),
            skipped=self._skipped,
            examples={reason: tuple(names) for reason, names in self._examples.items()},
            duplicates=self._duplicates,
            total=self._total,
            parsed=self._parsed,
            seen=self._seen,
            renewed=self._renewed,
            fresh=self._fresh,
        )

    def _find_raw(self, rows: Iterable[Row]) -> list[_Unknown]:
        rows, seen = list(rows), self._seen
        raws = self._digester.digest_all(rows)
        positions = list(map(self._by_raw.get, raws))
        rest = [
            (bytes(row), (raw, UNKNOWN, UNKNOWN, UNKNOWN))
            for row, raw, position in zip(rows, raws, positions, strict=True)
            if position is None
        ]
        before = seen.count(1)
        for position in positions:
            if position is not None:
                seen[position] = 1
        self._total += len(rows)
        self._duplicates += len(rows) - len(rest) - (seen.count(1) - before)
        return rest

    def _find_alike(self, known: SnapshotIndex, new: list[_Unknown]) -> list[_Unknown]:
        """When members move, they mostly move everywhere: then trimming alone helps with nothing, and sorting them
        with nearly everything."""
        if not self._is_trimming:
            return self._find_arranged(known, self._find_collated(known, new))
        rest = self._find_trimmed(known, new)
        odd = self._find_arranged(known, rest)
        self._is_trimming = len(rest) < len(new) or len(rest) - len(odd) < _PATIENCE
        return odd

    def _find_trimmed(self, known: SnapshotIndex, new: list[_Unknown]) -> list[_Unknown]:
        if self._by_trimmed is None:
            self._by_trimmed = known.positions_by_trimmed()
        position_of, digest = self._by_trimmed.get, self._digest
        rest = []
        for row, (raw, _, collated, arranged) in new:
            trimmed = digest(trim(row))
            position = position_of(trimmed)
            if position is None:
                rest.append((row, (raw, trimmed, collated, arranged)))
            else:
                self._renew(position, (raw, trimmed, *known.orders_at(position)))
        return rest

    def _find_collated(self, known: SnapshotIndex, new: list[_Unknown]) -> list[_Unknown]:
        if self._by_collated is None:
            self._by_collated = known.positions_by_collated()
        position_of = self._by_collated.get
        rest = []
        for row, (raw, trimmed, _, arranged) in new:
            collated = self._digest_known(collate(row))
            position = position_of(collated)
            if position is None:
                rest.append((row, (raw, trimmed, collated, arranged)))
            else:
                self._renew(position, (raw, trimmed, collated, known.orders_at(position)[1]))
        self._parsed += len(new) - len(rest)
        return rest

    def _find_arranged(self, known: SnapshotIndex, new: list[_Unknown]) -> list[_Unknown]:
        if self._by_arranged is None:
            self._by_arranged = known.positions_by_arranged()
        position_of = self._by_arranged.get
        rest = []
        for row, (raw, trimmed, collated, _) in new:
            arranged = self._digest_known(arrange(row))
            position = position_of(arranged)
            if position is None:
                rest.append((row, (raw, trimmed, collated, arranged)))
            else:
                self._renew(position, (raw, trimmed, collated, arranged))
        self._parsed += len(new) - len(rest)
        return rest

    def _read(self, row: bytes, marks: Marks) -> None:
        document = _parse(row)
        if document is None:
            self._skip("no JSON object", row[:_LONGEST_EXAMPLE])
            return
        try:
            self._reduce(document, marks if self._known else self._complete(row, marks))
        except Invalid as error:
            self._skip(error.message, document)

    def _complete(self, row: bytes, marks: Marks) -> Marks:
        """With what nobody looked for in a first scan."""
        collated, arranged = map(self._digest_known, order(row))
        return marks[0], self._digest(trim(row)), collated, arranged

    def _digest_known(self, content: bytes | None) -> bytes:
        return UNKNOWN if content is None else self._digest(content)

    def _renew(self, position: int, marks: Marks) -> None:
        """The resource came with the configuration that it had, in other bytes."""
        self._duplicates += self._seen[position]
        self._seen[position] = 1
        self._renewed[position] = marks

    def _reduce(self, document: dict[str, Any], marks: Marks) -> None:
        identity = identify(document)
        name = resource_key(identity.resource_id)
        key = bytes.fromhex(name)
        body, in_order = reduce(document, identity, self._secret_key)
        digest = digest_of(body)
        if in_order:
            marks = (*marks[:3], UNKNOWN)
        if holds_bookkeeping(body):  # here it is configuration: within a template, for one
            marks = (marks[0], UNKNOWN, UNKNOWN, UNKNOWN)
        position = self._previous.position_of(key) if self._previous is not None else None
        if self._previous and position is not None and self._previous.digest_at(position) == digest:
            self._renew(position, marks)
            return
        new = Document(name, identity.resource_id, identity.resource_type, body, digest)
        if not fits(new):
            raise Invalid("The document is too large to be stored.", field="document")
        self._keep(key, Fresh(digest, marks, new))

    def _keep(self, key: bytes, fresh: Fresh) -> None:
        known = self._fresh.get(key)
        self._duplicates += known is not None
        if known is None or fresh[:2] > known[:2]:
            self._fresh[key] = fresh._replace(document=self._press.take(key, fresh.document))

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
        position = self._seen.find(0)
        while self._previous is not None and position >= 0:
            if (key := self._previous.key_at(position)) not in self._fresh:
                yield key
            position = self._seen.find(0, position + 1)

    def _skip(self, reason: str, what: dict[str, Any] | bytes) -> None:
        self._skipped[reason] += 1
        examples = self._examples.setdefault(reason, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(_name(what))


def _enter(key: bytes, digest: bytes, pack: int, marks: Marks) -> Entry:
    raw, trimmed, collated, arranged = marks
    return Entry(key, digest, raw, pack, trimmed, collated, arranged)


def _parse(row: bytes) -> dict[str, Any] | None:
    """The document, None for what is no JSON object. What only the standard library reads (NaN, 1e999, half a surrogate
    pair, a byte order mark) is read by it."""
    try:
        document = _DECODER.decode(row)
    except RecursionError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            document = mend(
                json.loads(
                    bytes(row).removeprefix(_BYTE_ORDER_MARK),
                    parse_float=read_number,
                    parse_constant=str,
                )
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
