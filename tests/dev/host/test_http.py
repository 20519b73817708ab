from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from dev.host.http import LARGEST_BODY

if TYPE_CHECKING:
    from conftest import RunningHost


def test_ready_line_names_url_and_functions(host: RunningHost) -> None:
    assert host.url.startswith("http://localhost:")
    assert {"things", "work", "poisoned", "beat"} <= set(host.functions)


@pytest.mark.parametrize(
    ("path", "function", "params"),
    [
        ("/api/things/special/parts", "special", {}),
        ("/API/Things/Special/Parts", "special", {}),
        ("/api/things/wheel/parts", "parts", {"name": "wheel"}),
        ("/api/things/wheel/spokes/1", "things", {"rest": "wheel/spokes/1"}),
        ("/api/things", "things", {"rest": ""}),
        ("/", "pages", {"path": ""}),
        ("/t/contoso/findings", "pages", {"path": "t/contoso/findings"}),
    ],
)
def test_request_reaches_the_most_specific_route(
    host: RunningHost, path: str, function: str, params: dict[str, str]
) -> None:
    seen = host.get(path).json()
    assert (seen["function"], seen["params"]) == (function, params)


def test_request_arrives_whole(host: RunningHost) -> None:
    response = httpx2.post(
        f"{host.url}/api/things/a%20b?x=1&x=2&empty=",
        content="drift é".encode(),
        headers=[("X-Twice", "one"), ("X-Twice", "two"), ("Cookie", "a=1"), ("Cookie", "b=2")],
    )
    seen = response.json()
    assert seen["method"] == "POST"
    assert seen["url"] == f"{host.url}/api/things/a%20b?x=1&x=2&empty="
    assert seen["params"] == {"rest": "a b"}
    assert seen["query"] == {"x": "1,2"}
    assert seen["body"] == "drift é"
    assert seen["headers"]["x-twice"] == "one,two"
    assert seen["headers"]["cookie"] == "a=1; b=2"


def test_method_that_no_route_allows_is_not_found(host: RunningHost) -> None:
    response = httpx2.delete(f"{host.url}/api/things")
    assert (response.status_code, response.content) == (404, b"")


def test_failing_function_is_500_without_a_body(host: RunningHost) -> None:
    response = host.get("/api/failure")
    assert (response.status_code, response.content) == (500, b"")


def test_function_may_answer_a_plain_text(host: RunningHost) -> None:
    response = host.get("/api/plain")
    assert (response.status_code, response.text) == (200, "plain text")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_repeated_headers_collapse_except_cookies(host: RunningHost) -> None:
    response = host.get("/api/cookies")
    assert response.status_code == 201
    assert response.headers.get_list("link") == ["<last>"]
    assert response.headers.get_list("set-cookie") == [
        "session=a%3Db%2Fc; max-age=60; path=/; samesite=lax; httponly",
        "theme=dark; path=/; secure",
    ]


def test_body_over_the_platforms_limit_is_refused(host: RunningHost) -> None:
    chunk = bytes(1024 * 1024)
    chunks = (chunk for _ in range(LARGEST_BODY // len(chunk) + 1))
    response = httpx2.post(f"{host.url}/api/things", content=chunks, timeout=60)
    assert response.status_code == 413


def test_foreign_host_name_is_refused(host: RunningHost) -> None:
    assert host.get("/api/things", headers={"Host": "evil.example"}).status_code == 421


def test_timer_can_be_run_by_hand(host: RunningHost) -> None:
    before = len(host.runs("beat"))
    url = f"{host.url}/admin/functions/beat"
    assert httpx2.post(url, json={}).status_code == 202
    assert len(host.runs("beat")) == before + 1
    assert httpx2.post(url, data={"a": "form"}).status_code == 415
    assert httpx2.post(f"{host.url}/admin/functions/things", json={}).status_code == 404
    assert len(host.runs("beat")) == before + 1
