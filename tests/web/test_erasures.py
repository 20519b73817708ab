"""The platform operator's pages of a tenant's end: its name has to be typed, and the certificate is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2 as httpx
import pytest

from drift.erasure import GRACE, QUIET, erase
from settings import Settings
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tests.drift.conftest import NewTenant
from tests.drift.watched import Watched
from tests.web.operators import operator_header


@pytest.fixture
async def pia(url: str, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-MS-CLIENT-PRINCIPAL": operator_header(settings), "HX-Request": "true"}
    headers |= {"X-Requested-With": "htmx", "Accept": "text/html"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
async def doomed(new_tenant: NewTenant, pia: httpx.AsyncClient) -> tuple[Watched, str]:
    """A tenant and its name."""
    made = await new_tenant()
    name = f"doomed-{made.tenant_id[:8]}"
    body, headers = {"name": name}, await if_match(pia, made.tenant_id)
    (
        await pia.patch(f"/api/tenants/{made.tenant_id}", json=body, headers=headers)
    ).raise_for_status()
    return made, name


async def if_match(pia: httpx.AsyncClient, tenant_id: str) -> dict[str, str]:
    return {"If-Match": (await pia.get(f"/api/tenants/{tenant_id}")).headers["ETag"]}


async def post(pia: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    return await pia.post(path, data=form)


async def test_tenant_is_deleted_by_its_name_and_its_end_is_seen(
    pia: httpx.AsyncClient, doomed: tuple[Watched, str], deployment: Deployment
) -> None:
    tenant, name = doomed
    path = f"/platform/tenants/{tenant.tenant_id}/delete"
    asked = await pia.get(path)
    assert f"Type <b>{name}</b> to confirm" in asked.text
    assert "In 7 days" in asked.text
    for typed in ("", "doomed", name.upper()):
        refused = await post(pia, path, confirm=typed, when="now")
        assert refused.status_code == 422
        assert "Type the tenant" in refused.text
    assert (await tenant.http.get("/api/settings")).status_code == 200
    done = await post(pia, path, confirm=name, when="later")
    place = f"/platform/erasures/{tenant.tenant_id}"
    assert place in (done.headers.get("HX-Redirect"), done.headers.get("Location"))
    assert (await tenant.http.get("/api/settings")).status_code == 404
    waiting = await pia.get(place)
    assert "waiting" in waiting.text
    assert "Erase it at once" in waiting.text
    assert name not in waiting.text
    at = datetime.now(UTC) + GRACE + QUIET
    await erase(deployment, TenantId(tenant.tenant_id), clock=lambda: at)
    over = await pia.get(place)
    assert "The signature is that of this deployment" in over.text
    assert "Erase it at once" not in over.text
    assert "rows.settings" in over.text
    assert tenant.tenant_id in (await pia.get("/platform/erasures")).text


async def test_waiting_erasure_is_hastened_by_the_name(
    pia: httpx.AsyncClient, doomed: tuple[Watched, str], deployment: Deployment
) -> None:
    tenant, name = doomed
    await post(pia, f"/platform/tenants/{tenant.tenant_id}/delete", confirm=name, when="later")
    path = f"/platform/erasures/{tenant.tenant_id}/now"
    assert (await post(pia, path, confirm="x")).status_code == 422
    assert (await post(pia, path, confirm=name)).status_code < 400
    found = await deployment.erasures.find(TenantId(tenant.tenant_id))
    assert found is not None
    assert found.due_at - found.asked_at < timedelta(minutes=1)


async def test_living_tenant_has_no_erasure(
    pia: httpx.AsyncClient, doomed: tuple[Watched, str]
) -> None:
    tenant, _ = doomed
    assert (await pia.get(f"/platform/erasures/{tenant.tenant_id}")).status_code == 404


async def test_days_are_shown_with_their_floors_and_saved(tenant: Watched) -> None:
    home = f"/t/{tenant.tenant_id}/settings"
    page = (await tenant.http.get(home)).text
    assert "365 to 3650: whoever did something cannot have it forgotten" in page
    etag = (await tenant.http.get("/api/settings")).headers["ETag"]
    form = {"etag": etag, "schedule": "", "notify": "high"}
    days = {"scans": "30", "findings": "90", "history": "60", "audit": "400", "notices": "30"}
    form |= {f"retention.{kind}": value for kind, value in (days | {"usage": "400"}).items()}
    headers = {"X-Requested-With": "htmx"}
    low = await tenant.http.post(home, data=form | {"retention.audit": "100"}, headers=headers)
    assert low.status_code == 422
    assert "retention.audit" in low.text
    assert (await tenant.http.post(home, data=form, headers=headers)).status_code < 400
    saved = (await tenant.http.get("/api/settings")).json()["retention"]
    assert saved == {kind: int(value) for kind, value in (days | {"usage": "400"}).items()}
