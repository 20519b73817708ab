"""By which digests a document is recognised as that of the last read, without its canonical form being made.

Four, from cheap to dear: of its bytes as they came; of these bytes without bookkeeping; of the same with its members
sorted; and with its items sorted, too. Two documents of which one agrees differ in the values of bookkeeping, in the
order of members or items, or not at all. That a member is there is never passed over, whatever it is called: a person
may give a tag the name of a stamp. Whether the rest is no difference depends on what the canonical form of one of them
holds, so the survey keeps a digest only where it is none: bookkeeping that a fact drops, it drops whatever the value
(an instant is the exception, so only instants are taken out of a member that may hold one), and arrays in
order are none where some array's order counts.

The digests are keyed: nobody who may write resources, but knows no tenant's key, can make two documents that agree.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from functools import partial
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec
import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

WIDTH = 16  # bytes of a digest
UNKNOWN = bytes(WIDTH)  # a digest that nothing is recognised by
Row: TypeAlias = "bytes | bytearray | memoryview | msgspec.Raw"

# The values that every write of a resource refreshes. The pattern can match nothing but the value of a member of that
# name: within a string each quote is escaped, and a string before a colon is a name.
_TEXT = rb'(?!")[^"\\]*(?:\\.[^"\\]*)*"'
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_BOOKKEEPING = re.compile(
    rb'":"(?:(?<="etag":")%b|(?<="provisioningState":")%b|(?<="lastModifiedAt":")%b")'
    % (_TEXT, _TEXT, _MOMENT.encode())
)
_ITS_PLACE = b'":@'  # no JSON: nothing that came is taken for it
_ITS_NAMES = re.compile(rb'"(?:etag|provisioningState|lastModifiedAt)":')
_INSTANT = re.compile(_MOMENT, re.ASCII)
_DECODER = msgspec.json.Decoder()
_name_of = itemgetter("name")


class Digester:
    """Digests bytes twice as fast as any hash of the standard library: every byte that Azure sends goes through it.

    It is GMAC, whose nonce is always the same, encrypted with another key. GMAC with one nonce is a universal hash: two
    contents chosen without the key agree with a probability below 2^-100 (McGrew and Viega, The Galois/Counter Mode of
    Operation, 2004). It keeps that only while nobody sees its tags; encrypted they tell nothing but which are equal
    (Boneh and Shoup, A Graduate Course in Applied Cryptography, chapter 7: a pseudo-random function of a universal
    hash is one of the message).
    """

    __slots__ = ("_authenticate", "_encrypt")

    def __init__(self, secret_key: bytes) -> None:
        # No secret of a resource is hashed to these keys: 0xFF begins no text.
        keys = hmac.digest(secret_key, b"\xffrecognition", hashlib.sha256)
        self._authenticate = partial(AESGCM(keys[:16]).encrypt, bytes(12), b"")
        # ECB is meant: one block a tag, and equal blocks shall be seen to be equal.
        cipher = Cipher(algorithms.AES(keys[16:]), modes.ECB())  # noqa: S305
        self._encrypt = cipher.encryptor().update

    def digest(self, row: Row) -> bytes:
        return self._encrypt(self._authenticate(row))

    def digest_all(self, rows: Iterable[Row]) -> list[bytes]:
        """Of many rows: their tags are encrypted at once."""
        joined = self._encrypt(b"".join(map(self._authenticate, rows)))
        return [joined[at : at + WIDTH] for at in range(0, len(joined), WIDTH)]


def trim(row: bytes) -> bytes:
    """A document's bytes without the values of bookkeeping."""
    return _BOOKKEEPING.sub(_ITS_PLACE, row)


def collate(row: bytes) -> bytes | None:
    """A document without the values of its own bookkeeping, all members sorted. None for odd JSON."""
    document = _parse(row)
    return None if document is None else _collate(document)


def arrange(row: bytes) -> bytes | None:
    """A document without the values of any bookkeeping, all members and items sorted. None for odd JSON.

    Parsing and writing are the fastest there are, and nothing is looked at that is no object and no array: this is a
    third of the cost of a canonical form.
    """
    document = _parse(row)
    return None if document is None else _arrange(document)


def order(row: bytes) -> tuple[bytes | None, bytes | None]:
    """Both, for the price of one parse: collated and arranged."""
    document = _parse(row)
    return (None, None) if document is None else (_collate(document), _arrange(document))


def holds_bookkeeping(body: bytes) -> bool:
    """Whether something of what the digests pass over is configuration in this canonical form."""
    return _ITS_NAMES.search(body) is not None


def _parse(row: bytes) -> dict[str, Any] | None:
    """By msgspec, not by orjson, which reads the nearest double for an integer of more than 64 bits."""
    try:
        document = _DECODER.decode(row)
    except (ValueError, RecursionError):
        return None
    return document if type(document) is dict else None


def _collate(document: dict[str, Any]) -> bytes | None:
    """Only what every document has at the same places is passed over: more would cost as much as sorting."""
    _blank_bookkeeping(document)
    for member in ("properties", "systemData"):
        if type(below := document.get(member)) is dict:
            _blank_bookkeeping(below)
    try:
        return _write(document)
    except (TypeError, RecursionError):  # TypeError: an integer that orjson cannot write
        return None


def _arrange(document: dict[str, Any]) -> bytes | None:
    try:
        _sort_members(document)
        return _write(document)
    except (TypeError, RecursionError):
        return None


def _blank_bookkeeping(source: dict[str, Any]) -> None:
    """`true` for each value: where it counts, a canonical form shows it, as it does not show null or ""."""
    if "etag" in source and _is_text(source["etag"]):
        source["etag"] = True
    if "provisioningState" in source and _is_text(source["provisioningState"]):
        source["provisioningState"] = True
    if "lastModifiedAt" in source and _is_instant(source["lastModifiedAt"]):
        source["lastModifiedAt"] = True


def _sort_members(source: dict[str, Any]) -> None:
    """With `_blank_bookkeeping` written out: a call an object would cost a tenth of a scan."""
    if "etag" in source and _is_text(source["etag"]):
        source["etag"] = True
    if "provisioningState" in source and _is_text(source["provisioningState"]):
        source["provisioningState"] = True
    if "lastModifiedAt" in source and _is_instant(source["lastModifiedAt"]):
        source["lastModifiedAt"] = True
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
