"""A request says each thing once. Parsers disagree about which of two values counts (RFC 8259, section 4; query strings
have no rule at all), so what one check looked at may not be what is used: both are refused.

And it says nothing that nobody asks for: a filter with a slip in its name would be no filter, and the answer would look
right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from errors import Invalid

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # as an escape
REPEATABLE = frozenset({"status", "severity"})  # query parameters that are lists


async def require_unambiguous(request: Request) -> None:
    """Raises Invalid for a query parameter or a member of a JSON object that comes twice, and for a query parameter
    that the route does not know, naming it; and for a body with half a character in it."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in REPEATABLE and names.count(name) > 1:
            raise Invalid(f"Send {name} once.", field=name[:100])
    for name in set(names) - _known(request.scope["route"]):
        raise Invalid(f"There is no query parameter {name[:100]!r} here.", field=name[:100])
    body = await request.body()  # FastAPI has read it, and keeps it
    if body:  # whatever its content type says: FastAPI takes more than one for JSON
        check_members(body)


def _known(route: APIRoute) -> frozenset[str]:
    """The query parameters of a route."""
    return frozenset(field.alias for one in every(route.dependant) for field in one.query_params)


def every(dependant: Dependant) -> Iterator[Dependant]:
    """What a route depends on, itself first."""
    yield dependant
    for inner in dependant.dependencies:
        yield from every(inner)


def check_members(body: bytes) -> None:
    """Raises Invalid for JSON in which a member comes twice, or with half a character in it."""
    try:
        json.loads(body, object_pairs_hook=_once)
        text = json.dumps(json.loads(body), ensure_ascii=False) if _SURROGATE.search(body) else ""
    except (ValueError, RecursionError):
        return  # no JSON: FastAPI has an answer to that
    try:
        text.encode()
    except UnicodeEncodeError:  # \ud800 alone: JSON can say it, and nothing that is stored can
        raise Invalid("The body holds half a character, a lone surrogate.", field="body") from None


def _once(members: list[tuple[str, Any]]) -> None:
    """The objects themselves are of no interest here."""
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            raise Invalid(f"Send the member {name[:100]!r} once.", field=name[:100])
        seen.add(name)
