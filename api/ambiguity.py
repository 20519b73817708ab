"""A request says each thing once. Parsers disagree about which of two values counts (RFC 8259, section 4; query strings
have no rule at all), so what one check looked at may not be what is used: both are refused."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request

from errors import Invalid

REPEATABLE = frozenset({"status", "severity"})  # query parameters that are lists


async def require_unambiguous(request: Request) -> None:
    """Raises Invalid for a query parameter or a member of a JSON object that comes twice, naming it."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in REPEATABLE and names.count(name) > 1:
            raise Invalid(f"Send {name} once.", field=name[:100])
    body = await request.body()  # FastAPI has read it, and keeps it
    if body:  # whatever its content type says: FastAPI takes more than one for JSON
        _check_members(body)


def _check_members(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return  # no JSON: FastAPI has an answer to that


def _once(members: list[tuple[str, Any]]) -> None:
    """The objects themselves are of no interest here."""
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            raise Invalid(f"Send the member {name[:100]!r} once.", field=name[:100])
        seen.add(name)
