"""The list of findings as people use it: files of what is shown, views, causes, long searches, comments."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx2 as httpx
import pytest

from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tests.api.many import incident_of, seed_many
from tests.drift.reported import PAYLOAD
from tests.drift.watched import Watched
from tests.web.conftest import OpenPage


@pytest.fixture
async def context(tenant: Watched, deployment: Deployment) -> TenantContext:
    return await serve(deployment, TenantId(tenant.tenant_id))


@pytest.fixture
def home(tenant: Watched) -> str:
    return f"/t/{tenant.tenant_id}/findings"


@pytest.fixture
async def client(url: str, tenant: Watched) -> Any:
    headers = {
        "X-MS-CLIENT-PRINCIPAL": tenant.organisation.admin_header,
        "X-Requested-With": "test",
        "Accept": "text/html",
    }
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as made:
        yield made


async def test_file_has_what_the_list_shows(
    client: Any, home: str, tenant: Watched, context: TenantContext
) -> None:
    await seed_many(context, tenant.subscription_id, 30)
    for query, number in (
        ("severity=high", 6),
        ("group=rg3", 3),
        ("actor=nobody", 0),
        (f"show=all&incident={incident_of(5)}", 3),
        ("show=accepted", 0),
    ):
        page = await client.get(f"{home}?{query}")
        assert page.text.count("data-row") == number, query
        file = await client.get(f"{home}/export.csv?{query}")
        rows = csv.DictReader(io.StringIO(file.text, newline=""))
        assert sum(row["status"] != "unknown" for row in rows) == number, query
    assert (await client.get(f"{home}/export.exe")).status_code == 404
    assert (await client.get(f"{home}/export.csv?show=nothing")).status_code == 422


async def test_findings_of_one_operation_stand_together(
    client: Any, home: str, tenant: Watched, context: TenantContext
) -> None:
    await seed_many(context, tenant.subscription_id, 7)
    text = (await client.get(home)).text
    assert text.count("3 findings of one operation by ada") == 2
    assert text.count('class="cause"') == 2
    together = text.partition(f"incident={incident_of(0)}")[2].partition("</tbody>")[0]
    assert all(f"account{number}<" in together for number in (0, 1, 2))
    assert "account3<" not in together
    alone = (await client.get(f"{home}?incident={incident_of(6)}")).text
    assert alone.count("data-row") == 1
    assert "Only what one operation in Azure caused" in alone


async def test_search_goes_on_by_itself_until_it_has_looked_through_all(
    open_page: OpenPage, home: str, tenant: Watched, context: TenantContext
) -> None:
    await seed_many(context, tenant.subscription_id, 450)
    header = tenant.organisation.admin_header
    page = await open_page(header, f"{home}?text=account449")
    await page.get_by_text("That is all: 450 looked through.").wait_for()
    assert await page.locator("tr[data-row]").count() == 1
    await page.goto(f"{home}?text=nothing-like-this")
    await page.get_by_text("That is all: 450 looked through.").wait_for()
    assert await page.locator("tr[data-row]").count() == 0
    await page.goto(home)
    assert await page.locator("tr[data-row]").count() == 50
    assert await page.get_by_role("link", name="Next 50").count() == 1


async def test_search_without_a_script_says_how_far_it_looked(
    client: Any, home: str, tenant: Watched, context: TenantContext
) -> None:
    await seed_many(context, tenant.subscription_id, 450)
    text = (await client.get(f"{home}?text=account449")).text
    assert "Looked through 200 of 450." in text
    link = text.partition('Looked through 200 of 450. <a href="')[2].partition('"')[0]
    second = (await client.get(link.replace("&amp;", "&"))).text
    assert "Looked through 400 of 450." in second


async def test_order_that_needs_all_is_given_to_lists_that_are_short(
    client: Any, home: str, tenant: Watched, context: TenantContext
) -> None:
    await seed_many(context, tenant.subscription_id, 230)
    long = (await client.get(f"{home}?sort=resource")).text
    assert "230 findings are too many to be put in another order" in long
    assert long.count("data-row") == 50
    short = (await client.get(f"{home}?sort=resource&severity=low")).text
    assert "too many" not in short
    assert short.count("data-row") == 46
    newest = (await client.get(f"{home}?sort=newest")).text
    assert newest.index("account0<") < newest.index("account9<")


async def test_view_is_kept_for_the_one_who_saved_it(
    open_page: OpenPage, home: str, tenant: Watched, header_of: Any
) -> None:
    viewer = await header_of("viewer")
    page = await open_page(viewer, f"{home}?show=all&severity=high&text=a%26b")
    await page.get_by_text("My views").click()
    await page.get_by_label("Keep these filters as").fill(PAYLOAD)
    await page.get_by_role("button", name="Save view").click()
    view = page.get_by_role("link", name=PAYLOAD)
    await view.wait_for()
    assert await page.locator("img[src=x]").count() == 0
    await page.goto(home)
    await page.get_by_role("link", name=PAYLOAD).click()
    await page.wait_for_url("**severity=high**")
    assert await page.get_by_label("Resource or property").input_value() == "a&b"
    other = await open_page(tenant.organisation.admin_header, home)
    assert await other.get_by_role("link", name=PAYLOAD).count() == 0
    await page.get_by_role("button", name="Remove the view").click()
    await page.wait_for_url(home)
    assert await page.get_by_role("link", name=PAYLOAD).count() == 0
    told = [one["action"] for one in await tenant.api.every("/api/audit?action=view")]
    assert sorted(told) == ["view.remove", "view.save"]


async def test_somebody_else_s_view_cannot_be_removed(
    client: Any, home: str, tenant: Watched, url: str, header_of: Any
) -> None:
    assert (
        await client.post(f"{home}/views", data={"name": "mine", "query": "show=all"})
    ).status_code == 200
    text = (await client.get(home)).text
    view = text.partition('name="view" value="')[2].partition('"')[0]
    assert view.startswith("view.")
    headers = {"X-MS-CLIENT-PRINCIPAL": await header_of("operator"), "X-Requested-With": "test"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as other:
        await other.post(f"{home}/views/remove", data={"view": view})
        await other.post(f"{home}/views/remove", data={"view": "settings"})
    assert ">mine</a>" in (await client.get(home)).text
    assert (await client.get("/api/settings")).status_code == 200


async def test_too_many_views_and_too_many_decisions_are_refused(client: Any, home: str) -> None:
    for number in range(30):
        await client.post(f"{home}/views", data={"name": f"{number}", "query": "show=all"})
    assert (await client.post(f"{home}/views", data={"name": "more"})).status_code == 409
    assert (
        await client.post(f"{home}/views", data={"name": "7", "query": "x=1"})
    ).status_code == 200
    many = {"finding": [f"{n}|x" for n in range(201)], "action": "acknowledge"}
    answer = await client.post(f"{home}/decide", data=many)
    assert answer.status_code == 422
    assert "200 findings at once" in answer.text


async def test_comment_is_said_and_shown_as_text(
    drifted: Watched, open_page: OpenPage, home: str, header_of: Any
) -> None:
    finding, *_ = await drifted.findings("?severity=high")
    page = await open_page(await header_of("operator"), f"{home}/{finding['id']}")
    await page.get_by_role("textbox", name="Comment").fill(f"{PAYLOAD}\nsecond line")
    await page.get_by_role("button", name="Say it").click()
    await page.locator(".lines").wait_for()
    assert await page.locator(".lines").inner_text() == f"{PAYLOAD}\nsecond line"
    assert await page.locator("img[src=x]").count() == 0
    reader = await open_page(await header_of("viewer"), f"{home}/{finding['id']}")
    assert "second line" in await reader.locator("main").inner_text()
    assert await reader.get_by_role("button", name="Say it").count() == 0
