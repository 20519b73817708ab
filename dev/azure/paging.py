"""ARM's list pages: `value`, an opaque `nextLink`, and pages that are empty though more follow."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dev.azure.answers import arm_error, json_response
from dev.azure.cloud import Cloud

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Position:
    offset: int
    empty_left: int


def list_page(
    cloud: Cloud, request: Request, items: Sequence[_Item], render: Callable[[_Item], object]
) -> Response:
    """Recorded chains start with empty pages where a $filter is given, and have them in the middle elsewhere."""
    settings = cloud.settings
    filtered = bool(request.query_params.get("$filter"))
    token = request.query_params.get("$skiptoken", "")
    position = _read(token) if token else _Position(0, settings.empty_pages if filtered else 0)
    size = min(settings.page_size, _top(request))
    if position.empty_left:
        page: list[object] = []
        following: _Position | None = _Position(position.offset, position.empty_left - 1)
    else:
        end = position.offset + size
        page = [render(item) for item in items[position.offset : end]]
        following = _Position(end, settings.empty_pages) if end < len(items) else None
    answer: dict[str, object] = {"value": page}
    if following is not None:
        answer["nextLink"] = _next_link(cloud, request, following)
    return json_response(msgspec.json.encode(answer))


def _top(request: Request) -> int:
    value = request.query_params.get("$top", "")
    return max(1, int(value)) if value.isdecimal() else 1_000_000


def _next_link(cloud: Cloud, request: Request, position: _Position) -> str:
    text = f"1!8!{position.offset}!{position.empty_left}"
    token = base64.urlsafe_b64encode(text.encode()).decode()
    query = [
        pair
        for pair in parse_qsl(request.url.query, keep_blank_values=True)
        if pair[0].lower() != "$skiptoken"
    ]
    return (
        f"{cloud.origin}{quote(request.scope['path'])}?{urlencode([*query, ('$skiptoken', token)])}"
    )


def _read(token: str) -> _Position:
    try:
        first, second, offset, empty = base64.urlsafe_b64decode(token).decode().split("!")
        if (first, second) == ("1", "8"):
            return _Position(int(offset), int(empty))
    except (binascii.Error, ValueError):
        pass
    raise arm_error(400, "InvalidSkipToken", "The skip token is malformed or invalid.")
