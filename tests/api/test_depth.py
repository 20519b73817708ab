"""G02: a body that is nested too deep is refused before anything parses it, on every route that takes one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import msgspec
import orjson
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.depth import LARGEST_DEPTH, is_too_deep
from api.middleware import LARGEST_BODY
from drift.engine.canonical import DEEPEST
from tests.api.members import Sign

JSON_HEADERS = {"Content-Type": "application/json", "If-Match": "W/\"datetime'2026'\""}
REFUSED = f"The body is nested deeper than {LARGEST_DEPTH} levels."


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


PARSERS: dict[str, Callable[[bytes], Any]] = {
    "json": json.loads,
    "msgspec": msgspec.json.decode,
    "orjson": orjson.loads,
    "pydantic": pydantic.TypeAdapter(pydantic.JsonValue).validate_json,
    "pydantic after json": lambda body: pydantic.TypeAdapter(dict[str, Any]).validate_python(
        json.loads(body)
    ),
}


@pytest.mark.parametrize("parser", PARSERS)
def test_no_parser_gives_up_before_the_limit(parser: str) -> None:
    PARSERS[parser](nested(LARGEST_DEPTH + 50))
    assert LARGEST_DEPTH <= DEEPEST


def test_limit_is_where_it_says() -> None:
    for opening, closing in (('{"a":', "}"), ("[", "]"), ('[{"a": ', "}]")):
        levels = LARGEST_DEPTH // (2 if opening.startswith("[{") else 1)
        assert not is_too_deep(nested(levels, opening, closing))
        assert is_too_deep(nested(levels + 1, opening, closing))


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b'{"a": "' + b"[{" * 500 + b'"}', False),
        (b'{"a": "\\"' + b"[{" * 500 + b'"}', False),
        (b'{"a": "\\\\"' + b', "b":[{"b":' * 200, True),
        (b'{"a": "\\\\\\"' + b"[" * 500 + b'"}', False),
        (b"[" * LARGEST_BODY, True),
        (b"]" * LARGEST_BODY, False),
        (b'"' * LARGEST_BODY, False),
        (b"[" + b"[]," * 100_000 + b"[]]", False),
        (b"", False),
    ],
    ids=[
        "text", "text with a quote", "backslash at the end", "both", "only opening", "only closing", "only quotes",
        "wide", "empty",
    ],
)  # fmt: skip
def test_text_and_width_are_no_depth(body: bytes, deep: bool) -> None:
    assert is_too_deep(body) is deep


documents = st.recursive(
    st.none() | st.integers() | st.text(alphabet='"\\[]{}a\u00e9\n', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\[{a', max_size=3), inner, max_size=3),
    max_leaves=20,
)  # fmt: skip


def depth_of(document: Any) -> int:
    if isinstance(document, dict):
        return 1 + max(map(depth_of, document.values()), default=0)
    return 1 + max(map(depth_of, document), default=0) if isinstance(document, list) else 0


@given(documents, st.integers(LARGEST_DEPTH - 8, LARGEST_DEPTH + 2), st.booleans())
def test_depth_is_the_documents_own(document: Any, around: int, readable: bool) -> None:
    body = json.dumps(document, ensure_ascii=readable).encode()
    whole = b"[" * around + body + b"]" * around
    assert is_too_deep(whole) is (around + depth_of(document) > LARGEST_DEPTH)


def routes_with_a_body(openapi: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, methods in openapi["paths"].items()
        for method, route in methods.items()
        if "requestBody" in route
    ]


async def test_g02_every_route_with_a_body_refuses_a_deep_one(admin: httpx.AsyncClient) -> None:
    routes = routes_with_a_body((await admin.get("/api/openapi.json")).json())
    assert len(routes) > 12
    for method, path in routes:
        for depth in (LARGEST_DEPTH + 1, 100_000):
            answer = await admin.request(method, path, content=nested(depth), headers=JSON_HEADERS)
            found = (path, answer.status_code, answer.json()["detail"])
            assert found == (path, 400, REFUSED)
            assert answer.headers["content-type"] == "application/problem+json"


async def test_g02_deep_body_of_any_content_type_on_any_route(
    admin: httpx.AsyncClient, sign_in: Sign
) -> None:
    for kind in ("text/plain", "application/merge-patch+json", "application/x-www-form-urlencoded"):
        headers = JSON_HEADERS | {"Content-Type": kind}
        for method, path in (("PUT", "/api/settings"), ("GET", "/api/settings")):
            answer = await admin.request(method, path, content=nested(5000), headers=headers)
            assert (answer.status_code, answer.json()["detail"]) == (400, REFUSED)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
async def test_body_in_another_encoding_is_refused(admin: httpx.AsyncClient, encoding: str) -> None:
    """The standard library guesses them, and quotes and brackets are other bytes there."""
    for body in (nested(5000), b'{"schedule": ""}'):
        answer = await admin.put(
            "/api/settings", content=body.decode().encode(encoding), headers=JSON_HEADERS
        )
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "The body is not JSON in UTF-8.",
        )


async def test_document_at_the_limit_can_be_a_baseline(
    admin: httpx.AsyncClient, organisation: Any
) -> None:
    """What the limit lets in, everything behind it can take."""
    subscription = organisation.subscription_id
    await admin.post("/api/subscriptions/refresh")
    depth = LARGEST_DEPTH - 4  # the body, the list, the resource, its properties
    resource = {
        "id": f"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Logic/workflows/w",
        "type": "Microsoft.Logic/workflows",
        "name": "w",
        "location": "westeurope",
        "properties": {"definition": json.loads(nested(depth))},
    }
    body = {"source": "upload", "subscriptionId": subscription, "name": "deep"}
    made = await admin.post("/api/baselines", json=body | {"resources": [resource]})
    assert made.status_code == 201, made.text
    deeper = json.dumps(body | {"resources": [resource]}).encode().replace(b": 1}", b": [1]}")
    answer = await admin.post("/api/baselines", content=deeper, headers=JSON_HEADERS)
    assert (answer.status_code, answer.json()["detail"]) == (400, REFUSED)


async def test_member_that_comes_twice_is_refused_whatever_the_content_type(
    admin: httpx.AsyncClient,
) -> None:
    for kind in ("application/merge-patch+json", "APPLICATION/JSON", "application/vnd.x+json"):
        body = b'{"schedule": "", "schedule": "0 0 * * *"}'
        headers = JSON_HEADERS | {"Content-Type": kind}
        answer = await admin.put("/api/settings", content=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "schedule"
