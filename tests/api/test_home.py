"""The page at `/`."""

from __future__ import annotations

import httpx2 as httpx


async def test_home_says_what_it_is_and_that_sign_in_is_for_development(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        page = await client.get("/")
        document = await client.get("/api/openapi.json")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "Development sign-in is on" in page.text
    assert 'href="/api/openapi.json"' in page.text
    assert document.json()["info"]["title"] == "Azure Drift Detector"
