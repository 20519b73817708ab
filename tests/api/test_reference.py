"""The page at /api/docs: all of the document, for people, under a policy that runs nothing and loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import httpx2 as httpx
import pytest

from api.reference import render

VOID = {"meta", "br", "hr"}


class Page(HTMLParser):
    """What of a page is looked at. Fails for an element that is closed wrongly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self._open += [] if tag in VOID else [tag]
        for name, value in attrs:
            self.attributes.add(name)
            self.ids += [value or ""] if name == "id" else []
            self.links += [value or ""] if name == "href" else []

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
async def client(url: str) -> Any:
    async with httpx.AsyncClient(base_url=url) as client:
        yield client


async def test_page_shows_every_operation_and_shape(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    answer = await client.get("/api/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    text = " ".join("".join(page.words).split())
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    shown = {operation["operationId"] for operation in operations}
    shown |= {f"shape-{name}" for name in document["components"]["schemas"]}
    assert shown <= set(page.ids)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}{operation['summary']}" in text
            for paragraph in re.sub("[`*]", "", operation["description"]).split("\n\n"):
                assert " ".join(paragraph.split()) in text
    assert "409 conflict" in text
    assert "Change 4711, agreed with the network team" in text  # an example of a body


async def test_page_leads_nowhere_else(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/api/docs")).text)
    assert len(page.ids) == len(set(page.ids))
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == {"/api/openapi.json"}


async def test_page_runs_nothing_and_loads_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/docs")
    page = Page(answer.text)
    assert not page.elements & {"script", "link", "img", "iframe", "form", "object"}
    assert not any(name.startswith("on") or name in {"src", "style"} for name in page.attributes)
    style = re.search("<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "frame-ancestors 'none'" in policy


async def test_page_names_no_tenant(
    client: httpx.AsyncClient, tenant_id: str, organisation: Any
) -> None:
    text = (await client.get("/api/docs")).text
    for canary in (tenant_id, organisation.directory_id, organisation.tenant_body()["name"]):
        assert canary not in text


async def test_page_is_linked_from_the_first_one(client: httpx.AsyncClient) -> None:
    assert 'href="/api/docs"' in (await client.get("/")).text


def test_what_a_document_says_is_text() -> None:
    odd = "<b>`a&b`</b>"
    operation = {
        "operationId": "try",
        "summary": odd,
        "description": odd,
        "tags": ["odd"],
        "security": [],
        "responses": {},
    }
    page = Page(
        render(
            {
                "info": {"title": odd, "description": odd},
                "tags": [{"name": "odd", "description": odd}],
                "paths": {"/<b>": {"get": operation}},
                "components": {
                    "responses": {},
                    "securitySchemes": {},
                    "schemas": {"Odd": {"properties": {"<b>": {"description": odd}}}},
                },
            }
        )
    )
    assert "b" not in page.elements
    assert "<b>a&b</b>" in "".join(page.words)
