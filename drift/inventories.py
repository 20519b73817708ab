"""Reads inventories from files of any size: JSON Lines, a JSON array, or an answer of Resource Graph or of a list.

Only positions and digests stay in memory; a document is read again when it has to be looked at. What cannot be read
is an error that names its line, never a document less.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from drift.engine.model import ResourceKey, resource_key
from errors import Invalid

CHUNK = 1 << 20
_HEAD = 1 << 16  # an answer names its `data` or `value` within its first bytes
_ENTRY = struct.Struct(">16sQI")  # digest of the raw bytes, position, length
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]]+")
_PAGE = re.compile(rb'"(?:skip_?token|\$skiptoken|nextlink)"\s*:\s*"[^"]', re.IGNORECASE)
_LIST = re.compile(rb'"(?:data|value)"\s*:\s*\[')
_BLANK = b" \t\r\n"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


class _Head(msgspec.Struct):
    """Enough to know which resource a document is about, without building the rest."""

    id: Any = None


@dataclass(frozen=True, slots=True)
class Raw:
    line: int
    position: int
    content: bytes


@dataclass(slots=True)
class Inventory:
    """The documents of one file by resource. The last of several about one resource counts."""

    name: str
    file: BinaryIO
    entries: dict[ResourceKey, bytes] = field(default_factory=dict)
    documents: int = 0
    size: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def same_bytes(self, other: Inventory, key: ResourceKey) -> bool:
        return self.entries[key][:16] == other.entries[key][:16]

    def load(self, key: ResourceKey) -> dict[str, Any]:
        _, position, length = _ENTRY.unpack(self.entries[key])
        self.file.seek(position)
        document: dict[str, Any] = msgspec.json.decode(self.file.read(length))
        return document


def read_inventory(name: str, file: BinaryIO, *, lenient: bool = False) -> Inventory:
    """Raises Invalid, naming the line, at the first document that cannot be read; `lenient` counts it instead."""
    inventory = Inventory(name, file)
    decoder = msgspec.json.Decoder(_Head)
    for raw in find_documents(file, name):
        inventory.size += len(raw.content)
        problem, key = _identify(raw.content, decoder)
        if problem:
            if not lenient:
                raise Invalid(f"{name}, line {raw.line}: {problem}.", field=name)
            inventory.skipped[problem] += 1
            continue
        inventory.documents += 1
        if key in inventory.entries:
            inventory.skipped["an earlier document about the same resource"] += 1
        digest = hashlib.sha256(raw.content).digest()[:16]
        inventory.entries[key] = _ENTRY.pack(digest, raw.position, len(raw.content))
    return inventory


def find_documents(file: BinaryIO, name: str) -> Iterator[Raw]:
    """The documents as they stand in the file, of whichever form it is."""
    file.seek(0)
    head = file.read(_HEAD)
    if not head.strip():
        raise Invalid(f"{name} is empty; an inventory of nothing is [].", field=name)
    if head[:2] in _UTF16:
        raise Invalid(f"{name} is UTF-16; save it as UTF-8.", field=name)
    start = len(_UTF8_MARK) if head.startswith(_UTF8_MARK) else 0
    start += len(head[start:]) - len(head[start:].lstrip(_BLANK))
    opening = _opening(head, start)
    if opening is None:
        return _lines(file, start, head[:start].count(b"\n"))
    return _items(file, head[:opening], name)


def _identify(content: bytes, decoder: msgspec.json.Decoder[_Head]) -> tuple[str, ResourceKey]:
    """What is wrong with a document, or '' and whose it is."""
    nothing = ResourceKey("")
    try:
        head = decoder.decode(content)
    except msgspec.ValidationError:
        return "not a JSON object", nothing
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "not valid JSON", nothing
    except RecursionError:
        return "nested too deep", nothing
    if not isinstance(head.id, str) or not head.id.strip():
        return "no id", nothing
    return "", resource_key(head.id)


def _lines(file: BinaryIO, start: int, before: int) -> Iterator[Raw]:
    file.seek(start)
    position = start
    for number, line in enumerate(file, before + 1):
        content = line.strip(_BLANK)
        if content:
            yield Raw(number, position + len(line) - len(line.lstrip(_BLANK)), content)
        position += len(line)


def _opening(head: bytes, start: int) -> int | None:
    """Where the array of documents begins; None when there is a document a line."""
    if head[start : start + 1] == b"[":
        return start
    depth = 0
    for token in _TOKEN.finditer(head, start):
        text = token.group()
        if text[:1] == b'"':
            if depth == 1 and text == b'"id"':
                return None
            answer = _LIST.match(head, token.start()) if depth == 1 else None
            if answer:
                return answer.end() - 1
        else:
            depth += 1 if text in b"{[" else -1
            if depth == 0:
                return None
    return None


def _items(file: BinaryIO, preamble: bytes, name: str) -> Iterator[Raw]:
    """The items of the array that follows the preamble, one at a time."""
    position = len(preamble) + 1  # of the buffer in the file
    line = preamble.count(b"\n") + 1
    file.seek(position)
    buffer, at = b"", 0
    while True:
        begin = _skip(buffer, at)
        end = _end_of_item(buffer, begin) if begin < len(buffer) else None
        if end is None:
            more = file.read(max(CHUNK, len(buffer) - at))
            if not more:
                raise Invalid(f"{name}, line {line}: the array does not end.", field=name)
            buffer, at, position = buffer[at:] + more, 0, position + at
            continue
        line += buffer.count(b"\n", at, begin)
        if buffer[begin : begin + 1] == b"]":
            _check_rest(preamble, buffer[begin + 1 :] + file.read(_HEAD), name)
            return
        yield Raw(line, position + begin, buffer[begin:end])
        line += buffer.count(b"\n", begin, end)
        at = end


def _check_rest(preamble: bytes, rest: bytes, name: str) -> None:
    """One page of several would make everything on the others look removed."""
    if _PAGE.search(preamble) or _PAGE.search(rest):
        raise Invalid(f"{name} is one page of several: fetch the others too.", field=name)
    if b"{" not in preamble and rest.strip():
        raise Invalid(f"{name}: something follows the array.", field=name)


def _skip(buffer: bytes, at: int) -> int:
    while at < len(buffer) and buffer[at] in b" \t\r\n,":
        at += 1
    return at


def _end_of_item(buffer: bytes, begin: int) -> int | None:
    """Where the item that begins here ends; None when the buffer ends before it."""
    if buffer[begin] == ord("]"):
        return begin + 1
    if buffer[begin] not in b'{["':
        scalar = _SCALAR.match(buffer, begin)
        return scalar.end() if scalar and scalar.end() < len(buffer) else None
    depth = 0
    for token in _TOKEN.finditer(buffer, begin):
        text = token.group()
        if text[:1] != b'"':
            depth += 1 if text in b"{[" else -1
        if depth == 0:
            return token.end()
    return None
