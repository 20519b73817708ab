"""The OpenAPI document: true, complete, and fit to be read. It is walked, not compared with a copy of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import httpx2 as httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI, Response
from fastapi.routing import APIRoute

from api.app import ROUTERS, create_app
from api.errors import FRAMEWORK, STATUSES
from api.examples import NO_EXAMPLE
from api.shapes import Shape
from api.vocabulary import TAGS
from dev.demo.client import Product
from drift.engine.findings import MAX_REASON
from tests.contract import UNKNOWN, Watched

ROUTES = [
    route
    for area in ROUTERS
    for route in area.router.routes
    if isinstance(route, APIRoute) and route.include_in_schema
]
BODIES = {
    model
    for route in ROUTES
    for model in get_type_hints(route.endpoint).values()
    if isinstance(model, type) and issubclass(model, Shape)
}
OUTSIDE = {"/api/me", "/healthz", "/api/invitations/accept"}  # of tenants
Operation = tuple[str, dict[str, Any]]


@pytest.fixture
async def document(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url) as client:
        return dict((await client.get("/api/openapi.json")).json())


@pytest.fixture
def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def answers(document: dict[str, Any], operation: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The answers of an operation by status, references followed."""
    shared = document["components"]["responses"]
    return {
        int(status): shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in operation["responses"].items()
    }


def parameters(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    shared = document["components"]["parameters"]
    given = operation.get("parameters", [])
    known = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in given]
    return {one["name"]: one for one in known}


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.validator_for(whole, validate_formats=True).validate(value)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_route_is_described(document: dict[str, Any], operations: list[Operation]) -> None:
    assert len(operations) == len(ROUTES) > 60
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert tags == TAGS
    for name, operation in operations:
        assert re.fullmatch(r"[a-z][A-Za-z]{2,30}", operation["operationId"]), name
        assert re.fullmatch(r"[A-Z].{3,40}", operation["summary"]), name
        assert len(operation.get("description", "")) > 8, f"{name} has no docstring"
        assert len(operation["tags"]) == 1, name
        assert operation["tags"][0] in tags, name
        for parameter in parameters(document, operation).values():
            assert parameter.get("description"), (name, parameter["name"])
            assert {"type": "null"} not in parameter["schema"].get("anyOf", []), name
    ids = [operation["operationId"] for _, operation in operations]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        kind, name = re.fullmatch(r"#/components/(\w+)/([\w-]+)", reference).groups()  # type: ignore[union-attr]
        assert name in document["components"][kind], reference


def test_what_fastapi_would_answer_is_not_promised(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in json.dumps(document)
    assert "Successful Response" not in json.dumps(document)


def test_every_refusal_is_a_problem_with_its_codes(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    told: set[str] = set()
    for name, operation in operations:
        known = answers(document, operation)
        assert {422, 500, 503} <= set(known), name
        for status, answer in known.items():
            assert "x-ms-request-id" in answer["headers"], (name, status)
            if status < 400:
                continue
            assert list(answer["content"]) == ["application/problem+json"], (name, status)
            content = answer["content"]["application/problem+json"]
            check(document, content["schema"], content["example"])
            codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"]
            assert "x-ms-error-code" in answer["headers"]
            assert codes, (name, status)
            told |= set(codes)
    answered = {code for _, code in STATUSES.values()} | set(FRAMEWORK.values())
    assert told == answered - {"method-not-allowed"}  # of a method that no operation has


def test_refusals_follow_from_what_a_route_asks_for(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    for name, operation in operations:
        method, path = name.split()
        known, headers = answers(document, operation), parameters(document, operation)
        signed_in = name != "GET /healthz"
        assert (401 in known) == (429 in known) == bool(operation["security"]) == signed_in, name
        assert ({400, 413} <= set(known)) == ("requestBody" in operation), name
        assert ({412, 428} <= set(known)) == ("If-Match" in headers), name
        assert ("X-Requested-With" in headers) == (method != "GET"), name
        assert method == "GET" or 403 in known, name
        assert "{" not in path or 404 in known, name
        inside = path not in OUTSIDE and not path.startswith("/api/tenants")
        assert ("X-Tenant-Id" in headers) == inside, name
        if "If-Match" in headers:
            first = name == "PUT /api/connection"  # there is nothing to match yet
            assert headers["If-Match"]["required"] != first, name
    shared = document["components"]["responses"]  # named alike by every Python
    assert {"UnprocessableContent", "ContentTooLarge"} < set(shared)
    assert "Retry-After" in shared["TooManyRequests"]["headers"]
    assert "WWW-Authenticate" in shared["Unauthorized"]["headers"]


async def test_headers_of_problems_are_sent(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/api/me")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["x-ms-error-code"] == answer.json()["code"] == "unauthenticated"
    assert answer.json()["title"] == "Unauthorized"


def test_examples_of_answers_are_true(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    for name, operation in operations:
        for status, answer in answers(document, operation).items():
            assert ("content" in answer) == (status != 204), (name, status)
            for content in answer.get("content", {}).values():
                text = json.dumps(content["example"], ensure_ascii=False)
                assert NO_EXAMPLE not in text, f"{name}: a member is missing in api/examples.py"
                check(document, content["schema"], content["example"])


def test_examples_of_bodies_are_shown_and_fit(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    shown = 0
    for name, operation in operations:
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            assert content["examples"], f"{name}: its model has no examples"
            for example in content["examples"].values():
                check(document, content["schema"], example["value"])
                shown += 1
    assert shown > len(BODIES)


@pytest.mark.parametrize("model", sorted(BODIES, key=lambda model: model.__name__))
def test_examples_of_bodies_are_true(model: type[Shape]) -> None:
    examples = model.model_json_schema()["examples"]
    assert examples
    for example in examples:
        model.model_validate(example)


def test_limits_of_the_engine_are_in_the_document(document: dict[str, Any]) -> None:
    for body in ("DecisionBody", "AcceptBody", "AcknowledgeBody"):
        reason = document["components"]["schemas"][body]["properties"]["reason"]
        assert reason["maxLength"] == MAX_REASON


async def test_lists_say_what_is_in_them_and_leave_out_an_empty_link(
    document: dict[str, Any], operator: Product
) -> None:
    schema = document["components"]["schemas"]["ListOf_TenantView_"]
    assert schema["properties"]["value"]["items"] == {"$ref": "#/components/schemas/TenantView"}
    assert schema["properties"]["nextLink"] == {"type": "string"}
    assert schema["required"] == ["value"]
    assert list(await operator.request("GET", "/api/tenants/templates")) == ["value"]


async def test_names_no_tenant(document: dict[str, Any], tenant_id: str, organisation: Any) -> None:
    text = json.dumps(document)
    for canary in (tenant_id, organisation.directory_id, organisation.tenant_body()["name"]):
        assert canary not in text


def test_development_sign_in_is_named_where_it_is_on() -> None:
    class Settings:
        development_sign_in = False

    class Deployment:
        settings = Settings()

    document = create_app(Deployment).openapi()  # type: ignore[arg-type, return-value]
    assert list(document["components"]["securitySchemes"]) == ["bearer", "session"]


async def test_deployment_for_development_names_its_sign_in(document: dict[str, Any]) -> None:
    assert list(document["components"]["securitySchemes"]) == ["bearer", "session", "development"]
    security = document["paths"]["/api/me"]["get"]["security"]
    assert security == [{"bearer": []}, {"session": []}, {"development": []}]


async def test_watch_over_the_document_sees_an_answer_that_it_does_not_know() -> None:
    app = FastAPI()

    @app.get("/teapot/{name}")
    async def teapot(name: str) -> Response:
        return Response(status_code=418 if name == "hot" else 200)

    transport = httpx.ASGITransport(app=Watched(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/teapot/cold")).status_code == 200
        assert (await client.get("/elsewhere")).status_code == 404
        answer = await client.get("/teapot/hot")
    assert answer.status_code == UNKNOWN
    assert "GET /teapot/hot answers 418" in answer.text
