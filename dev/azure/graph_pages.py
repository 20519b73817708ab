"""One page of a graph's result, and the token that leads to the next."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from dev.azure.document import JsonObject, decode
from dev.azure.kql.execution import Result
from dev.azure.kql.syntax import QueryError

MAX_BYTES = 16 * 1024 * 1024


def cut_page(result: Result, offset: int, top: int) -> tuple[list[msgspec.Raw], int]:
    """At most `top` rows and 16 MB, but one row at least."""
    names = list(result.columns)
    page: list[msgspec.Raw] = []
    room = MAX_BYTES
    for row in result.rows[offset : offset + top]:
        encoded = msgspec.json.encode(row.members(names))
        room -= len(encoded)
        if room < 0 and page:
            break
        page.append(msgspec.Raw(encoded))
    return page, len(page)


def as_table(columns: Mapping[str, str], page: Sequence[msgspec.Raw]) -> dict[str, object]:
    described = [{"name": name, "type": kind} for name, kind in columns.items()]
    rows = [
        list(msgspec.json.decode(bytes(row), type=dict[str, msgspec.Raw]).values()) for row in page
    ]
    return {"columns": described, "rows": rows}


def fingerprint(query: str, subscriptions: Sequence[str] | None) -> str:
    text = msgspec.json.encode([query, subscriptions])
    return hashlib.sha256(text).hexdigest()[:16]


def make_token(offset: int, top: int, query_print: str) -> str:
    inner: JsonObject = {
        "$id": "1",
        "MaxRows": top,
        "RowsToSkip": offset,
        "KustoClusterUrl": f"https://arg-{query_print}.arg.core.windows.net",
    }
    return base64.b64encode(msgspec.json.encode(inner)).decode()


def read_token(token: str, query_print: str) -> int:
    """A token belongs to its query: with another one it is refused."""
    try:
        inner = decode(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError):
        inner = None
    if isinstance(inner, dict) and f"arg-{query_print}." in str(inner.get("KustoClusterUrl")):
        offset = inner.get("RowsToSkip")
        if isinstance(offset, int) and offset >= 0:
            return offset
    raise QueryError("InvalidSkipToken", "The skip token is not one of this query.")
