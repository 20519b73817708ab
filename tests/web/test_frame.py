"""What every page has: its headers, its frame, and answers to what goes wrong in the form that was asked for."""

from __future__ import annotations

import re
import uuid
from html import unescape
from typing import Any

import httpx2 as httpx

from dev.demo.client import Product
from tests.drift.watched import Watched
from tests.web.operators import operator_header


async def test_only_our_own_files_run_and_nothing_inline(
    admin: httpx.AsyncClient, tenant: Watched
) -> None:
    page = await admin.get(f"/t/{tenant.tenant_id}/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    for source in re.findall(r"<script([^>]*)>", page.text):
        assert re.search(r'src="/static/\w+(\.min)?\.[0-9a-f]{12}\.js"', source)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page.text)


async def test_files_are_kept_for_ever_under_the_name_of_their_content(
    admin: httpx.AsyncClient,
) -> None:
    page = await admin.get("/")
    names = re.findall(r"/static/[\w.-]+", page.text if page.status_code == 200 else "")
    names = names or re.findall(r"/static/[\w.-]+", (await admin.get("/?all")).text)
    assert {name.rsplit(".", 1)[1] for name in names} == {"css", "js", "svg"}
    for name in set(names):
        found = await admin.get(name)
        assert found.status_code == 200
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await admin.get("/static/drift.000000000000.css")).status_code == 404
    assert (await admin.get("/static/..%2Fassets.py")).status_code == 404


async def test_every_page_says_that_sign_in_is_for_development(
    admin: httpx.AsyncClient, tenant: Watched
) -> None:
    for path in ("/?all", f"/t/{tenant.tenant_id}/", f"/t/{tenant.tenant_id}/nothing-here", "/x"):
        assert "Development sign-in is on" in (await admin.get(path)).text


async def test_strangers_are_told_what_this_is_and_how_to_sign_in(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as nobody:
        page = await nobody.get("/")
    assert page.status_code == 200
    assert "Sign in as somebody else" in page.text
    assert 'href="/api/openapi.json"' in page.text


async def test_one_tenant_is_led_to(admin: httpx.AsyncClient, tenant: Watched) -> None:
    answer = await admin.get("/")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/t/{tenant.tenant_id}/"


async def test_who_runs_the_platform_and_nothing_else_is_led_to_it(
    url: str, settings: Any, tenant: Watched
) -> None:
    headers = {"X-MS-CLIENT-PRINCIPAL": operator_header(settings), "Accept": "text/html"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as operator:
        answer = await operator.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/platform")
        assert "You run this deployment" in (await operator.get("/?all")).text
        nowhere = await operator.get("/nowhere")
    assert "Nothing has this address." in nowhere.text


async def test_every_link_leads_somewhere(admin: httpx.AsyncClient, drifted: Watched) -> None:
    """From the list of all tenants on, page after page, as far as links of our own lead."""
    waiting, met = ["/?all"], {"/?all": 0}
    while waiting:
        page = waiting.pop()
        answer = await admin.get(page, follow_redirects=False)
        met[page] = answer.status_code
        assert answer.status_code in {200, 286, 303}, (page, answer.text)
        if answer.status_code != 303 and not page.startswith(("/api/", "/static/")):
            links = re.findall(r'\b(?:href|hx-get)="(/[^"#]*)', answer.text)
            new = {unescape(link) for link in links} - met.keys()
            met |= dict.fromkeys(new, 0)
            waiting += new
    areas = {page.split("/")[3].partition("?")[0] for page in met if page.startswith("/t/")}
    assert {"", "findings", "resources", "scans", "baselines", "rules", "settings"} <= areas


async def test_what_goes_wrong_is_a_page_a_sentence_or_json(
    admin: httpx.AsyncClient, tenant: Watched
) -> None:
    path = f"/t/{tenant.tenant_id}/findings/{tenant.subscription_id}.{uuid.uuid4().hex}"
    page = await admin.get(path)
    part = await admin.get(path, headers={"HX-Request": "true"})
    api = await admin.get(f"/api/findings/{tenant.subscription_id}.{uuid.uuid4().hex}")
    assert (page.status_code, part.status_code, api.status_code) == (404, 404, 404)
    assert "<h1>There is nothing here</h1>" in page.text
    assert part.text.startswith('<p class="said" role="alert">There is no such finding.')
    assert api.headers["content-type"] == "application/problem+json"


async def test_bad_filters_are_refused_by_name(admin: httpx.AsyncClient, tenant: Watched) -> None:
    for query, field in (("show=x", "show"), ("sort=x", "sort"), ("age=x", "age")):
        page = await admin.get(f"/t/{tenant.tenant_id}/findings?{query}")
        assert page.status_code == 422
        assert f"{field} must be one of" in page.text


async def test_forms_that_are_none_are_refused(admin: httpx.AsyncClient, tenant: Watched) -> None:
    headers = {"X-Requested-With": "test", "HX-Request": "true"}
    path = f"/t/{tenant.tenant_id}/findings/decide"
    json = await admin.post(path, json={"action": "accept"}, headers=headers)
    nothing = await admin.post(path, data={"action": "accept"}, headers=headers)
    many = await admin.post(path, data={"x": ["1"] * 2000}, headers=headers)
    assert [one.status_code for one in (json, nothing, many)] == [422, 422, 422]
    assert "Tick the findings first." in nothing.text


async def test_a_platform_operator_inside_is_told_so_and_noted(
    operator: Product, url: str, settings: Any, tenant: Watched
) -> None:
    pia = operator_header(settings)
    async with httpx.AsyncClient(base_url=url, headers={"X-MS-CLIENT-PRINCIPAL": pia}) as client:
        page = await client.get(f"/t/{tenant.tenant_id}/")
        listed = await client.get("/platform")
    assert "as platform operator" in page.text
    assert 'href="/platform">Leave' in page.text
    assert listed.status_code == 200
    entries = await tenant.api.every("/api/audit?action=platform")
    assert {"Pia"} <= {entry["actorName"] for entry in entries}
