"""By which digests a document is recognised as that of the last read, without its canonical form being made.

Three, from cheap to dear: of its bytes as they came; of these bytes without bookkeeping; and of the same with members
and items sorted. Two documents of which one agrees differ in bookkeeping, in the order of members or items, or not at
all. Whether that is no difference depends on what the canonical form of one of them holds, so the survey keeps a digest
only where it is none: bookkeeping that a fact drops, it drops whatever the value (an instant is the exception, so only
instants are taken out of a member that may hold one), and arrays in order are none where some array's order counts.
"""

from __future__ import annotations

import hashlib
import re
from operator import itemgetter
from typing import Any

import orjson

WIDTH = 16  # bytes of a digest
UNKNOWN = bytes(WIDTH)  # a digest that nothing is recognised by

# The members that every write of a resource refreshes. The pattern can match nothing but a whole member: within a
# string each quote is escaped, and a string before a colon is a name.
_BOOKKEEPING = re.compile(
    rb'"(?:etag":"(?!")[^"\\]*(?:\\.[^"\\]*)*"'
    rb'|provisioningState":"(?!")[^"\\]*(?:\\.[^"\\]*)*"'
    rb'|lastModifiedAt":"\d{4}-\d\d-\d\dT[\d:.+-]+Z?")'
)
_ITS_NAMES = re.compile(rb'"(?:etag|provisioningState|lastModifiedAt)":')
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+-]+Z?", re.ASCII)
_name_of = itemgetter("name")


def digest_trimmed(row: bytes) -> bytes:
    """The digest of a document's bytes without bookkeeping."""
    return hashlib.sha256(_BOOKKEEPING.sub(b"", row)).digest()[:WIDTH]


def digest_arranged(row: bytes) -> bytes:
    """The digest of a document without bookkeeping, its members and items sorted. UNKNOWN for odd JSON.

    Parsing and writing are the fastest there are, and nothing is looked at that is no object and no array: this is a
    third of the cost of a canonical form.
    """
    try:
        document = orjson.loads(row)
        if type(document) is not dict:
            return UNKNOWN
        _sort_members(document)
        content = _write(document)
    except (
        ValueError,
        TypeError,
        RecursionError,
    ):  # TypeError: an integer that orjson cannot write
        return UNKNOWN
    return hashlib.sha256(content).digest()[:WIDTH]


def holds_bookkeeping(body: bytes) -> bool:
    """Whether something of what the digests pass over is configuration in this canonical form."""
    return _ITS_NAMES.search(body) is not None


def _sort_members(source: dict[str, Any]) -> None:
    if "etag" in source and _is_text(source["etag"]):
        del source["etag"]
    if "provisioningState" in source and _is_text(source["provisioningState"]):
        del source["provisioningState"]
    if "lastModifiedAt" in source and _is_instant(source["lastModifiedAt"]):
        del source["lastModifiedAt"]
    for below in source.values():
        kind = type(below)
        if kind is dict:
            _sort_members(below)
        elif kind is list and below:
            _sort_items(below)


def _sort_items(items: list[Any]) -> None:
    """Sorts in place. Items that no order is found for stay as they came: then the document is not recognised."""
    for item in items:
        if type(item) is dict:
            _sort_members(item)
        elif type(item) is list:
            _sort_items(item)
    if len(items) < 2:
        return
    first = items[0]
    try:
        if type(first) is dict:
            items.sort(key=_name_of if "name" in first else _write)
        else:
            items.sort()
    except (KeyError, TypeError):  # items of several kinds
        items.sort(key=_write)


def _is_text(value: object) -> bool:
    return type(value) is str and value != ""


def _is_instant(value: object) -> bool:
    return type(value) is str and _INSTANT.fullmatch(value) is not None


def _write(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
